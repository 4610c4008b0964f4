"""SlotSession: a session over a llama-server, and lanes beside it that ask the same server at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from qtui.core.commands import Serve, Started
from qtui.core.events import SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.sessions import SessionRecord
from qtui.services.engine.child_process import ChildProcess
from qtui.services.engine.session import ChildSession, Means
from qtui.services.engine.sessions import Registry


class Unrecorded(Registry):
    """Puts nothing on record: a lane is no session of its own, but another way to one that is there."""

    def put(self, record: SessionRecord) -> None:
        """Leave it."""

    def drop(self, session_id: str) -> None:
        """There is none."""


class SlotSession(ChildSession):
    """One variant behind one llama-server. Implements the Session port.

    A lane is a child of its own that is attached to the server of this session: it is handed address and key over its
    standard input, as every child is handed its first command, and ends with this session.
    """

    def __init__(self, variant: Variant, plan: LoadPlan, means: Means) -> None:
        self._given = means.order
        self._shared = means
        self._sent: Serve | None = None
        self._port = 0
        self._lanes: list[ChildSession] = []
        super().__init__(variant, plan, replace(means, order=self._remembered))

    def lane(self) -> ChildSession | None:
        """Return another way to the server, not loaded yet; None where the server is not reached yet."""
        serve = self._sent
        if serve is None or not (serve.url or self._port):
            return None
        url = serve.url or f"http://127.0.0.1:{self._port}"
        order = Serve(self.plan.as_json(), url=url, key=serve.key)

        async def attach(_variant: Variant, _plan: LoadPlan) -> Serve:
            return order

        lane = ChildSession(self.variant, self.plan, replace(self._shared, order=attach, registry=Unrecorded()))
        self._lanes = [*(known for known in self._lanes if not known.ended), lane]
        return lane

    async def close(self) -> None:
        """End the lanes, and then the server."""
        await asyncio.gather(*(lane.close() for lane in self._lanes))
        await super().close()

    async def _remembered(self, variant: Variant, plan: LoadPlan) -> object:
        order = await self._given(variant, plan)
        self._sent = order if isinstance(order, Serve) else None
        return order

    def _arrived(self, child: ChildProcess, raw: SessionEvent | Started) -> None:
        if isinstance(raw, Started):
            self._port = raw.port
        super()._arrived(child, raw)
