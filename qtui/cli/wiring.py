"""The real services, made once per run and handed to the verb: the only place that knows them all."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from qtui.core.demo import DemoProgress
from qtui.core.gguf.facts import Facts
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.footprint import Pools
from qtui.core.memory.footprints import Footprints, difference_line
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Headroom
from qtui.core.ports import DryRun, Engine, Library, Machine, Sessions, Tables


class DemoFiles(Protocol):
    """The quants of the embedded demo model."""

    def path(self, quant: str) -> Path:
        """Return where a quant lies, or will lie."""
        ...

    def prepare(self) -> AsyncIterator[DemoProgress]:
        """Make what is missing."""
        ...

    def clean(self) -> list[Path]:
        """Remove what was made."""
        ...


async def _nothing() -> None:
    return None


def _quiet(_line: str) -> None:
    return None


@dataclass(slots=True)
class Services:
    """What verbs and the app work with."""

    engine: Engine
    dry_run: DryRun
    machine: Machine
    library: Library
    demo: DemoFiles
    engines: Callable[[], Awaitable[Sequence[EngineInfo]]]
    """Every engine that can be found, usable or not."""
    sessions: Sessions
    facts: Callable[[Variant], Facts]
    """Reads the headers of a variant; blocks, and raises BadFileError."""
    close_engine: Callable[[], Awaitable[None]] = _nothing
    tables: Tables | None = None
    """Headers for the closed form; None: footprints come from the dry run alone."""
    note: Callable[[str], object] = _quiet
    """Writes a line to the log."""
    footprints: Footprints = field(init=False)
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        """Make the one store of footprints and the guard that reads it."""
        formula = ClosedForm(self.tables, self.engine) if self.tables is not None else None
        self.footprints = Footprints(self.dry_run, formula)
        self.footprints.subscribe_differences(
            lambda variant, computed, told: self.note(difference_line(variant, computed, told))
        )
        self.guard = Guard(self.footprints, self.machine, self.engine)

    def guard_of(self, simulated: Headroom | None) -> Guard:
        """Return the guard, or one that takes `simulated` for what is free."""
        if simulated is None:
            return self.guard
        return Guard(self.footprints, self.machine, self.engine, simulated=simulated)

    def estimate(self, variant: Variant, plan: LoadPlan) -> Pools | None:
        """Return what a variant was said to need under a resolved plan, None where nobody asked."""
        known = self.footprints.peek(variant, plan)
        return known.footprint.pools if known and known.footprint else None

    async def close(self) -> None:
        """End every child process."""
        await self.close_engine()
        await self.dry_run.close()


def local_services(options: Namespace) -> Services:
    """Return the services of this machine; nothing is started until it is used."""
    from qtui.services.demo import Demo
    from qtui.services.engine import discovery
    from qtui.services.engine.client import BuiltInEngine
    from qtui.services.engine.dry_run import DryRunClient
    from qtui.services.engine.running_sessions import RunningSessions
    from qtui.services.journal import note
    from qtui.services.library.facts import variant_facts
    from qtui.services.library.library import LocalLibrary
    from qtui.services.library.tables import LocalTables
    from qtui.services.machine.machine import LocalMachine

    running = RunningSessions()

    def estimate(variant: Variant, plan: LoadPlan) -> Pools | None:
        return services.estimate(variant, plan)

    engine = BuiltInEngine(estimate=estimate)

    async def engines() -> Sequence[EngineInfo]:
        server = discovery.find_llama_server()
        others = [await discovery.llama_server(server)] if server else []
        return [await engine.info(), *others]

    folders: list[Path] = getattr(options, "models_dir", [])
    services = Services(
        engine=engine,
        dry_run=DryRunClient(),
        machine=LocalMachine(pids=running.pids),
        library=LocalLibrary(folders),
        demo=Demo(),
        engines=engines,
        sessions=running,
        facts=variant_facts,
        close_engine=engine.close,
        tables=LocalTables(),
        note=note,
    )
    return services
