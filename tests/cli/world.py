"""The command over fakes: run `main` in this process and look at what it wrote."""

from __future__ import annotations

import json
import os
import signal
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from qtui.cli.main import main
from qtui.cli.services import Services
from qtui.core.demo import DEMO_QUANTS, DemoProgress
from qtui.core.duel.conversation import Request
from qtui.core.events import SessionEvent, TextArrived
from qtui.core.gguf.facts import Facts, facts_of
from qtui.core.gguf.reader import read_header
from qtui.core.hardware import EngineInfo
from qtui.core.hub.ports import Hub
from qtui.core.library.variant import Variant
from qtui.core.measure.ports import MeasureParts
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Described, DryRun, Remover, Tables
from qtui.core.settings import Settings
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.evidence import EvidenceFiles
from qtui.services.history import HistoryFile
from qtui.services.judging.judge import LocalJudge
from qtui.services.library.source import FileSource
from qtui.services.preset_ini import PresetIniFiles
from qtui.services.presets import PresetsFile
from qtui.services.reports import keep_report, write_report
from qtui.services.rounds import RoundsFile
from qtui.services.serving.endpoints import LocalEndpoints
from qtui.services.settings import SettingsFile
from qtui.services.suites import SuiteFiles
from qtui.services.themes import read_themes
from tests.conftest import DEMO_F16
from tests.fakes import (
    FakeDryRun,
    FakeHashes,
    FakeLibrary,
    FakeMachine,
    FakeSessions,
    ScriptedEngine,
    ScriptedSession,
    make_variant,
)

BIG = make_variant(quant="Q8_0")
SMALL = make_variant(quant="Q2_K")


class SignallingSession(ScriptedSession):
    """Sends this process a signal when the first text of an answer came, as a user who has read enough does."""

    async def ask(self, request: Request) -> AsyncIterator[SessionEvent]:
        async for event in super().ask(request):
            yield event
            engine = self._engine
            assert isinstance(engine, CliEngine)
            if isinstance(event, TextArrived) and engine.signals:
                os.kill(os.getpid(), engine.signals.pop(0))


class CliEngine(ScriptedEngine):
    """Opens sessions that may send signals."""

    def __init__(self) -> None:
        super().__init__()
        self.signals: list[signal.Signals] = []

    def open(self, variant: Variant, plan: LoadPlan) -> SignallingSession:
        self.journal.append(("open", variant.quant))
        session = SignallingSession(self, variant, plan, len(self.sessions) + 1)
        self.sessions.append(session)
        return session


class FakeDemo:
    """The demo's files, by name only."""

    def __init__(self) -> None:
        self.prepared = False

    def path(self, quant: str) -> Path:
        return Path("/cache/demo") / f"qtui-demo-{quant}.gguf"

    async def prepare(self) -> AsyncIterator[DemoProgress]:
        for index, quant in enumerate(DEMO_QUANTS, 1):
            yield DemoProgress(quant, index, len(DEMO_QUANTS), 1, 1)
        self.prepared = True

    def clean(self) -> list[Path]:
        return [self.path(quant) for quant in DEMO_QUANTS]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run of the command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        body = json.loads(lines[0])
        assert isinstance(body, dict)
        assert body["schema"] == 1
        return body


@dataclass
class World:
    """Fakes behind the command."""

    capsys: pytest.CaptureFixture[str]
    engine: CliEngine = field(default_factory=CliEngine)
    dry_run: FakeDryRun = field(default_factory=FakeDryRun)
    machine: FakeMachine = field(default_factory=FakeMachine)
    library: FakeLibrary = field(default_factory=lambda: FakeLibrary(BIG, SMALL))
    demo: FakeDemo = field(default_factory=FakeDemo)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    more_engines: list[EngineInfo] = field(default_factory=list)
    tables: Tables | None = None
    """Headers for the closed form; None: there is none."""
    hub: Callable[[], Hub] | None = None
    """Makes the Hub that is asked; None: there is none."""
    other: tuple[Described, DryRun] | None = None
    """A program with cards, whatever its name; None: there is none."""
    remover: Remover | None = None
    """Deletes variants; None: nothing does."""
    kept: Path | None = None
    """The history's file; None: nothing is kept."""
    measures: MeasureParts | None = None
    """What measures; None: nothing does."""
    own_suites: Path = Path("/nowhere")
    own_figures: Path = Path("/nowhere")
    closed: int = 0
    config: Path | None = None
    """Where settings, presets and themes lie; None: there are none."""

    def wire(self, options: Namespace) -> Services:
        async def engines() -> Sequence[EngineInfo]:
            return [self.engine.engine_info, *self.more_engines]

        async def close_engine() -> None:
            self.closed += 1

        async def other_build(_engine: str) -> tuple[Described, DryRun] | None:
            return self.other

        store = SettingsFile(self.config) if self.config else None
        return Services(
            engine=self.engine, dry_run=self.dry_run, machine=self.machine, library=self.library, demo=self.demo,
            engines=engines, sessions=self.sessions, facts=demo_facts, close_engine=close_engine,
            other_build=other_build,
            suites=SuiteFiles(self.own_suites), judge=LocalJudge, hashes=FakeHashes(), write_report=write_report,
            keep_report=keep_report, endpoints=LocalEndpoints(str), evidence=EvidenceFiles(self.own_figures).load,
            rounds=RoundsFile(HistoryFile(self.kept)) if self.kept else None,
            settings=store.load() if store else Settings(), settings_store=store, tables=self.tables,
            remover=self.remover, measures=self.measures,
            presets=PresetsFile(self.config) if self.config else None,
            preset_ini=PresetIniFiles(ServerBuilds()) if self.config else None,
            hub=self.hub() if self.hub else None,
            theme_files=lambda: read_themes(self.config / "themes") if self.config else (),
        )  # fmt: skip

    def run(self, *arguments: str) -> Ran:
        """Run the command; every run must have closed what it made."""
        before = self.closed
        status = main(arguments, wire=self.wire)
        written = self.capsys.readouterr()
        if self.closed > before:
            assert all(session.closed for session in self.engine.sessions)
            assert self.dry_run.closed
        return Ran(status, written.out, written.err)


def demo_facts(variant: Variant) -> Facts:
    """Return the facts of the demo model, whatever the variant."""
    with FileSource(DEMO_F16) as source:
        return facts_of(read_header(source), source)
