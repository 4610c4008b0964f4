"""A suite's run that is kept: taken up where it was left, each result kept as it comes. A verb and the Arena use it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

from qtui.core.duel.keeper import Conditions, Keeper
from qtui.core.duel.records import SuiteRecord
from qtui.core.duel.run import Duel
from qtui.core.duel.suite.checks import Judge
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite_run import SuiteEnded, SuiteEvent, SuiteRun, TaskMarked
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan


class KeptSuite:
    """One run of a suite on the sides of a duel.

    Args:
        keeper: keeps what is judged; None: nothing is kept, and nothing can be taken up.
        raw: every prompt is continued as it is, also by a model with a chat template.
    """

    def __init__(self, duel: Duel, judges: Judge, keeper: Keeper | None, *, raw: bool = False) -> None:
        self._duel = duel
        self._judges = judges
        self._keeper = keeper
        self._raw = raw
        self.record: SuiteRecord | None = None
        """The run as it is kept; None before it began and where nothing is kept."""

    async def run(
        self, suite: Suite, sides: Mapping[str, Variant], plans: Mapping[str, LoadPlan]
    ) -> AsyncGenerator[SuiteEvent, None]:
        """Yield the events of `SuiteRun.run`; what was judged before under the same conditions is not asked again."""
        record = None
        if self._keeper is not None:
            conditions = Conditions(self._duel.sampling, self._duel.system, self._raw, plans)
            record = await self._keeper.begin_suite(suite, sides, conditions)
        self.record = record
        events = SuiteRun(self._duel, self._judges, raw=self._raw).run(suite, record.results if record else ())
        async with aclosing(events):
            async for event in events:
                if isinstance(event, TaskMarked) and self._keeper is not None and record is not None:
                    await self._keeper.keep_result(record, event.result)
                elif isinstance(event, SuiteEnded) and self._keeper is not None and record is not None:
                    complete = not event.stopped and event.failure is None
                    if complete:
                        await self._keeper.end_suite(record)
                    self.record = replace(record, results=event.results, complete=complete)
                yield event
