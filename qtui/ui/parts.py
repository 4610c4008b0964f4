"""Parts: what the places of the app work with, made after the first paint; and how the app is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qtui.core.settings import Problem, Settings

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.advice.loss import Losses
    from qtui.core.downloads.ports import Checksums
    from qtui.core.downloads.run import DownloadRun
    from qtui.core.duel.keeper import Keeper
    from qtui.core.duel.past import PastRounds
    from qtui.core.duel.suite.checks import Judge
    from qtui.core.duel.suite.shelf import SuiteShelf
    from qtui.core.duel.tally import Votes
    from qtui.core.forecast import Forecast
    from qtui.core.help_pages import HelpPage
    from qtui.core.hub.ports import Hub
    from qtui.core.library.variant import Variant
    from qtui.core.measure.wished import Measures
    from qtui.core.memory.footprints import Footprints
    from qtui.core.memory.guard import Guard
    from qtui.core.memory.plan import LoadPlan
    from qtui.core.ports import Engine, Library, Machine, PresetStore, Remover, Sessions
    from qtui.core.presets import Preset
    from qtui.core.quantise.measuring import MadeMeasuring
    from qtui.core.quantise.ports import Workshop


@dataclass(frozen=True, slots=True)
class ArenaStart:
    """How to open the app in the Arena: variants by side, and a prompt that is sent at once."""

    sides: Mapping[str, Variant] = field(default_factory=dict)
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is needed to keep files, or to let them go."""

    sessions: Sessions
    """Those that have a file loaded keep it from being deleted."""
    remover: Remover | None = None
    """None: nothing is deleted."""
    checksums: Checksums | None = None
    """None: nothing is verified."""
    hub: Hub | None = None
    """Tells what files should be of which nothing here does."""


def _unmoved(_: Settings) -> None:
    return None


def _no_losses() -> tuple[Losses, Sequence[Problem]]:
    from qtui.core.advice.evidence import Evidence
    from qtui.core.advice.loss import Losses

    return Losses(Evidence()), ()


def _no_pages() -> Sequence[HelpPage]:
    return ()


def _undated(_: Variant) -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the places work with."""

    library: Library
    machine: Machine
    engine: Engine
    guard: Guard
    footprints: Footprints
    sessions: Sessions
    plan: LoadPlan
    """What the app starts with."""
    presets: PresetStore | None = None
    """None: plans cannot be saved."""
    known_presets: tuple[Preset, ...] = ()
    """What the store held when the app was opened."""
    downloads: DownloadRun | None = None
    """The queue of downloads; None: nothing is downloaded."""
    models_dirs: tuple[Path, ...] = ()
    """Folders that are looked at instead of the known places."""
    dated: Callable[[Variant], float | None] = _undated
    """Tells when a variant's file was written, in seconds since the epoch."""
    problems: tuple[Problem, ...] = ()
    """What of settings and presets cannot be used, beyond how the settings file is written."""
    hub: Hub | None = None
    """None: there is no place Hub."""
    remover: Remover | None = None
    """None: nothing is deleted."""
    checksums: Checksums | None = None
    """None: nothing is verified."""
    keeper: Keeper | None = None
    """Keeps the rounds of the Arena; None: they are not kept."""
    suites: SuiteShelf | None = None
    """The suites that there are; None: there are none here."""
    judge: Callable[[], Judge] | None = None
    """Makes what judges answers that may loop or crash; None: no suite is run."""
    past: PastRounds | None = None
    """The rounds that are kept; None: there is no history here."""
    votes: Votes | None = None
    """Counts the votes that are kept on variants; None: nobody does."""
    forecast: Forecast | None = None
    """Predicts generation rates; None: they are unknown until they are measured."""
    losses: Callable[[], tuple[Losses, Sequence[Problem]]] = _no_losses
    """Reads the published figures, and what tells losses by them; blocks."""
    help_pages: Callable[[], Sequence[HelpPage]] = _no_pages
    """Reads the help pages; blocks."""
    made_measuring: MadeMeasuring | None = None
    """Measures what was made; None: nothing does."""
    measures: Measures | None = None
    """Measures what variants lose; None: nothing does."""
    workshop: Workshop | None = None
    """Makes quants; None: nothing is made."""
    apply: Callable[[Settings], None] = _unmoved
    """Hands folders and margins of changed settings to library and guard."""

    @property
    def keeping(self) -> Keeping:
        """Return what is needed to keep files, or to let them go."""
        return Keeping(self.sessions, self.remover, self.checksums, self.hub)
