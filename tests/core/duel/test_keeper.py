"""What is kept is said once, with where and how to change it; what cannot be kept stops nothing."""

from __future__ import annotations

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
from qtui.core.memory.plan import LoadPlan
from qtui.core.settings import Keep
from qtui.services.history import HistoryFile
from qtui.services.rounds import RoundsFile
from tests.core.duel.test_run import BIG, SMALL, World, ending, events_of
from tests.fakes import FakeHashes, Reply

T = TypeVar("T")
SUITE = Suite("sums", "Sums", (Task("sum", "logic", "What is 2 + 2?", Number(4)),), digest="d")


class FullDisk(HistoryFile):
    """A history that cannot grow any more once it is full."""

    full = False

    def _work(
        self, work: Callable[[sqlite3.Connection], T], write: bool, empty: Callable[[], T] | None
    ) -> T:  # fmt: skip
        def within(database: sqlite3.Connection) -> T:
            if self.full:
                pages = database.execute("PRAGMA page_count").fetchone()[0]
                database.execute(f"PRAGMA max_page_count = {pages}")
            return work(database)

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
