"""What rates sessions should reach: what was measured of their variant under their plan before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.monitor.remedies import plan_of
from qtui.core.ports import Library
from qtui.core.sessions import SessionSeen, SessionState


class Expected:
    """Asks once for each session, when its model is loaded; a rate that nobody measured is not expected.

    Args:
        library: knows the files.
        rate: returns the tokens per second measured of a variant under a plan, None where none is kept.
    """

    def __init__(self, library: Library, rate: Callable[[Variant, LoadPlan], Awaitable[float | None]]) -> None:
        self._library = library
        self._rate = rate
        self._known: dict[str, float | None] = {}

    @property
    def rates(self) -> Mapping[str, float]:
        """Return the expected rates by the id of the session."""
        return {key: rate for key, rate in self._known.items() if rate is not None}

    async def learn(self, sessions: Sequence[SessionSeen]) -> None:
        """Ask for the sessions that are new, and forget those that are gone."""
        there = {seen.record.id: seen for seen in sessions if seen.record.state is not SessionState.LOADING}
        self._known = {key: rate for key, rate in self._known.items() if key in there}
        for key in there.keys() - self._known.keys():
            self._known[key] = await self._ask(there[key])

    async def _ask(self, seen: SessionSeen) -> float | None:
        plan = plan_of(seen)
        if plan is None:
            return None
        try:
            return await self._rate(await self._library.find(seen.record.path), plan)
        except QtuiError:
            return None
