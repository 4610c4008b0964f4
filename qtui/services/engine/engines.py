"""All engines behind the one port: each plan says which of them runs it."""

from __future__ import annotations

import asyncio
from weakref import WeakSet

from qtui.core.engines import EngineKind, engine_kind
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.server_engine import ServerEngine
from qtui.services.engine.session import ChildSession


class Engines:
    """Implements the Engine port over the built-in engine and llama-servers."""

    def __init__(self, built_in: BuiltInEngine, servers: ServerEngine) -> None:
        self._built_in = built_in
        self._servers = servers
        self._sessions: WeakSet[ChildSession] = WeakSet()

    async def info(self) -> EngineInfo:
        """Return build and devices of the built-in engine."""
        return await self._built_in.info()

    def open(self, variant: Variant, plan: LoadPlan) -> ChildSession:
        """Return a session that is not started yet, of the engine that the plan names.

        Raises:
            UsageError: there is no such engine.
        """
        if engine_kind(plan.engine) is EngineKind.BUILT_IN:
            return self._built_in.open(variant, plan)
        session = self._servers.open(variant, plan)
        self._sessions.add(session)
        return session

    async def close(self) -> None:
        """End all sessions that were opened here; a server that was attached to goes on."""
        await asyncio.gather(self._built_in.close(), *(session.close() for session in tuple(self._sessions)))
