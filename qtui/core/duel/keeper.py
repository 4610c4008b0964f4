"""Keeps rounds, votes and suites in the history, as much of them as the user wants. A verb and the Arena use the same.

A history that cannot be written stops no duel: the reason is told once, and the next thing is tried all the same. What
could not be kept of a suite's run is kept with its next result.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from qtui.core.duel.ballot import Vote
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.records import (
    Party,
    RoundRecord,
    SuiteRecord,
    new_id,
    round_sides,
    round_token,
    sampling_json,
    without_text,
)
from qtui.core.duel.run import RoundEnded
from qtui.core.duel.storage import Hashes, Rounds
from qtui.core.duel.suite.score import Result
from qtui.core.duel.suite.task import Suite
from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Engine
from qtui.core.settings import Keep
from qtui.core.text import clean_name

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must be the same for a suite's run to be taken up, beside files, suite and build."""

    sampling: Sampling
    system: str = ""
    raw: bool = False
    plans: Mapping[str, LoadPlan] = field(default_factory=dict)
    """How each side is to be loaded."""

    def as_json(self) -> dict[str, Any]:
        """Return the sampling as a record holds it, with what else was asked for."""
        return {
            **sampling_json(self.sampling),
            **({"system": self.system} if self.system else {}),
            **({"raw": True} if self.raw else {}),
        }  # fmt: skip


class Keeper:
    """Writes what happens in duels.

    Args:
        rounds: where it is kept; None: nowhere.
        tell: called with a sentence: where things are kept, when that is done for the first time, and why something
            was not, unless the reason is the one that was told last.
    """

    def __init__(
        self, rounds: Rounds | None, hashes: Hashes, engine: Engine, keep: Keep = Keep.ALL,
        tell: Callable[[str], object] = lambda _line: None,
    ) -> None:  # fmt: skip
        self._rounds = rounds if keep is not Keep.NOTHING else None
        self._hashes = hashes
        self._engine = engine
        self._keep = keep
        self.tell = tell
        """Whom to tell; the app takes the place of the terminal."""
        self._told = False
        self.problem = ""
        """Why something was not kept, as it was told last; empty where all was."""
        self._owed: dict[str, list[Callable[[], Awaitable[None]]]] = {}
        """By the id of a suite's run: what could not be kept of it yet, oldest first."""

    @property
    def keeps(self) -> bool:
        """Tell whether anything is kept."""
        return self._rounds is not None

    async def record(
        self, ended: RoundEnded, sampling: Sampling, *, system: str = "", blind: bool = False, vote: Vote | None = None
    ) -> RoundRecord:
        """Return a round as a record, without keeping it."""
        digests = {side.side: await self._hashes.hash(side.variant) for side in ended.sides}
        info = await self._engine.info()
        loads = [side.loaded for side in ended.sides if side.loaded is not None]
        names = dict.fromkeys(str(load.plan.get("engine") or info.name) for load in loads) or {info.name: None}
        builds = dict.fromkeys(load.build or info.build for load in loads) or {info.build: None}
        return RoundRecord(
            new_id(), time.time(), ended.prompt, ended.mode.value, sampling_json(sampling), system or None,
            clean_name(" / ".join(names), 400), clean_name(" / ".join(builds), 400), round_sides(ended, digests), blind,
            vote, round_token(ended),
        )  # fmt: skip

    async def keep(self, record: RoundRecord) -> bool:
        """Keep a round; tell whether it is kept."""
        if self._rounds is None or not any(side.finish_reason for side in record.sides):
            return False
        rounds = self._rounds
        await self._greet(rounds)
        kept = without_text(record) if self._keep is Keep.NUMBERS else record
        return await self._try(lambda: rounds.keep_round(kept)) is not None

    async def vote(self, round_id: str, vote: Vote) -> None:
        """Keep the vote on a round that is kept."""
        if self._rounds is not None:
            rounds = self._rounds
            await self._try(lambda: rounds.keep_vote(round_id, vote))

    async def begin_suite(self, suite: Suite, sides: Mapping[str, Variant], conditions: Conditions) -> SuiteRecord:
        """Return the record of a suite's run: the last one that was not complete, where all is as it was, or a new one.

        Results of the old one that could not be judged are left out: they are asked for again.
        """
        wanted = {side: plan.as_json() for side, plan in conditions.plans.items()}
        parties = tuple(
            [
                Party.of(side, variant, await self._hashes.hash(variant), wanted.get(side))
                for side, variant in sorted(sides.items())
            ]
        )
        info = await self._engine.info()
        fresh = SuiteRecord(
            new_id(), time.time(), suite.name, suite.digest, len(suite.tasks), conditions.as_json(), info.name,
            info.build, parties,
        )  # fmt: skip
        if self._rounds is None:
            return fresh
        rounds = self._rounds
        open_run = await self._try(lambda: rounds.open_suite(fresh.key))
        if open_run:
            judged = tuple(result for result in open_run[0].results if result.mark.right is not None)
            return replace(open_run[0], results=judged)
        await self._greet(rounds)
        await self._in_order(fresh, lambda: rounds.begin_suite(fresh))
        return fresh

    async def keep_result(self, run: SuiteRecord, result: Result) -> None:
        """Keep one result."""
        if self._rounds is not None:
            rounds, text = self._rounds, self._keep is Keep.ALL
            await self._in_order(run, lambda: rounds.keep_result(run.id, result, text=text))

    async def end_suite(self, run: SuiteRecord) -> None:
        """Say that a run is complete: it is not taken up again."""
        if self._rounds is not None:
            rounds = self._rounds
            await self._in_order(run, lambda: rounds.end_suite(run.id))
            self._owed.pop(run.id, None)

    async def _greet(self, rounds: Rounds) -> None:
        """Say where things are kept, the first time that anything is."""
        if self._told:
            return
        self._told = True
        empty = await self._try(rounds.empty)
        if empty:
            what = "prompts, answers and numbers" if self._keep is Keep.ALL else "numbers, without any text,"
            self.tell(
                f"{what} are kept in {rounds.place}; the setting history.keep = all, numbers or nothing says how much, "
                "and qtui history --delete-all removes it"
            )

    async def _in_order(self, run: SuiteRecord, work: Callable[[], Awaitable[None]]) -> None:
        """Do what is owed to a run, then this; what fails is owed, and all after it."""
        owed = self._owed.setdefault(run.id, [])
        owed.append(work)
        while owed and await self._done(owed[0]):
            del owed[0]

    async def _done(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do it; tell whether it is done."""

        async def doing() -> bool:
            await work()
            return True

        return await self._try(doing) is True

    async def _try(self, work: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await work()
        except QtuiError as error:
            problem = f"this is not kept: {error.message}"
            if problem != self.problem:
                self.problem = problem
                self.tell(problem)
            return None
