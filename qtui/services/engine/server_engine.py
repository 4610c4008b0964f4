"""The second engine: llama-server, started for each session, or one that runs already and is attached to.

Its sessions are those of the built-in engine with another child, which keeps the server and talks to it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from qtui.core.commands import Serve
from qtui.core.engines import EngineKind, engine_kind, server_address, untrusted
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Estimate
from qtui.core.memory.plan import LoadPlan
from qtui.core.server.launch import launch
from qtui.services.engine.child_process import python_module
from qtui.services.engine.discovery import plain_environment
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.engine.session import ChildSession, Means, Patience
from qtui.services.engine.sessions import Registry
from qtui.services.engine.slot_session import SlotSession
from qtui.services.paths import log_dir

ANSWER = "qtui.services.engine.child.server.answer"
KEY_VARIABLE = "QTUI_ENGINE_KEY"
"""Holds the key of a server that is attached to."""


class ServerEngine:
    """Opens sessions over llama-server; which program or address, each plan says.

    Args:
        builds: reads programs.
        hosts: tells the RPC hosts of the settings.
        estimate: tells what a variant was said to need under a resolved plan.
        registry: where sessions are on record.
        logs: gives the folder of logs.
        patience: how long a child is waited for.
        command: starts a child.
    """

    def __init__(
        self, builds: ServerBuilds, *,
        hosts: Callable[[], Sequence[str]] = tuple,
        estimate: Callable[[Variant, LoadPlan], Estimate | None] = lambda _variant, _plan: None,
        registry: Registry | None = None, logs: Callable[[], Path] = log_dir,
        patience: Patience = Patience(), command: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.builds = builds
        self._hosts = hosts
        self._means = Means(
            tuple(command) or python_module(ANSWER), patience, registry or Registry(), logs, estimate,
            order=self._order, environment=plain_environment,
        )  # fmt: skip

    def open(self, variant: Variant, plan: LoadPlan) -> ChildSession:
        """Return a session that is not started yet."""
        return SlotSession(variant, plan, self._means)

    async def _order(self, variant: Variant, plan: LoadPlan) -> Serve:
        """Return what a session's child is told first.

        Raises:
            EngineError: there is no such program, or it does not work.
            UsageError: the plan cannot be said to it.
        """
        if engine_kind(plan.engine) is EngineKind.REMOTE:
            url, risk = server_address(plan.engine), untrusted(plan.engine)
            key = os.environ.get(KEY_VARIABLE, "")
            return Serve(plan.as_json(), str(variant.path), url=url, key=key, notes=(risk,) if risk else ())
        program, build = await self.builds.usable(plan.engine)
        hosts = tuple(self._hosts())
        path = variant.path.absolute()
        how = launch(plan, path, build, hosts)
        weights = await asyncio.to_thread(_size, variant)
        return Serve(
            plan.as_json(), str(path), str(program.absolute()), how.arguments, secrets.token_urlsafe(32),
            key_file=how.key_file, weights=weights, hosts=hosts if build.rpc else (), notes=how.unsaid,
        )  # fmt: skip


def _size(variant: Variant) -> int:
    total = 0
    for path in variant.shards or (variant.path,):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total
