"""The built-in engine: llama.cpp in child processes, one per session.

The app's process never loads llama.cpp: a native crash would take the app along, and memory is only really given back
when a process ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from weakref import WeakSet

from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Estimate
from qtui.core.memory.plan import LoadPlan
from qtui.services.engine import discovery
from qtui.services.engine.child_process import python_module
from qtui.services.engine.session import ChildSession, Means, Patience
from qtui.services.engine.sessions import Registry
from qtui.services.paths import log_dir

ANSWER = "qtui.services.engine.child.answer"


def _no_estimate(_variant: Variant, _plan: LoadPlan) -> Estimate | None:
    return None


class BuiltInEngine:
    """Runs models in children of this process. Implements the Engine port.

    `estimate` tells what a variant was said to need under a resolved plan; its sessions put that on record.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = (),
        patience: Patience = Patience(),
        registry: Registry | None = None,
        logs: Callable[[], Path] = log_dir,
        estimate: Callable[[Variant, LoadPlan], Estimate | None] = _no_estimate,
    ) -> None:
        self._means = Means(tuple(command) or python_module(ANSWER), patience, registry or Registry(), logs, estimate)
        self._sessions: WeakSet[ChildSession] = WeakSet()
        self._info: EngineInfo | None = None
        self._asking: asyncio.Task[EngineInfo] | None = None

    async def info(self) -> EngineInfo:
        """Return build and devices, asked once in a child; `usable=False` with the reason when there is none."""
        if self._info is None:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(discovery.built_in())
            self._info = await asyncio.shield(self._asking)
        return self._info

    def open(self, variant: Variant, plan: LoadPlan) -> ChildSession:
        """Return a session that is not started yet."""
        session = ChildSession(variant, plan, self._means)
        self._sessions.add(session)
        return session

    async def close(self) -> None:
        """End all sessions that were opened here."""
        await asyncio.gather(*(session.close() for session in tuple(self._sessions)))
