"""Blind rounds in the Arena: before the vote no widget shows a name, a size or a rate; after it all are shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from qtui.core.duel.ballot import Vote
from qtui.core.duel.blind import Blinding
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.past import PastRounds
from qtui.core.errors import Failure
from qtui.core.memory.speed import Speed
from qtui.core.origin import Origin
from qtui.core.text import GIB
from qtui.services.history import HistoryFile
from qtui.services.reports import keep_report
from qtui.services.rounds import RoundsFile
from qtui.services.suites import SuiteFiles
from qtui.ui.panels.compare import ComparePanel
from qtui.ui.panels.details import DetailsPanel
from qtui.ui.panels.ladder import LadderPanel
from qtui.ui.panels.plan import PlanPanel
from qtui.ui.panels.quantise import QuantisePanel
from qtui.ui.places.arena import ArenaPlace
from qtui.ui.places.ballots import Ballots
from qtui.ui.places.hub import HubPlace
from qtui.ui.places.models import ModelsPlace
from qtui.ui.places.monitor import MonitorPlace
from qtui.ui.side import Phase
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.core.downloads.fake_port import FakeDownloads
from tests.core.quantise.fake_workshop import FakeWorkshop
from tests.fake_hub import FakeHub
from tests.fakes import FakeHashes, FakeSessions, LoadScript, Reply, ScriptedEngine, make_seen
from tests.ui.stage import LARGE, OTHER, SMALL, Stage, arena, screen_lines, screen_text, sees, told, wait_until
from tests.ui.test_arena_place import both_ready
from tests.ui.test_chat import rested, say
from tests.ui.test_pacer import KnownRates
from tests.ui.test_votes import two_answers

TELLING = re.compile(r"Alpha|Beta|Q4_K_M|Q6_K|Q8_0|GiB|MiB|t/s|\d+\.\d|\.gguf|\btok|needs|\d %")
SIZES = [(120, 36), (80, 24)]


def shuffled(monkeypatch: pytest.MonkeyPatch, *swapped: bool) -> None:
    drawn = iter(swapped)
    monkeypatch.setattr(Blinding, "draw", staticmethod(lambda: Blinding(next(drawn))))


def rendered(pilot: Pilot[None]) -> Iterator[tuple[str, str]]:
    """Give what every widget of every screen on the stack draws, hidden or not shown in full."""
    for screen in pilot.app.screen_stack:
        for widget in screen.walk_children(Widget):
            if widget.display and widget.size.area:
                lines = widget.render_lines(widget.size.region)
                text = "\n".join("".join(segment.text for segment in strip) for strip in lines)
                yield repr(widget), text
                yield repr(widget), f"{widget.border_title or ''} {widget.border_subtitle or ''} {widget.tooltip or ''}"
    for notice in pilot.app._notifications:
        yield "notice", notice.message
    yield "screen", screen_text(pilot)


def nothing_tells(pilot: Pilot[None]) -> None:
    for where, text in rendered(pilot):
        assert not TELLING.search(text), (where, text)


async def blind(pilot: Pilot[None]) -> None:
    await both_ready(pilot)
    await pilot.press("escape", "n")
    await wait_until(pilot, lambda: arena(pilot)._curtain.down and pilot.app._vitals.covered)  # type: ignore[attr-defined]


def busy_stage() -> Stage:
    seen = [
        make_seen("1", "Alpha Q4_K_M", rate=41.2), make_seen("2", "Alpha Q8_0", rate=22.2)
    ]  # fmt: skip
    return Stage(sessions=FakeSessions(*seen))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("swapped", [False, True])
async def test_before_the_vote_nothing_tells_and_after_it_everything_is_shown(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], swapped: bool
) -> None:
    shuffled(monkeypatch, swapped)
    stage = busy_stage()
    hold = asyncio.Event()
    stage.engine.enqueue(Reply("the small one", generation_rate=41.2, warnings=("Q4_K_M warns",)), variant=SMALL)
    stage.engine.enqueue(Reply("the large one", generation_rate=22.2, hold=hold), variant=LARGE)
    async with stage.duel().run_test(size=size, notifications=True) as pilot:
        await blind(pilot)
        nothing_tells(pilot)
        await pilot.press("i", *"why", "enter")
        await wait_until(pilot, lambda: ("ask", "Q8_0") in stage.engine.journal, "B is asked")
        await sees(pilot, "both answers are shown once both are complete")
        assert "small" not in screen_text(pilot)  # A has answered long ago
        nothing_tells(pilot)
        hold.set()
        await rested(pilot)
        await sees(pilot, "the large one")
        nothing_tells(pilot)
        await look_around(pilot)
        line = next((line for line in screen_lines(pilot) if "the small one" in line), screen_text(pilot))
        assert (line.index("the large one") < line.index("the small one")) is swapped
        head = next(line for line in screen_lines(pilot) if "name hidden" in line)
        assert head.index("left") < head.index("right")
        await pilot.press("a")
        left, quant = ("B", "Q8_0") if swapped else ("A", "Q4_K_M")
        await told(pilot, f"1 of 1 for {left} {quant}")
        await sees(pilot, "41.2 t/s")
        await sees(pilot, "22.2 t/s")
        text = screen_text(pilot)
        assert (text.index("22.2 t/s") < text.index("41.2 t/s")) is swapped
        assert ("blind from the next prompt on" if size[0] == 120 else "blind next") in text


async def look_around(pilot: Pilot[None]) -> None:
    """Press what could tell, and look at Monitor and at the question before quitting."""
    for key in ("d", "z", "A", "B", "F", "t", "y", "z", "p"):
        await pilot.press(key)
        nothing_tells_of_sides(pilot) if key == "p" else nothing_tells(pilot)
    await pilot.press("escape", "4")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, MonitorPlace))
    await sees(pilot, "hidden while a blind round is open")
    nothing_tells(pilot)
    await pilot.press("enter", "s", "t", "3")
    await wait_until(pilot, lambda: not isinstance(pilot.app.screen, MonitorPlace))
    nothing_tells(pilot)


def nothing_tells_of_sides(pilot: Pilot[None]) -> None:
    """The Plan panel knows sizes of the machine, and no side."""
    for where, text in rendered(pilot):
        assert not re.search(r"Alpha|Q4_K_M|Q8_0|t/s", text), (where, text)


OF_A_SIDE = re.compile(r"Alpha|Q4_K_M|Q8_0|t/s|41\.2|22\.2|40\.0|\bA better|answer of [AB]")
"""What would tell in a panel that is not about files."""
OF_THE_ROUND = re.compile(r"\bloaded\b|41\.2|22\.2|40\.0|t/s|answering|\b[AB]\W? (?:Alpha|Q4_K_M|Q8_0)")
"""What would tell where files are looked at, by their names."""


def nothing_tells_of_the_round(pilot: Pilot[None], telling: re.Pattern[str] = OF_THE_ROUND) -> None:
    """No row is marked with a side, none is loaded or has a rate that was measured; nobody's pane is named."""
    for where, text in rendered(pilot):
        assert not telling.search(text), (where, text)
    for screen in pilot.app.screen_stack:
        for found in screen.query(GroupedTable):
            assert not [row.key for row in found.rows if {*row.mark} & {"A", "B"}]


PANELS = {
    "o": DetailsPanel, "c": ComparePanel, "l": LadderPanel, "p": PlanPanel, "Q": QuantisePanel,
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
async def test_no_place_and_no_panel_tells_of_an_open_round(tmp_path: Path, size: tuple[int, int]) -> None:
    """Names of files stand where files are looked at; what stands on a side, is loaded or was measured does not."""
    stage = busy_stage()
    stage.forecast = KnownRates({path: Speed(22.2, Origin.MEASURED) for path in (SMALL.path, LARGE.path)})
    stage.past = PastRounds(RoundsFile(HistoryFile(tmp_path / "h.sqlite3")), stage.library, keep_report)
    stage.suites, stage.hub, stage.downloads = SuiteFiles(tmp_path), FakeHub(), FakeDownloads()
    stage.workshop = FakeWorkshop()
    two_answers(stage, 2)
    async with stage.duel().run_test(size=size, notifications=True) as pilot:
        await both_ready(pilot)
        await say(pilot, "first")  # rates are measured and shown in Models before names are hidden
        await pilot.press("1")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))
        await sees(pilot, "loaded")
        await sees(pilot, "22.2")  # as it is on record, which is what every other panel tells
        await pilot.press("3")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await pilot.press("n")
        await say(pilot, "why")
        await wait_until(pilot, lambda: arena(pilot)._curtain.down and arena(pilot)._ballots.open)
        nothing_tells(pilot)
        for key in ("question_mark", "comma", "w", "s", "ctrl+p"):
            await pilot.press(key)
            await wait_until(pilot, lambda: not isinstance(pilot.app.screen, ArenaPlace))
            nothing_tells_of_the_round(pilot, OF_A_SIDE)
            await pilot.press("escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await pilot.press("h")
        await told(pilot, "A blind round is open")
        await pilot.press("1")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))
        await sees(pilot, "Q8_0")
        for _ in range(3):
            nothing_tells_of_the_round(pilot)
            assert "40.0" not in screen_text(pilot)
            await pilot.press("s")  # sorted by what is hidden, too
            await pilot.press("j")
        await pilot.press("g")
        for key, kind in PANELS.items():
            await pilot.press(key)
            await wait_until(pilot, lambda kind=kind: isinstance(pilot.app.screen, kind))  # type: ignore[misc]
            nothing_tells_of_the_round(pilot)
            assert "40.0" not in screen_text(pilot)
            await pilot.press("escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))
        for key in ("V", "F", "M"):  # rates and what was measured: not while a round is open
            pilot.app.clear_notifications()
            await pilot.press(key)
            await told(pilot, "A blind round is open")
            assert isinstance(pilot.app.screen, ModelsPlace)
        await pilot.press("2")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, HubPlace))
        nothing_tells_of_the_round(pilot)
        await pilot.app.run_action("go('monitor')")
        await sees(pilot, "hidden while a blind round is open")
        nothing_tells(pilot)
        await pilot.press("3")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await pilot.press("a")
        await sees(pilot, "t/s")
        await pilot.press("1")
        await sees(pilot, "loaded")
        await sees(pilot, "22.2")  # and everything is there again


async def test_the_question_before_quitting_names_nobody() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("half of it", hold=asyncio.Event()), variant=SMALL)
    async with stage.duel().run_test(size=(100, 30)) as pilot:
        await blind(pilot)
        await pilot.press("i", *"why", "enter")
        await wait_until(pilot, lambda: ("ask", "Q4_K_M") in stage.engine.journal)
        await pilot.press("ctrl+q")
        await sees(pilot, "A blind round is being answered")
        nothing_tells(pilot)
        await pilot.press("escape")


async def test_each_vote_ends_the_conversation_and_the_next_is_shuffled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shuffled(monkeypatch, True, False)
    stage = Stage()
    two_answers(stage, 3)
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await blind(pilot)
        await say(pilot, "why")
        await say(pilot, "and then")  # no vote: the same conversation, the same shuffle
        assert [len(session.requests[-1].messages) for session in stage.engine.sessions] == [3, 3]
        nothing_tells(pilot)
        await pilot.press("b")
        await told(pilot, f"1 of 1 for A {SMALL.quant}")
        await wait_until(pilot, lambda: "t/s" in screen_text(pilot))
        await say(pilot, "anew")
        nothing_tells(pilot)
        assert "why" not in screen_text(pilot)
        assert [len(session.requests[-1].messages) for session in stage.engine.sessions] == [1, 1]
        await pilot.press("b")
        await told(pilot, "1 vote each")


async def test_identical_answers_are_recorded_and_ask_for_no_vote(tmp_path: Path) -> None:
    stage = Stage()
    store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await blind(pilot)
        arena(pilot)._ballots = Ballots(Keeper(store, FakeHashes(), ScriptedEngine()))
        await say(pilot, "why")
        await told(pilot, "The answers are identical")
        await sees(pilot, "Q4_K_M")
        await wait_until(pilot, lambda: not any(worker.group == "ballots" for worker in pilot.app.workers))
        kept = await store.rounds()
        assert [(record.vote, record.blind) for record in kept] == [(Vote.IDENTICAL, True)]


async def test_a_refusal_names_nobody_until_names_are_shown() -> None:
    stage = Stage()
    async with stage.duel().run_test(size=(100, 30), notifications=True) as pilot:
        await blind(pilot)
        failure = Failure("Alpha Q8_0 needs 2.1 GiB", "a smaller one", "engine")
        stage.engine.enqueue(Reply("", failure=failure), variant=LARGE)
        await say(pilot, "why")
        await told(pilot, "r asks again, n shows names")
        nothing_tells(pilot)
        await pilot.press("a")  # there is nothing to vote on
        assert arena(pilot)._curtain.down
        await pilot.press("n")
        await sees(pilot, "needs 2.1 GiB")
        await sees(pilot, "a b c")
        assert arena(pilot).panes.sides["B"].phase is Phase.FAILED


async def test_a_round_that_is_stopped_can_be_asked_again() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("half of it", hold=asyncio.Event()), Reply("whole"), variant=SMALL)
    async with stage.duel().run_test(size=(100, 30), notifications=True) as pilot:
        await blind(pilot)
        await pilot.press("i", *"why", "enter")
        await wait_until(pilot, lambda: ("ask", "Q4_K_M") in stage.engine.journal)
        await pilot.press("escape")
        await rested(pilot)
        nothing_tells(pilot)
        await pilot.press("escape", "r")
        await sees(pilot, "whole")
        await rested(pilot)
        assert "half" not in screen_text(pilot)
        nothing_tells(pilot)


async def test_names_can_be_hidden_while_a_side_still_loads_and_shown_while_it_answers() -> None:
    stage = Stage()
    hold, answering = asyncio.Event(), asyncio.Event()
    stage.engine.loads[LARGE.path] = LoadScript(hold=hold)
    stage.engine.enqueue(Reply("half of it", hold=answering), variant=SMALL)
    async with stage.duel().run_test(size=(100, 30)) as pilot:
        await sees(pilot, "loading 50 %")
        await pilot.press("escape", "escape", "n")
        stage.engine.loads.clear()
        await rested(pilot)
        await wait_until(pilot, lambda: pilot.app._vitals.covered)  # type: ignore[attr-defined]
        nothing_tells(pilot)
        await pilot.press("i", *"why", "enter")
        await wait_until(pilot, lambda: ("ask", "Q4_K_M") in stage.engine.journal)
        await pilot.press("tab", "n")
        await sees(pilot, "half")
        await sees(pilot, "waits for A")
        answering.set()
        await rested(pilot)
        await sees(pilot, "Q8_0")


async def test_one_side_has_nothing_to_hide_and_a_talk_is_not_dropped() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(100, 30)) as pilot:
        await say(pilot, "why")
        await pilot.press("escape", "n")
        await told(pilot, "put a second model on one first")
    stage = Stage()
    two_answers(stage)
    async with stage.duel().run_test(size=(100, 30)) as pilot:
        await say(pilot, "why")
        await pilot.press("n")
        await told(pilot, "begins a new conversation")
        assert "t/s" in screen_text(pilot)
        await pilot.press("n")
        await wait_until(pilot, lambda: "blind" not in screen_text(pilot))


async def test_another_variant_on_a_side_shows_names_and_ends_the_round() -> None:
    stage = Stage()
    two_answers(stage)
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await blind(pilot)
        await say(pilot, "why")
        assert arena(pilot)._ballots.open
        await arena(pilot).show_sides({"A": LARGE, "B": SMALL})
        await rested(pilot)
        await sees(pilot, "Q8_0")
        assert not arena(pilot)._curtain.down
        assert not arena(pilot)._ballots.open


@pytest.mark.parametrize("size", SIZES)
async def test_sides_that_answer_in_turn_tell_nothing_either(size: tuple[int, int]) -> None:
    """Both do not fit at once: one is unloaded and the other loaded within the round, which metric lines would tell."""
    stage = busy_stage()
    stage.machine.set(available=9 * GIB // 2)
    hold = asyncio.Event()
    async with stage.duel(A=LARGE, B=OTHER).run_test(size=size, notifications=True) as pilot:
        await rested(pilot)
        await pilot.press("escape", "n")
        await wait_until(pilot, lambda: pilot.app._vitals.covered)  # type: ignore[attr-defined]
        stage.engine.loads[OTHER.path] = LoadScript(hold=hold)
        stage.engine.enqueue(Reply("one thing"), variant=LARGE)
        await pilot.press("i", *"why", "enter")
        await wait_until(pilot, lambda: stage.engine.journal.count(("load", OTHER.quant)) > 0, "B is loaded")
        nothing_tells(pilot)
        hold.set()
        await rested(pilot)
        await sees(pilot, "one thing")
        nothing_tells(pilot)
        assert ("close", LARGE.quant) in stage.engine.journal
        await pilot.press("x")
        await told(pilot, "1 round where both were bad")
        await sees(pilot, "in turn")
        assert not arena(pilot)._curtain.down
