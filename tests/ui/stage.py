"""A stage for the app: the app on fakes, and waiting for what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from qtui.core.advice.evidence import Evidence
from qtui.core.advice.loss import Losses
from qtui.core.downloads.ports import Checksums, Downloads
from qtui.core.downloads.run import DownloadRun
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.past import PastRounds
from qtui.core.duel.suite.checks import Judge
from qtui.core.duel.suite.shelf import SuiteShelf
from qtui.core.duel.tally import Votes
from qtui.core.forecast import Forecast
from qtui.core.help_pages import HelpPage
from qtui.core.hub.ports import Hub
from qtui.core.library.variant import Role, Variant
from qtui.core.measure.wished import Measures
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Library, Remover
from qtui.core.quantise.measuring import MadeMeasuring
from qtui.core.quantise.ports import Workshop
from qtui.core.settings import Problem, Settings
from qtui.core.text import GIB
from qtui.core.themes import ThemeFile
from qtui.services.themes import read_themes
from qtui.ui.app import QtuiApp
from qtui.ui.parts import ArenaStart, Parts
from qtui.ui.places.arena import ArenaPlace
from qtui.ui.places.models import ModelsPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.prompt_field import PromptField
from tests.fakes import (
    FakeDryRun,
    FakeLibrary,
    FakeMachine,
    FakePresets,
    FakeSessions,
    FakeSettings,
    ScriptedEngine,
    make_variant,
)

SMALL = make_variant("Alpha", "Q4_K_M", size=1 * GIB, bits_per_weight=4.9)
LARGE = make_variant("Alpha", "Q8_0", size=2 * GIB, bits_per_weight=8.5)
OTHER = make_variant("Beta", "Q6_K", size=3 * GIB, architecture="qwen3")
HUGE = make_variant("Gamma", "F16", size=400 * GIB)
BROKEN = make_variant("Delta", "Q4_0", complete=False, problem="2 of 3 shards here", shard_count=3)
PROJECTOR = make_variant("Beta", "F16", role=Role.MMPROJ, folder=Path("/models/projector"))
SHELF = (SMALL, LARGE, OTHER, HUGE, BROKEN, PROJECTOR)


def _unpublished() -> tuple[Losses, Sequence[Problem]]:
    """Return what tells of no loss."""
    return Losses(Evidence()), ()


@dataclass
class Stage:
    """The fakes, and apps on them."""

    variants: tuple[Variant, ...] = SHELF
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    machine: FakeMachine = field(default_factory=FakeMachine)
    dry_run: FakeDryRun = field(default_factory=FakeDryRun)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    settings: FakeSettings = field(default_factory=FakeSettings)
    applied: list[Settings] = field(default_factory=list)
    """What was handed to library and guard."""
    presets: FakePresets = field(default_factory=FakePresets)
    forecast: Forecast | None = None
    hub: Hub | None = None
    remover: Remover | None = None
    checksums: Checksums | None = None
    downloads: Downloads | None = None
    past: PastRounds | None = None
    votes: Votes | None = None
    suites: SuiteShelf | None = None
    judge: Callable[[], Judge] | None = None
    keeper: Keeper | None = None
    workshop: Workshop | None = None
    measures: Measures | None = None
    made_measuring: MadeMeasuring | None = None
    losses: Callable[[], tuple[Losses, Sequence[Problem]]] = _unpublished
    help_pages: Callable[[], Sequence[HelpPage]] = tuple
    real_library: Library | None = None
    """Takes the place of the fake one."""
    library: FakeLibrary = field(init=False)

    def __post_init__(self) -> None:
        self.library = FakeLibrary(*self.variants)

    def app(
        self, *, start: ArenaStart | None = None, folders: tuple[Path, ...] = (), theme: str = "",
        theme_files: Iterable[ThemeFile] | None = None,
    ) -> QtuiApp:  # fmt: skip
        """Return an app on the fakes."""
        footprints = Footprints(self.dry_run)
        files = read_themes() if theme_files is None else theme_files
        guard = Guard(footprints, self.machine, self.engine)
        parts = Parts(
            library=self.real_library or self.library, machine=self.machine, engine=self.engine, guard=guard,
            footprints=footprints, sessions=self.sessions, plan=LoadPlan(), presets=self.presets,
            known_presets=self.presets.load(), models_dirs=folders, apply=self.applied.append, forecast=self.forecast,
            remover=self.remover, checksums=self.checksums, hub=self.hub, past=self.past, workshop=self.workshop,
            votes=self.votes,
            made_measuring=self.made_measuring, measures=self.measures, losses=self.losses, help_pages=self.help_pages,
            suites=self.suites, judge=self.judge, keeper=self.keeper,
            downloads=DownloadRun(self.downloads) if self.downloads is not None else None,
        )  # fmt: skip
        return QtuiApp(lambda: parts, store=self.settings, start=start, theme=theme, theme_files=files)

    def duel(self, prompt: str = "", theme: str = "", **sides: Variant) -> QtuiApp:
        """Return an app that opens on the Arena."""
        return self.app(start=ArenaStart(sides or {"A": SMALL, "B": LARGE}, prompt), theme=theme)


async def wait_until(pilot: Pilot[None], condition: Callable[[], object], what: str = "") -> None:
    """Let the app work until the condition holds."""
    for _ in range(400):
        await pilot.pause()
        if condition():
            return
    raise AssertionError(f"never came: {what or condition}\n" + "\n".join(screen_lines(pilot)))


async def sees(pilot: Pilot[None], text: str) -> None:
    """Wait until the text stands on the screen."""
    await wait_until(pilot, lambda: text in screen_text(pilot), repr(text))


async def told(pilot: Pilot[None], text: str) -> None:
    """Wait until a notice says the text; on screen it may be wrapped."""
    await wait_until(pilot, lambda: any(text in notice.message for notice in pilot.app._notifications), repr(text))


def screen_lines(pilot: Pilot[None]) -> list[str]:
    """Return what is on the screen, line by line."""
    size = pilot.app.size
    compositor = pilot.app.screen._compositor
    return ["".join(segment.text for segment in strip) for strip in compositor.render_strips(size)]


def screen_text(pilot: Pilot[None]) -> str:
    """Return what is on the screen."""
    return "\n".join(screen_lines(pilot))


def models(pilot: Pilot[None]) -> ModelsPlace:
    """Return the place Models, which must be on screen."""
    assert isinstance(pilot.app.screen, ModelsPlace)
    return pilot.app.screen


def arena(pilot: Pilot[None]) -> ArenaPlace:
    """Return the place Arena, which must be on screen."""
    assert isinstance(pilot.app.screen, ArenaPlace)
    return pilot.app.screen


def table(pilot: Pilot[None]) -> GroupedTable:
    """Return the table of Models."""
    return models(pilot).query_one(GroupedTable)


def field_of(pilot: Pilot[None]) -> PromptField:
    """Return the prompt field of the Arena."""
    return arena(pilot).query_one(PromptField)


def rows_of(pilot: Pilot[None]) -> list[str]:
    """Return the table's rows as plain text."""
    return [
        " ".join(str(cell) for cell in row.cells if cell is not None) if row.cells else str(row.heading)
        for row in table(pilot).rows
    ]


def statics(pilot: Pilot[None], selector: str) -> Iterable[str]:
    """Return the texts of static widgets."""
    return [str(widget.render()) for widget in pilot.app.screen.query(selector).results(Static)]
