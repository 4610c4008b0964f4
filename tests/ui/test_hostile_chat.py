"""The hostile strings against chat: joining, swapping, refusals, offers, editing, the sampling panel, pasting."""

from __future__ import annotations

import pytest
from textual.events import Paste

from qtui.core.text import GIB, MIB
from qtui.ui.panels.sampling import SamplingPanel
from qtui.ui.widgets import transcript
from qtui.ui.widgets.past import Past
from qtui.ui.widgets.prompt_field import PromptField
from tests.fakes import Reply
from tests.ui.stage import Stage, arena, field_of, sees, wait_until
from tests.ui.test_chat import put, rested
from tests.ui.test_hostile import HOSTILE, check_screen, hostile_variant


@pytest.mark.parametrize("kind", HOSTILE)
async def test_turns_that_are_edited_joined_and_swapped(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "FRESH", 1)
    text = HOSTILE[kind]
    one, two, three = (hostile_variant(text, number) for number in (1, 2, 3))
    stage = Stage()
    stage.engine.default = Reply(text, thinking=text, warnings=(text,))
    async with stage.duel(text or "x", A=one).run_test(size=(80, 24), notifications=True) as pilot:
        await rested(pilot)
        put(pilot, "B", two)
        await wait_until(pilot, lambda: len(stage.engine.sessions) == 2)
        await rested(pilot)
        check_screen(pilot)
        await pilot.press("escape", "t")
        await rested(pilot)
        check_screen(pilot)
        put(pilot, "A", three)
        await wait_until(pilot, lambda: len(stage.engine.sessions) == 3)
        await rested(pilot)
        for key in ("y", "y", "e", "enter", "escape", "r", "G"):
            await pilot.press(key)
            check_screen(pilot)
        await rested(pilot)
        await pilot.resize_terminal(120, 36)
        check_screen(pilot)
        assert pilot.app.screen.query(Past)
        for key in ("g", "pagedown", "G"):
            await pilot.press(key)
            check_screen(pilot)
        await pilot.press("N", "N")
        check_screen(pilot)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_refusal_and_what_is_offered(kind: str) -> None:
    variant = hostile_variant(HOSTILE[kind], 1, size=GIB)
    stage = Stage()
    stage.machine.set(available=3 * GIB)
    stage.dry_run.context_per_token = MIB
    async with stage.duel(A=variant).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "t load it with")
        check_screen(pilot)
        await pilot.press("escape", "t")
        await wait_until(pilot, lambda: stage.engine.sessions)
        await rested(pilot)
        check_screen(pilot)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 36)])
@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_is_pasted_into_the_sampling_panel(kind: str, size: tuple[int, int]) -> None:
    text = HOSTILE[kind]
    async with Stage().duel().run_test(size=size) as pilot:
        await wait_until(pilot, lambda: not arena(pilot)._operations.running)
        await pilot.press("escape", "S")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SamplingPanel))
        for _ in range(7):
            assert pilot.app.focused
            pilot.app.focused.post_message(Paste(text))
            await pilot.press("down")
            check_screen(pilot)
        assert isinstance(pilot.app.focused, PromptField)
        pilot.app.focused.post_message(Paste(text))
        await pilot.press("enter")
        check_screen(pilot)
        await pilot.press("ctrl+r", "enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, SamplingPanel))
        check_screen(pilot)
        field_of(pilot).post_message(Paste(text))
        await pilot.pause()
        check_screen(pilot)
