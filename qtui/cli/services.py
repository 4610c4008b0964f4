"""What verbs and the app work with: ports, and the stores, guard and runs over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from qtui.core.advice.evidence import Evidence
from qtui.core.advice.loss import Losses
from qtui.core.compare import no_date
from qtui.core.demo import DemoProgress
from qtui.core.downloads.ports import Checksums, Downloads
from qtui.core.downloads.run import DownloadRun
from qtui.core.duel.export import Report
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.past import PastRounds
from qtui.core.duel.storage import Hashes, Rounds
from qtui.core.duel.suite.checks import Judge
from qtui.core.duel.suite.shelf import SuiteShelf
from qtui.core.duel.tally import Votes
from qtui.core.engines import engine_kind
from qtui.core.errors import QtuiError, UsageError
from qtui.core.forecast import Forecast
from qtui.core.gguf.facts import Facts
from qtui.core.hardware import EngineInfo
from qtui.core.help_pages import HelpPage
from qtui.core.history import rate_under
from qtui.core.hub.ports import Hub
from qtui.core.library.variant import Variant
from qtui.core.measure.ports import MeasureParts
from qtui.core.measure.quality import Qualities
from qtui.core.measure.run import Means
from qtui.core.memory.actual import Estimate
from qtui.core.memory.by_engine import DryRunByEngine, FormulaByEngine
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.footprints import Footprints, difference_line
from qtui.core.memory.guard import BuildOf, Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.simulation import NotAsked, SharedAsFree, SimulatedCards
from qtui.core.memory.unaccounted import LeftOut
from qtui.core.ports import (
    Actuals,
    Described,
    DryRun,
    Engine,
    Formula,
    History,
    Library,
    Machine,
    PresetStore,
    ReadSpeeds,
    Remover,
    Sessions,
    SettingsStore,
    Tables,
)
from qtui.core.preset_ini.ports import PresetIni
from qtui.core.presets import starting_plan
from qtui.core.quantise.ports import Workshop
from qtui.core.recording import Recorder, RecordingEngine
from qtui.core.serving.ports import Endpoints
from qtui.core.settings import BUILT_IN_ENGINE, Keep, Problem, Settings
from qtui.core.themes import ThemeFile


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


class CodeJudge(Judge, Protocol):
    """A judge that may run code."""

    network_open: bool
    """Code was run that could not be cut off from the network."""


class WriteReport(Protocol):
    """Writes reports."""

    def __call__(self, name: str, report: Report) -> Awaitable[None]:
        """Write a report to a file whose name says its kind."""
        ...


class MakeJudge(Protocol):
    """Makes a judge."""

    def __call__(self, *, run_code: bool = False) -> CodeJudge:
        """Return a judge that runs code where a task has cases for it, or only parses it."""
        ...


async def _nothing() -> None:
    return None


async def _no_other(_engine: str) -> None:
    return None


def _quiet(_line: str) -> None:
    return None


def _nowhere(_folders: Sequence[Path]) -> None:
    return None


def _no_evidence() -> tuple[Evidence, Sequence[Problem]]:
    return Evidence(), ()


def _no_pages() -> Sequence[HelpPage]:
    return ()


def _no_themes() -> Sequence[ThemeFile]:
    return ()


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
    suites: SuiteShelf
    judge: MakeJudge
    hashes: Hashes
    write_report: WriteReport
    keep_report: Callable[[Report, str], Awaitable[str]]
    """Writes a report of a kind into the data folder; returns where it is."""
    endpoints: Endpoints
    """Makes endpoints for other programs."""
    close_engine: Callable[[], Awaitable[None]] = _nothing
    dated: Callable[[Variant], float | None] = no_date
    """Tells when a variant's file was written."""
    tables: Tables | None = None
    """Headers for the closed form; None: footprints come from the dry run alone."""
    note: Callable[[str], object] = _quiet
    """Writes a line to the log."""
    settings: Settings = field(default_factory=Settings)
    """As they were when this run began, or when the app last took others."""
    settings_store: SettingsStore | None = None
    presets: PresetStore | None = None
    preset_ini: PresetIni | None = None
    """Files of llama-server's presets; None: none are read or written."""
    theme_files: Callable[[], Sequence[ThemeFile]] = _no_themes
    """Reads the shipped themes and the user's."""
    look_in: Callable[[Sequence[Path]], None] = _nowhere
    """Lets the library look into these folders besides the known places."""
    evidence: Callable[[], tuple[Evidence, Sequence[Problem]]] = _no_evidence
    """Reads the published figures of quality, the user's own too; and what of those cannot be used."""
    help_pages: Callable[[], Sequence[HelpPage]] = _no_pages
    """Reads the help pages."""
    history: History | None = None
    """Past runs; None: nothing is recorded."""
    rounds: Rounds | None = None
    """Rounds, votes and suites; None: nothing is kept."""
    actuals: Actuals | None = None
    """Looks at sessions; None: nothing is recorded."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """What past runs have shown that llama.cpp leaves out on cards."""
    speeds: ReadSpeeds | None = None
    """How fast this machine reads; None: rates are not predicted."""
    remover: Remover | None = None
    """Deletes variants; None: nothing is deleted."""
    hub: Hub | None = None
    """The Hugging Face Hub; None: nothing is asked there."""
    downloads: Downloads | None = None
    """Fetches files; None: nothing is downloaded."""
    checksums: Checksums | None = None
    """Reads files to verify them; None: nothing is verified."""
    measures: MeasureParts | None = None
    """What measures variants; None: nothing does, and nothing was measured."""
    endpoint: str = ""
    """The address under which this process answers other programs; empty: it does not."""
    workshop: Workshop | None = None
    """Makes quants and matrices; None: nothing is made."""
    download_run: DownloadRun | None = field(init=False, default=None)
    """The queue of this process; nothing of it runs before something is added or restored."""
    other_build: Callable[[str], Awaitable[tuple[Described, DryRun] | None]] = _no_other
    """Finds the program of an engine's name where it has cards, and what asks its build about memory."""
    build_of: BuildOf | None = None
    """Tells the build of another engine by its name; None: it is not asked."""
    recorder: Recorder | None = field(init=False, default=None)
    forecast: Forecast | None = field(init=False, default=None)
    """Predicts generation rates."""
    footprints: Footprints = field(init=False)
    guard: Guard = field(init=False)
    _others: list[DryRun] = field(init=False, default_factory=list)
    _asked_plainly: DryRun = field(init=False)
    """The built-in engine's, for programs that are weighed as they are when started by themselves."""

    def __post_init__(self) -> None:
        """Make the one store of footprints and the guard that reads it, and record what the engine runs."""
        if self.history is not None and self.actuals is not None:
            self.recorder = Recorder(self.history, self.actuals, self._footprint, self.note)
            self.engine = RecordingEngine(self.engine, self.recorder)
        if self.tables is not None and self.speeds is not None:
            self.forecast = Forecast(self.tables, self.engine, self.speeds, self.history)
        if self.downloads is not None:
            self.download_run = DownloadRun(self.downloads, self.settings.downloads_parallel)
        self._asked_plainly = self.dry_run
        self.dry_run = DryRunByEngine(self.dry_run, self.other_build)
        self.footprints = self._store(self.dry_run, self._formula())
        self.guard = Guard(self.footprints, self.machine, self.engine, self.settings.margins, build_of=self.build_of)

    def _formula(self) -> Formula | None:
        """Return what computes footprints for whichever engine a plan names."""
        tables, left_out = self.tables, self.left_out
        if tables is None:
            return None
        return FormulaByEngine(
            ClosedForm(tables, self.engine, left_out), self.other_build,
            lambda described: ClosedForm(tables, described, left_out),
        )  # fmt: skip

    def _store(self, dry_run: DryRun, formula: Formula | None) -> Footprints:
        """Make a store whose differences go to the log."""
        footprints = Footprints(dry_run, formula)
        footprints.subscribe_differences(
            lambda variant, computed, told: self.note(difference_line(variant, computed, told))
        )
        return footprints

    async def guard_of(
        self, ram: int | None = None, vram: Sequence[int] | None = None, engine: str = BUILT_IN_ENGINE
    ) -> Guard:
        """Return the guard, or one that takes these for what is free: of RAM, and of as many cards as are named.

        `engine`: whose cards count where none are named; the built-in engine answers for a program that has none.

        Raises:
            UsageError: cards are named that are not here, and nothing here can compute what they would hold.
        """
        guard = await self._guard_of(ram, vram, engine)
        guard.as_programs_do = engine != BUILT_IN_ENGINE
        return guard

    async def _guard_of(self, ram: int | None, vram: Sequence[int] | None, engine: str) -> Guard:
        guard, footprints = self.guard, self.footprints
        described: Described = self.engine
        if engine != BUILT_IN_ENGINE:
            other = await self.other_build(engine) if vram is None else None
            dry_run = self._asked_plainly
            if other is not None:
                described, dry_run = other
                self._others.append(dry_run)
            formula = ClosedForm(self.tables, described, self.left_out) if self.tables is not None else None
            footprints = self._store(dry_run, formula)
            guard = Guard(footprints, self.machine, described, self.settings.margins, build_of=self.build_of)
        if ram is None and vram is None:
            return guard
        real = await guard.headroom()
        room = replace(real, free_ram=real.free_ram if ram is None else ram, simulated=True)
        if vram is None:
            return Guard(footprints, self.machine, described, self.settings.margins, room, build_of=self.build_of)
        room = replace(room, free_vram=tuple(vram), margin_vram=(self.settings.margins.gpu,) * len(vram))
        here = len(real.free_vram) == len(vram)
        if self.tables is None and not here:
            raise UsageError(
                f"--vram names {len(vram)} of the GPUs that the engine can use, which are {len(real.free_vram)}",
                "give one size per GPU, divided by commas",
            )
        cards = SimulatedCards(self.engine, vram)
        dry_run = SharedAsFree(self.dry_run, vram) if here else NotAsked.about(len(vram))
        formula = ClosedForm(self.tables, cards, self.left_out) if self.tables is not None else None
        return Guard(
            Footprints(dry_run, formula), self.machine, cards, self.settings.margins, room, build_of=self.build_of
        )

    def starting_plan(self) -> LoadPlan:
        """Return the plan that the app starts with."""
        return self._starting_plan()[0]

    def apply(self, settings: Settings) -> None:
        """Take other settings: margins and folders hold from now on, the rest when qtui starts."""
        self.settings = settings
        self.guard.margins = settings.margins
        self.look_in(settings.models_dirs)

    def settings_problems(self) -> list[Problem]:
        """Return what is wrong with the user's settings and presets."""
        # The presets are read for the plan, so that their problems are those of now.
        unusable = self._starting_plan()[1]
        stores = (self.settings_store, self.presets)
        problems = [problem for store in stores if store is not None for problem in store.problems()]
        if unusable is not None:
            problems.append(unusable)
        try:
            engine_kind(self.settings.engine)
        except UsageError as error:
            problems.append(Problem("engine", f"is not used: {error.message}"))
        themes = [file.name for file in self.theme_files()]
        if themes and self.settings.theme not in themes:
            problems.append(Problem("theme", f"is not used: there are {', '.join(themes)}"))
        place = self.settings_store.path if self.settings_store is not None else ""
        return [problem if problem.file else replace(problem, file=str(place)) for problem in problems]

    def _starting_plan(self) -> tuple[LoadPlan, Problem | None]:
        return starting_plan(self.settings, self.presets.load() if self.presets is not None else ())

    async def rate(self, variant: Variant, plan: LoadPlan) -> float | None:
        """Return the generation rate that was measured of a variant under a resolved plan; None: none is kept."""
        if self.history is None:
            return None
        try:
            kept = await self.history.rates([variant])
        except QtuiError as error:
            self.note(f"the history tells no rates: {error.message}")
            return None
        found = rate_under(kept.get(variant.path, ()), plan)
        return found.generation if found is not None else None

    def losses(self, evidence: Evidence) -> Losses:
        """Return what tells how much variants lose: as measured here, else as published."""
        return Losses(evidence, self.qualities.of)

    def estimate(self, variant: Variant, plan: LoadPlan) -> Estimate | None:
        """Return what a variant was said to need under a resolved plan, None where nobody asked."""
        footprint = self._footprint(variant, plan)
        return Estimate.of(footprint) if footprint else None

    def _footprint(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        known = self.footprints.peek(variant, plan)
        return known.footprint if known else None

    def keeper(self, tell: Callable[[str], object] = _quiet) -> Keeper:
        """Return what keeps rounds, as much of them as the settings say."""
        return Keeper(self.rounds, self.hashes, self.engine, self.settings.keep, tell)

    @property
    def past(self) -> PastRounds | None:
        """Return what can be done with the rounds that are kept; None where nothing is."""
        return PastRounds(self.rounds, self.library, self.keep_report) if self.rounds is not None else None

    @property
    def measuring(self) -> Means | None:
        """Return what measures variants; None where nothing does."""
        it = self.measures
        if it is None:
            return None
        kept = None if self.settings.keep is Keep.NOTHING else it.measurements
        return Means(it.measurer, it.workspace, self.guard, self.engine, self.hashes, kept)

    @property
    def qualities(self) -> Qualities:
        """Return what tells the quality of variants."""
        return Qualities(self.measures.measurements if self.measures else None, self.hashes)

    @property
    def votes(self) -> Votes:
        """Return what counts the votes that are kept on variants."""
        return Votes(self.rounds, self.hashes)

    async def close(self) -> None:
        """End every child process, once what was run is on record."""
        if self.recorder is not None:
            await self.recorder.settle()
        if self.download_run is not None:
            await self.download_run.close()
        await self.close_engine()
        for dry_run in (self.dry_run, *self._others):
            await dry_run.close()
        if self.hub is not None:
            await self.hub.close()
