"""A session that has crashed stays in the Monitor's list for a while, with the reason, until it is taken off."""

from __future__ import annotations

import pytest

from qtui.core.hardware import ProcessMemory
from qtui.core.sessions import SessionState
from qtui.ui.panels.log import LogPanel
from tests.fakes import FakeSessions, make_seen
from tests.ui.stage import Stage, screen_text, sees, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen

REASON = "the RPC host 10.0.0.3:50052 is gone while answering"
CRASHED = make_seen(
    "s2", "Other Q2_K", memory=ProcessMemory(), own=True, state=SessionState.CRASHED, reason=REASON,
    crashed=1_699_999_990.0, engine="/opt/llama.cpp/bin/llama-server",
)  # fmt: skip


def stage(*seen: object) -> Stage:
    made = Stage(variants=())
    made.sessions = FakeSessions(*seen)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_it_says_why_and_what_can_be_done(size: tuple[int, int]) -> None:
    made = stage(make_seen(), CRASHED)
    made.sessions.logs["s2"] = ("the last words",)
    async with made.app().run_test(size=size) as pilot:
        await pilot.press("4")
        await sees(pilot, "crashed")
        await pilot.press("down")
        await sees(pilot, REASON)
        shown = screen_text(pilot)
        assert "crashed 10 s ago" in shown and "r loads it again" in shown and "–" in shown
        assert ("llama-server" in shown) is (size[0] > 80)  # the column is left out where there is no room
        check_screen(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LogPanel))
        await sees(pilot, "the last words")
        await pilot.press("escape")
        await pilot.press("s")  # it does not run: nothing is asked
        await wait_until(pilot, lambda: made.sessions.stopped == ["s2"])
        await wait_until(pilot, lambda: REASON not in screen_text(pilot))
        assert "Tiny Q8_0" in screen_text(pilot)


async def test_alarms_and_sums_do_not_count_it() -> None:
    made = stage(CRASHED)
    async with made.app().run_test(size=(120, 36)) as pilot:
        await pilot.press("4")
        await sees(pilot, "crashed")
        vitals = pilot.app.screen.vitals  # type: ignore[attr-defined]
        assert vitals.history.latest.sessions == () and len(vitals.crashed) == 1 and vitals.quiet()


async def test_a_hostile_reason_harms_nothing() -> None:
    for text in (HOSTILE[name] for name in ("markup", "escape", "bidi", "wide")):
        made = stage(make_seen(state=SessionState.CRASHED, reason=text, crashed=1.0))
        async with made.app().run_test(size=(80, 24)) as pilot:
            await pilot.press("4")
            await sees(pilot, "crashed")
            check_screen(pilot)
