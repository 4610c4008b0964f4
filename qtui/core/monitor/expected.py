"""What rates sessions should reach: what was measured of their variant under their plan before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.monitor.remedies import plan_of
from qtui.core.ports import Library
from qtui.core.sessions import SessionSeen, SessionState


class Expected:
    """Asks once for each session, when its model is loaded; a rate that nobody measured is not expected.

    Nobody waits for the answers: a sample must not be late because a file lies on a slow disk.

    Args:
        library: knows the files.
        rate: returns the tokens per second measured of a variant under a plan, None where none is kept.
    """

    def __init__(self, library: Library, rate: Callable[[Variant, LoadPlan], Awaitable[float | None]]) -> None:
        self._library = library
        self._rate = rate
        self._asked: dict[str, asyncio.Task[float | None]] = {}

    @property
    def rates(self) -> Mapping[str, float]:
        """Return the expected rates that are known by now, by the id of the session."""
        done = {key: task.result() for key, task in self._asked.items() if task.done() and not task.cancelled()}
        return {key: rate for key, rate in done.items() if rate is not None}

    def learn(self, sessions: Sequence[SessionSeen]) -> None:
        """Begin to ask for the sessions that are new, and forget those that are gone."""
        there = {seen.record.id: seen for seen in sessions if seen.record.state is not SessionState.LOADING}
        for key in self._asked.keys() - there.keys():
            self._asked.pop(key).cancel()
        for key in there.keys() - self._asked.keys():
            self._asked[key] = asyncio.create_task(self._ask(there[key]))

    async def settle(self) -> None:
        """Wait until everything that was asked is answered."""
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _ask(self, seen: SessionSeen) -> float | None:
        plan = plan_of(seen)
        if plan is None:
            return None
        try:
            return await self._rate(await self._library.find(seen.record.path), plan)
        except QtuiError:
            return None
