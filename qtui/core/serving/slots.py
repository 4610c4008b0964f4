"""Slots: the sessions that answer at the same time, which are the loaded one and lanes beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from qtui.core.engines import EngineKind, engine_kind
from qtui.core.errors import EngineError, Failure
from qtui.core.events import Failed
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Session

LOOKS, LOOK_S = 50, 0.02
"""So long after a lane broke off the end of the engine itself may be noticed."""


def answers_at_once(plan: LoadPlan) -> int:
    """Return how many answers an engine makes at a time under a plan: a llama-server as many as it has slots.

    Raises:
        UsageError: the plan names no engine.
    """
    return plan.parallel if engine_kind(plan.engine) is EngineKind.SERVER else 1


class Slots:
    """The ways to one loaded model; each answers one request at a time. Lanes end with the session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._all = [session]
        self._free: asyncio.Queue[Session] = asyncio.Queue()
        self._free.put_nowait(session)

    @classmethod
    async def open(cls, session: Session, at_once: int) -> Slots:
        """Open the lanes of a session that is loaded, where its engine has any.

        Raises:
            EngineError: one cannot be opened.
        """
        slots = cls(session)
        lanes = await asyncio.gather(*(_lane(session) for _ in range(at_once - 1)))
        for lane in filter(None, lanes):
            slots._all.append(lane)
            slots._free.put_nowait(lane)
        return slots

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[Session, None]:
        """Wait for one that is free, and hold it within the block; a lane that has ended is opened anew.

        Raises:
            EngineError: that failed.
        """
        taken = await self._free.get()
        try:
            if taken.ended and taken is not self.session:
                fresh = await _lane(self.session)
                if fresh is not None:
                    self._all[self._all.index(taken)] = fresh
                    taken = fresh
            yield taken
        finally:
            self._free.put_nowait(taken)

    async def cancel(self) -> None:
        """Stop what is answered."""
        await asyncio.gather(*(session.cancel() for session in self._all))

    async def lost(self, session: Session, failed: Failed) -> bool:
        """Tell whether the engine itself is gone, now that an answer has failed; a lane hears of that first."""
        if session is self.session:
            return failed.fatal or session.ended
        for _ in range(LOOKS if failed.failure.kind == "engine" else 0):
            if self.session.ended:
                break
            await asyncio.sleep(LOOK_S)
        return self.session.ended


async def _lane(session: Session) -> Session | None:
    lane = session.lane()
    if lane is None:
        return None
    failure: Failure | None = None
    async for event in lane.load():
        if isinstance(event, Failed):
            failure = event.failure
    if failure is not None:
        raise EngineError(f"a second way to the engine cannot be opened: {failure.message}", failure.hint)
    return lane
