"""What is kept is said once, with where and how to change it; what cannot be kept stops nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from qtui.core.duel.conversation import DUEL_SAMPLING
from qtui.core.duel.keeper import Conditions, Keeper
from qtui.core.duel.records import SuiteRecord
from qtui.core.duel.run import RoundEnded
from qtui.core.duel.suite.checks import Mark, Number
from qtui.core.duel.suite.score import Result
from qtui.core.duel.suite.task import Suite, Task
from qtui.core.duel.suite_kept import KeptSuite
from qtui.core.duel.suite_run import SuiteBegins, SuiteEnded
from qtui.core.memory.plan import LoadPlan
from qtui.core.settings import Keep
from qtui.services.history import HistoryFile
from qtui.services.rounds import RoundsFile
from tests.core.duel.test_run import BIG, SMALL, World, ending, events_of
from tests.core.duel.test_suite_run import PlainJudge
from tests.fakes import FakeHashes, Reply

T = TypeVar("T")
SUITE = Suite("sums", "Sums", (Task("sum", "logic", "What is 2 + 2?", Number(4)),), digest="d")


class FullDisk(HistoryFile):
    """A history that cannot grow any more once it is full, and that another program writes while it is busy."""

    full = False
    busy = False

    def _work(
        self, work: Callable[[sqlite3.Connection], T], write: bool, empty: Callable[[], T] | None
    ) -> T:  # fmt: skip
        def within(database: sqlite3.Connection) -> T:
            if self.full:
                pages = database.execute("PRAGMA page_count").fetchone()[0]
                database.execute(f"PRAGMA max_page_count = {pages}")
            return work(database)

        if not self.busy:
            return super()._work(within, write, empty)
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            return super()._work(within, write, empty)


async def a_round(text: str = "an answer") -> RoundEnded:
    world = World()
    await world.put()
    world.engine.default = Reply(text)
    return ending(await events_of(world.duel, prompt="Why?"))


@pytest.mark.parametrize(
    ("keep", "what"), [(Keep.ALL, "prompts, answers and numbers"), (Keep.NUMBERS, "numbers, without any text,")]
)
async def test_what_is_kept_is_said_the_first_time_and_never_again(tmp_path: Path, keep: Keep, what: str) -> None:
    told: list[str] = []
    for _ in range(2):  # two starts
        store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
        keeper = Keeper(store, FakeHashes(), World().engine, keep, told.append)
        for _ in range(2):
            await keeper.keep(await keeper.record(await a_round(), DUEL_SAMPLING))
    (line,) = told
    assert line.startswith(what)
    assert str(tmp_path / "history.sqlite3") in line
    assert "history.keep = all, numbers or nothing" in line
    assert "--delete-all" in line


async def test_where_nothing_is_kept_nothing_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
    keeper = Keeper(store, FakeHashes(), World().engine, Keep.NOTHING, told.append)
    await keeper.keep(await keeper.record(await a_round(), DUEL_SAMPLING))
    assert told == []
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_said_once_and_what_was_kept_stays(tmp_path: Path) -> None:
    told: list[str] = []
    file = FullDisk(tmp_path / "history.sqlite3")
    keeper = Keeper(RoundsFile(file), FakeHashes(), World().engine, tell=told.append)
    first = await keeper.record(await a_round(), DUEL_SAMPLING)
    assert await keeper.keep(first)
    file.full = True
    for _ in range(2):
        assert not await keeper.keep(await keeper.record(await a_round("x" * 100_000), DUEL_SAMPLING))
    assert len(told) == 2
    assert told[1].startswith("this is not kept")
    assert "disk is full" in told[1]
    assert [record.id for record in await RoundsFile(HistoryFile(file.path)).rounds()] == [first.id]


async def test_a_run_is_taken_up_only_under_the_same_conditions(tmp_path: Path) -> None:
    store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
    keeper, sides = Keeper(store, FakeHashes(), World().engine), {"A": BIG, "B": SMALL}

    async def begun(**more: object) -> SuiteRecord:
        return await keeper.begin_suite(SUITE, sides, Conditions(DUEL_SAMPLING, **more))  # type: ignore[arg-type]

    first = await begun()
    await keeper.keep_result(first, Result("sum", "logic", "A", Mark(True), "4"))
    assert (await begun()).id == first.id
    others = [
        await begun(system="Be short."),
        await begun(raw=True),
        await begun(plans=dict.fromkeys("AB", LoadPlan(ctx_size=512))),
    ]
    assert len({first.id, *(other.id for other in others)}) == 4
    assert [other.results for other in others] == [()] * 3


async def test_after_a_busy_moment_rounds_are_kept_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtui.services.history.BUSY_S", 0.05)
    told: list[str] = []
    file = FullDisk(tmp_path / "history.sqlite3")
    keeper = Keeper(RoundsFile(file), FakeHashes(), World().engine, tell=told.append)
    records = [await keeper.record(await a_round(), DUEL_SAMPLING) for _ in range(4)]
    kept = [await keeper.keep(records[0])]
    file.busy = True
    kept += [await keeper.keep(record) for record in records[1:3]]
    file.busy = False
    kept.append(await keeper.keep(records[3]))
    assert kept == [True, False, False, True]
    assert [line for line in told[1:] if "in use by another program" in line] == told[1:2] != []
    file.full = True  # another reason is told as well
    assert not await keeper.keep(await keeper.record(await a_round("x" * 100_000), DUEL_SAMPLING))
    assert len(told) == 3
    assert "disk is full" in told[2]


async def test_what_of_a_suite_fell_into_a_busy_moment_is_kept_with_its_next_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtui.services.history.BUSY_S", 0.05)
    file = FullDisk(tmp_path / "history.sqlite3")
    store = RoundsFile(file)
    assert await store.empty()
    await store.keep_round(await Keeper(None, FakeHashes(), World().engine).record(await a_round(), DUEL_SAMPLING))
    keeper = Keeper(store, FakeHashes(), World().engine)
    file.busy = True
    run = await keeper.begin_suite(SUITE, {"A": BIG, "B": SMALL}, Conditions(DUEL_SAMPLING))
    await keeper.keep_result(run, Result("sum", "logic", "A", Mark(True), "4"))
    file.busy = False
    await keeper.keep_result(run, Result("sum", "logic", "B", Mark(False), "5"))
    await keeper.end_suite(run)
    (kept,) = await store.suites()
    assert (kept.id, kept.complete) == (run.id, True)
    assert [(result.side, result.mark.right) for result in kept.results] == [("A", True), ("B", False)]


async def test_what_could_not_be_judged_is_asked_again_when_a_run_is_taken_up(tmp_path: Path) -> None:
    store = RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))
    sides = {"A": BIG, "B": SMALL}
    keeper = Keeper(store, FakeHashes(), World().engine)
    first = await keeper.begin_suite(SUITE, sides, Conditions(DUEL_SAMPLING))
    await keeper.keep_result(first, Result("sum", "logic", "A", Mark(True), "4"))
    await keeper.keep_result(first, Result("sum", "logic", "B", Mark(None, "not answered: its session ended"), ""))
    world = World()
    world.engine.default = Reply("It is 4.")
    await world.put()
    kept = KeptSuite(world.duel, PlainJudge(), keeper)
    begins, *_, ends = [event async for event in kept.run(SUITE, sides, {})]
    await world.duel.close()
    assert isinstance(begins, SuiteBegins)
    assert begins.known == 1
    assert [len(session.requests) for session in world.engine.sessions] == [1]  # A is not asked anything
    assert isinstance(ends, SuiteEnded)
    (taken_up,) = await store.suites()
    assert (taken_up.id, taken_up.complete) == (first.id, True)
    assert {result.side: result.mark.right for result in taken_up.results} == {"A": True, "B": True}
    assert set(ends.results) == set(taken_up.results)
