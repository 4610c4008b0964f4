"""The engines: made once per run, over one reader of llama-server programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Estimate
from qtui.core.memory.plan import LoadPlan
from qtui.core.settings import Settings

if TYPE_CHECKING:
    from qtui.services.engine.engines import Engines
    from qtui.services.engine.server_builds import ServerBuilds


def engine_services(
    estimate: Callable[[Variant, LoadPlan], Estimate | None],
    settings: Callable[[], Settings],
    endpoint: Callable[[], str] = str,
) -> tuple[Engines, ServerBuilds]:
    """Return all engines behind one port, and what reads programs; nothing is started until it is used.

    `endpoint` tells the address under which this process answers other programs, which goes on record.
    """
    from qtui.services.engine.client import BuiltInEngine
    from qtui.services.engine.engines import Engines
    from qtui.services.engine.server_builds import ServerBuilds
    from qtui.services.engine.server_engine import ServerEngine
    from qtui.services.engine.sessions import Registry

    builds = ServerBuilds(lambda: settings().engine)
    registry = Registry(endpoint=endpoint)
    servers = ServerEngine(builds, estimate=estimate, hosts=lambda: settings().rpc, registry=registry)
    return Engines(BuiltInEngine(estimate=estimate, registry=registry), servers), builds


async def known_engines(engines: Engines, builds: ServerBuilds, settings: Settings) -> Sequence[EngineInfo]:
    """Return every engine that can be found, usable or not, with what RPC hosts lend."""
    return [await engines.info(), *await builds.found(settings.rpc)]
