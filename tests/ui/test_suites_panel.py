"""The Suites panel: what there is, a run on both sides with its progress, stopped and taken up, and what it says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.duel.keeper import Keeper
from qtui.core.duel.past import PastRounds
from qtui.core.duel.suite.checks import Check, Mark
from qtui.core.duel.suite.judging import judge
from qtui.core.errors import Failure
from qtui.services.history import HistoryFile
from qtui.services.reports import keep_report
from qtui.services.rounds import RoundsFile
from qtui.services.suites import SuiteFiles
from qtui.ui.panels.suites import SuitesPanel
from qtui.ui.places.arena import ArenaPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.fakes import FakeHashes, Reply, ScriptedEngine
from tests.ui.readable import hard_to_read, mixed_colours
from tests.ui.stage import LARGE, SMALL, Stage, arena, field_of, screen_text, sees, told, wait_until
from tests.ui.test_arena_place import both_ready
from tests.ui.test_blind import blind
from tests.ui.test_chat import rested, say
from tests.ui.test_hostile import HOSTILE, check_screen
from tests.ui.test_panels_readable import THEMES

SIZES = [(120, 36), (80, 24)]
TASKS = 8
MINE = "".join(f'[[task]]\nid = "sum {n}"\nprompt = "What is {n} + {n}?"\nnumber = {2 * n}\n' for n in range(TASKS))
WRONG = (
    'title = "Wrong"\n[[task]]\nid = "a"\nprompt = "x"\nnumber = "five"\n[[task]]\nid = "b"\nprompt = "x"\nnumber = 5\n'
)


class PlainJudge:
    """Judges in this process."""

    async def judge(self, check: Check, answer: str) -> Mark:
        return judge(check, answer)


def staged(folder: Path, **files: str) -> Stage:
    """Return a stage with suites of the user's and a history."""
    own = folder / "suites"
    own.mkdir()
    for name, body in (files or {"mine": 'title = "Sums of mine"\n' + MINE}).items():
        (own / f"{name}.toml").write_text(body)
    stage = Stage()
    store = RoundsFile(HistoryFile(folder / "history.sqlite3"))
    stage.suites, stage.judge = SuiteFiles(own), PlainJudge
    stage.keeper = Keeper(store, FakeHashes(), ScriptedEngine())
    stage.past = PastRounds(store, stage.library, keep_report)
    return stage


def answers(stage: Stage, *, hold: asyncio.Event | None = None, after: int = TASKS) -> None:
    """Let A be right and B be wrong; `hold` stops both before the answer of that number."""
    for number in range(TASKS):
        wait = hold if number == after else None
        stage.engine.enqueue(Reply(f"it is {2 * number}", hold=wait), variant=SMALL)
        stage.engine.enqueue(Reply("no idea", hold=wait), variant=LARGE)


async def opened(pilot: Pilot[None]) -> SuitesPanel:
    await both_ready(pilot)
    await pilot.press("escape", "s")
    return await panel(pilot)


async def panel(pilot: Pilot[None]) -> SuitesPanel:
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, SuitesPanel) and pilot.app.screen._listed)
    assert isinstance(pilot.app.screen, SuitesPanel)
    return pilot.app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_suites_are_listed_and_one_is_run_with_its_result(tmp_path: Path, size: tuple[int, int]) -> None:
    stage = staged(tmp_path)
    answers(stage)
    async with stage.duel().run_test(size=size) as pilot:
        shown = await opened(pilot)
        names = [row.key for row in shown.query_one(GroupedTable).rows]
        assert (names[0], names[-1]) == ("mine", "all")
        assert {"logic", "demo", "russian"} < set(names)
        await sees(pilot, "Sums of mine")
        await sees(pilot, "mine 8")
        await sees(pilot, "not run yet: enter puts its tasks to A Alpha Q4_K_M and B Alpha Q8_0")
        await pilot.press("enter")
        await sees(pilot, "A is better")
        text = screen_text(pilot)
        for part in ("10.0", "0.0", "mine on A Alpha Q4_K_M and B Alpha Q8_0", "McNemar"):
            assert part in text, part
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await pilot.press("s")  # what it said is still there
        await panel(pilot)
        await sees(pilot, "A is better")


async def test_a_run_goes_on_behind_the_closed_panel_is_stopped_and_taken_up(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    hold = asyncio.Event()
    answers(stage, hold=hold, after=3)
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "6 of 16 results")
        await sees(pilot, "left")
        await pilot.press("enter")
        await told(pilot, "mine is being run: x stops it")
        await pilot.press("escape")
        await sees(pilot, "suite mine · 6 of 16 results")
        await pilot.press("i", *"why", "enter")
        await told(pilot, "The suite mine is being run")
        assert not [s for s in stage.engine.sessions for r in s.requests if "why" in str(r.messages)]
        assert [one.what for one in arena(pilot).running()] == ["The suite mine is run on both sides"]
        await pilot.press("escape")  # stops it
        await told(pilot, "mine has ended")
        await rested(pilot)
        await pilot.press("escape", "s")
        await panel(pilot)
        await sees(pilot, "stopped after 6 of 16 results")
        for variant, said in ((SMALL, "it is {}"), (LARGE, "no idea")):
            while stage.engine.next_reply(variant) is not stage.engine.default:
                pass  # what was left of the script
            for number in range(3, TASKS):
                stage.engine.enqueue(Reply(said.format(2 * number)), variant=variant)
        await pilot.press("enter")
        await sees(pilot, "A is better")
        asked = [r.messages[0].content for s in stage.engine.sessions for r in s.requests]
        assert asked.count("What is 0 + 0?") == 2  # not again
        await pilot.press("enter")  # what is complete is begun anew
        await sees(pilot, "too hard to tell")


async def test_the_conversation_is_afterwards_what_it_was(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    stage.engine.enqueue(Reply("first of A"), variant=SMALL)
    stage.engine.enqueue(Reply("first of B"), variant=LARGE)
    answers(stage)
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await say(pilot, "hello")
        await pilot.press("s")
        await panel(pilot)
        await pilot.press("enter")
        await sees(pilot, "A is better")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await sees(pilot, "first of A")
        assert "it is 4" not in screen_text(pilot)
        await say(pilot, "and now")
        last = stage.engine.sessions[0].requests[-1]
        assert [message.content for message in last.messages] == ["hello", "first of A", "and now"]


async def test_a_side_that_cannot_be_loaded_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    died = Failure("its session died", "load it again", "engine")
    stage.engine.enqueue(*[Reply(failure=died, fatal=True)] * 3, variant=LARGE)
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "1 not judged")  # died three times; the rest was run


async def test_what_is_wrong_with_a_file_is_named_with_line_and_key(tmp_path: Path) -> None:
    stage = staged(tmp_path, broken=WRONG, torn="title = [", empty="title = 'Nothing'\n")
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        shown = await opened(pilot)
        await sees(pilot, "1 problem: Wrong")
        await sees(pilot, "left out: line 5: task a: number")
        await sees(pilot, str(tmp_path / "suites")[:40])
        shown.query_one(GroupedTable).move_to_key("torn")
        await sees(pilot, "line 1")
        await pilot.press("enter")
        await told(pilot, "torn has no task that can be used")
        shown.query_one(GroupedTable).move_to_key("empty")
        await pilot.press("enter")
        await told(pilot, "empty has no task that can be used")


async def test_without_two_sides_it_says_how_to_get_there(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace) and field_of(pilot))
        await pilot.press("escape", "s")
        await panel(pilot)
        await sees(pilot, "Put a model on each side first")
        await pilot.press("enter")
        await told(pilot, "Put a model on each side first")


async def test_while_names_are_hidden_nothing_is_run_and_nobody_named(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    async with stage.duel().run_test(size=(100, 30)) as pilot:
        await blind(pilot)
        await pilot.press("s")
        await panel(pilot)
        await pilot.press("enter")
        await told(pilot, "A blind round is open")
        assert "Alpha" not in screen_text(pilot)
        await pilot.press("escape", "n", "s")
        await panel(pilot)


async def test_without_suites_that_is_said() -> None:
    async with Stage().duel().run_test(size=(100, 30)) as pilot:
        await both_ready(pilot)
        await pilot.press("escape", "s")
        await told(pilot, "There are no suites here")


async def test_a_kept_run_is_shown_after_a_start(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    answers(stage)
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "A is better")
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await sees(pilot, "last run")
        await sees(pilot, "A is better")


async def test_hostile_texts(tmp_path: Path) -> None:
    texts = [text.replace("\ud800", "") for text in HOSTILE.values()]
    body = "".join(
        f"[[task]]\nid = {n}\nprompt = 'x'\nnumber = 1\n"
        "[[task]]\nid = "
        + json.dumps(text[:200])
        + "\nprompt = 'x'\nnumber = 1\ngroup = "
        + json.dumps(text[:200])
        + "\n"
        for n, text in enumerate(texts)
    )
    stage = staged(tmp_path, mine=body)
    stage.engine.default = Reply("1")
    async with stage.duel().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        check_screen(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: not pilot.app._suite.running)  # type: ignore[attr-defined]
        check_screen(pilot)
        await pilot.resize_terminal(120, 36)
        await pilot.press("pagedown")
        check_screen(pilot)


@pytest.mark.parametrize("theme", THEMES)
async def test_it_can_be_read_in_every_theme(tmp_path: Path, theme: str) -> None:
    stage = staged(tmp_path, broken=WRONG, mine=MINE)
    answers(stage)
    app = stage.duel(theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await opened(pilot)
        await sees(pilot, "left out")
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()
        shown.query_one(GroupedTable).move_to_key("mine")
        await pilot.press("enter")
        await sees(pilot, "A is better")
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()
