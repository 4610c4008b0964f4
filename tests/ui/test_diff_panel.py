"""The diff panel with the divergence of both sides, and what the Arena says of answers that went astray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.errors import EngineError
from qtui.core.measure.events import ExchangeAdvanced, PassBegan
from qtui.core.measure.wished import WishedMeasures
from qtui.services.measure_files import MeasureFolder
from qtui.services.texts import TextFiles
from qtui.services.themes import read_themes
from qtui.ui.panels.diff import DiffPanel
from qtui.ui.present.diff import MARK, columns
from qtui.ui.present.divergence import DivergenceWork, divergence_text
from qtui.ui.widgets.key_line import KeyLine
from tests.core.measure.scripted import KLDS, ScriptedMeasurer, means_of
from tests.core.measure.test_exchange import EXCHANGE
from tests.fakes import LoadScript, Reply, make_variant
from tests.ui.readable import hard_to_read, mixed_colours
from tests.ui.stage import LARGE, SMALL, Stage, arena, screen_text, sees, wait_until
from tests.ui.test_blind import blind
from tests.ui.test_chat import rested, say
from tests.ui.test_hostile import HOSTILE, check_screen


def test_what_differs_is_underlined_and_nothing_else() -> None:
    first, second = columns("the sky is blue today", "the sky looks blue \x1b[31m")
    assert [(first.plain[span.start : span.end], span.style) for span in first.spans] == [
        ("is", MARK), ("today", MARK)
    ]  # fmt: skip
    assert second.plain == "the sky looks blue \ufffd[31m"
    assert columns("same", "same")[0].spans == []


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_both_answers_stand_side_by_side(size: tuple[int, int]) -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("the sky is blue"), variant=SMALL)
    stage.engine.enqueue(Reply("the sky is [b]green[/b]"), variant=LARGE)
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=size) as pilot:
        await say(pilot, "why")
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, DiffPanel))
        await sees(pilot, "differ from word 4")
        text = screen_text(pilot)
        assert "[b]green[/b]" in text
        assert "the sky is blue" in text
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, DiffPanel))


async def test_with_one_answer_there_is_nothing_to_compare() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(100, 30)) as pilot:
        await say(pilot, "why")
        await pilot.press("escape", "d")
        await rested(pilot)
        assert not isinstance(pilot.app.screen, DiffPanel)


async def test_an_answer_that_went_astray_is_said_in_words() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("no " * 30), variant=SMALL)
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await say(pilot, "why")
        await sees(pilot, "it repeats “no” 30 times in a row")


LESS = replace(SMALL, parameters=LARGE.parameters)
"""Of the same model as LARGE."""


def measuring(folder: Path, measurer: ScriptedMeasurer, *, load_time: float = 60.0) -> Stage:
    """Return a stage that measures: on a key, where loads take as long as that."""
    stage = Stage(measures=WishedMeasures(means_of(measurer, MeasureFolder(folder)), TextFiles()))
    for variant in (SMALL, LARGE):
        stage.engine.loads[variant.path] = LoadScript(load_time=load_time)
    stage.engine.enqueue(Reply("the sky is blue"), variant=SMALL)
    stage.engine.enqueue(Reply("the sky is green"), variant=LARGE)
    return stage


async def opened(pilot: Pilot[None]) -> DiffPanel:
    await say(pilot, "why")
    await pilot.press("escape", "d")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, DiffPanel))
    assert isinstance(pilot.app.screen, DiffPanel)
    return pilot.app.screen


def flat(pilot: Pilot[None]) -> str:
    """Return the screen as one line."""
    return " ".join(screen_text(pilot).replace("│", " ").split())


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_a_key_measures_how_far_both_are_apart(size: tuple[int, int], tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    async with measuring(tmp_path, measurer).duel(A=LESS, B=LARGE).run_test(size=size) as pilot:
        panel = await opened(pilot)
        await sees(pilot, "measures how far both are apart, token by token")
        assert "on the answer of B (about 2 min" in flat(pilot) and measurer.journal == []
        await pilot.press("m")
        await sees(pilot, "40 of 60 tokens")
        assert "model 1 of 2 · Q8_0" in flat(pilot) and "left" in flat(pilot) and "m stop measuring" in flat(pilot)
        assert measurer.hold is not None
        measurer.hold.set()
        await wait_until(pilot, lambda: not panel._work.running)
        await wait_until(pilot, lambda: "KL divergence of A from B: 0." in flat(pilot))
        text = flat(pilot)
        assert "over the 12 tokens of B’s answer same top token at 6 of 12, furthest apart at token" in text
        assert "m measure" not in text
        assert "the sky is blue" in text and "differ from word 4" in text
        count = len(measurer.journal)
        await pilot.press("d")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, DiffPanel))
        await pilot.press("d")
        await wait_until(pilot, lambda: "KL divergence of A from B: 0." in flat(pilot))
        await pilot.press("m")
        assert len(measurer.journal) == count, "what is known is not measured again"


async def test_what_takes_a_moment_is_measured_at_once(tmp_path: Path) -> None:
    measurer = ScriptedMeasurer()
    async with measuring(tmp_path, measurer, load_time=0.5).duel(A=LESS, B=LARGE).run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await sees(pilot, "KL divergence of A from B: 0.")
        assert [task for task, _, _ in measurer.journal] == ["tokens", "tokens", "reference", "compare"]
        await pilot.press("escape")
        await say(pilot, "why not")
        await pilot.press("d")
        await wait_until(pilot, lambda: len(measurer.journal) == 8, "another round is measured anew")


@pytest.mark.parametrize("key", ["m", "escape"])
async def test_measuring_stops_on_a_key_and_leaves_nothing(key: str, tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    async with measuring(tmp_path, measurer).duel(A=LESS, B=LARGE).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("m")
        await sees(pilot, "40 of 60 tokens")
        await pilot.press(key)
        await wait_until(pilot, lambda: measurer.closed == 1 and not list(tmp_path.iterdir()))
        if key == "m":
            await sees(pilot, "measures how far both are apart")
            measurer.hold = None
            await pilot.press("m")
            await wait_until(pilot, lambda: "KL divergence of A from B" in flat(pilot))
        else:
            assert not isinstance(pilot.app.screen, DiffPanel)


async def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(failing={SMALL.path: EngineError("the engine died", "ask again")})
    stage = measuring(tmp_path, measurer)
    async with stage.duel(A=LESS, B=LARGE).run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("m")
        await wait_until(pilot, lambda: "The divergence was not measured: the engine died (ask again)" in flat(pilot))
        assert "m tries again" in flat(pilot)
        measurer.failing.clear()
        await pilot.press("m")
        await wait_until(pilot, lambda: "KL divergence of A from B" in flat(pilot))
    other = make_variant("Beta", "Q8_0", architecture="qwen3")
    async with Stage(measures=stage.measures).duel(A=LESS, B=other).run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: "cannot be measured: Beta Q8_0 and Alpha Q4_K_M are not" in flat(pilot))
        assert "m measure" not in flat(pilot)
        await pilot.press("m")
        assert not panel._work.running
    async with Stage().duel(A=LESS, B=LARGE).run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await sees(pilot, "cannot be measured: nothing is measured here")


async def test_while_names_are_hidden_nothing_tells_how_far_apart_they_are(tmp_path: Path) -> None:
    measurer = ScriptedMeasurer()
    async with measuring(tmp_path, measurer, load_time=0.1).duel(A=LESS, B=LARGE).run_test(size=(120, 36)) as pilot:
        await blind(pilot)
        await say(pilot, "why")
        await pilot.press("escape", "d")
        await rested(pilot)
        assert not isinstance(pilot.app.screen, DiffPanel) and measurer.journal == []
        await pilot.press("a")
        await wait_until(pilot, lambda: not arena(pilot)._curtain.down)
        await pilot.press("d")
        await wait_until(pilot, lambda: "KL divergence of A from B" in flat(pilot))


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_text_does_not_move_the_screen(hostile: str, size: tuple[int, int], tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(failing={SMALL.path: EngineError(hostile, hostile)})
    stage = measuring(tmp_path, measurer, load_time=0.1)
    evil = replace(LESS, model=hostile, quant=hostile)
    stage.engine.enqueue(Reply(hostile), variant=evil)
    async with stage.duel(A=evil, B=LARGE).run_test(size=size) as pilot:
        await opened(pilot)
        await sees(pilot, "The divergence was not measured")
        check_screen(pilot)


@pytest.mark.parametrize("theme", [file.name for file in read_themes(Path("/nowhere")) if file.shipped])
async def test_it_can_be_read_in_every_theme(theme: str, tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    stage = measuring(tmp_path, measurer)
    async with stage.duel(A=LESS, B=LARGE, theme=theme).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for key, text in (("", "measures how far"), ("m", "40 of 60 tokens")):
            await pilot.press(*key)
            await sees(pilot, text)
            assert (mixed_colours(pilot) if pilot.app.current_theme.ansi else hard_to_read(pilot)) == set()


def test_words_before_numbers_come() -> None:
    work = DivergenceWork(running=True)
    assert "reading the vocabularies" in divergence_text(EXCHANGE, work).plain
    began = work.after(PassBegan(EXCHANGE.other.variant, 2, 2, False, 0))
    assert divergence_text(EXCHANGE, began).plain == "Divergence · model 2 of 2 · Q2_K · loading…"
    paced = began.after(ExchangeAdvanced(EXCHANGE.other.variant, False, 30, 60, 75.0))
    assert divergence_text(EXCHANGE, paced).plain.endswith("30 of 60 tokens · 1 min 15 s left")
    assert divergence_text(EXCHANGE, paced.after(None)).plain.startswith("m measures how far")


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_how_it_looks(
    size: tuple[int, int], snap_compare: Callable[..., bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KLDS, LESS.path, 0.3)

    async def settle(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await wait_until(pilot, lambda: "KL divergence of A from B" in flat(pilot))
        await wait_until(pilot, lambda: "m measure" not in str(pilot.app.screen.query_one(KeyLine).render()))

    stage = measuring(tmp_path, ScriptedMeasurer(), load_time=0.1)
    assert snap_compare(stage.duel(A=LESS, B=LARGE), terminal_size=size, run_before=settle)
