"""The ports: what runs and screens need of the outside world, as Protocols that services implement and tests fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from qtui.core.duel.conversation import Request
from qtui.core.events import SessionEvent
from qtui.core.gguf.facts import Facts
from qtui.core.hardware import EngineInfo, Hardware, MemorySample, ProcessMemory
from qtui.core.history import MeasuredRate, PastRun, Run, Timing
from qtui.core.library.hash_step import HashStep
from qtui.core.library.removal import Removal, Removed
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Actual
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.fit.scale import Probe
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.side_files import SideFile
from qtui.core.memory.speed import Kernel, ReadRates
from qtui.core.memory.unaccounted import ByCard
from qtui.core.presets import Preset
from qtui.core.sessions import SessionSeen
from qtui.core.settings import Problem, Settings


class Session(Protocol):
    """One running child: a variant under a plan. One command at a time; events end with Loaded, Answered or Failed."""

    @property
    def id(self) -> str:
        """Return a short name, unique on this machine."""
        ...

    @property
    def pid(self) -> int | None:
        """Return the engine's process id, None before it started, after it ended, and on another machine."""
        ...

    @property
    def ended(self) -> bool:
        """Tell whether it is gone, also by itself: it answers no more, and another one must be opened."""
        ...

    def load(self) -> AsyncIterator[SessionEvent]:
        """Start the child and load: LoadProgressed…, then Loaded or Failed."""
        ...

    def ask(self, request: Request) -> AsyncIterator[SessionEvent]:
        """Answer one request: PromptProgressed…, TextArrived…, then Answered or Failed."""
        ...

    def score(self, prompt: str, options: Sequence[str]) -> AsyncIterator[SessionEvent]:
        """Weigh the options that may follow a text: Scored or Failed (`cancelled` where it was stopped)."""
        ...

    async def cancel(self) -> None:
        """Stop what is running; the running iterator then ends with Answered (`cancelled`) or Failed (load)."""
        ...

    async def memory(self) -> ProcessMemory:
        """Return what the operating system says of the child now."""
        ...

    async def close(self) -> None:
        """End the child and wait until it is gone; harmless when it is gone already."""
        ...


class Described(Protocol):
    """What tells an engine's build and devices."""

    async def info(self) -> EngineInfo:
        """Return build and devices, asked once in a child; `usable=False` with the reason when there is none."""
        ...


class Engine(Described, Protocol):
    """What runs models: the built-in engine or a llama-server."""

    def open(self, variant: Variant, plan: LoadPlan) -> Session:
        """Return a session that is not started yet."""
        ...


class DryRun(Protocol):
    """Asks llama.cpp for its own allocation plan."""

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan, origin dry-run.

        Raises:
            BadFileError: the file cannot be read as GGUF, or llama.cpp died on it.
            PlanRefusedError: llama.cpp refuses the model or the plan; the message says why.
            EngineError: no helper can be started, or it gave no answer in time.
        """
        ...

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return what was answered before to the same question of the same file and engine; None where nothing was.

        Asks no llama.cpp, and raises nothing but a refusal that is remembered.

        Raises:
            PlanRefusedError: llama.cpp refused it.
        """
        ...

    async def close(self) -> None:
        """End the helpers."""
        ...


class Tables(Protocol):
    """Reads headers for the closed form."""

    async def table(self, variant: Variant) -> ModelTable:
        """Return the tensors and hyper-parameters of a variant, remembered while its files stay as they are.

        Raises:
            BadFileError: a file is missing, not GGUF, or damaged.
        """
        ...

    async def side_file(self, path: str) -> SideFile:
        """Return what an adapter or a projector is, by its header.

        Raises:
            BadFileError: it is missing, not GGUF, or damaged.
        """
        ...


class Formula(Protocol):
    """Computes footprints at once, without asking llama.cpp."""

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan, origin computed.

        Raises:
            BadFileError: the header cannot be read, or lacks what the memory depends on.
            PlanRefusedError: llama.cpp would refuse the plan.
        """
        ...

    async def bind(self, variant: Variant, plan: LoadPlan) -> Probe:
        """Read all that a search over plans of one variant needs; the plan's adapters and projector stay.

        Raises:
            BadFileError: a header cannot be read.
        """
        ...


class Machine(Protocol):
    """The machine: what it has, what is free."""

    def hardware(self) -> Hardware:
        """Return what does not change; cheap after the first call."""
        ...

    def latest(self) -> MemorySample | None:
        """Return the newest sample without waiting, None before the first."""
        ...

    async def sample(self) -> MemorySample:
        """Take a sample now, off the event loop."""
        ...

    def samples(self, interval: float = 1.0) -> AsyncIterator[MemorySample]:
        """Yield a sample every `interval` seconds until closed."""
        ...


class Actuals(Protocol):
    """Looks at what a session really holds."""

    async def actual(self, pid: int, files: Sequence[Path]) -> Actual:
        """Return what a process holds of RAM, of these files' pages, and of each card; None where nobody can tell.

        Walks the process's page tables: some milliseconds per GiB, so it is asked after an answer and not every second.
        """
        ...


class History(Protocol):
    """What was run on this machine, kept between starts.

    Every call may raise QtuiError: the database is damaged, busy, of a newer qtui, or cannot be written.
    """

    async def record_run(self, run: Run, timing: Timing) -> None:
        """Keep what is known of a run, over what was kept of it before, and one more answer of it."""
        ...

    async def runs(self, limit: int = 50, path: Path | None = None) -> Sequence[PastRun]:
        """Return the newest runs, newest first; of one file with `path`."""
        ...

    async def rates(self, variants: Sequence[Variant]) -> Mapping[Path, Sequence[MeasuredRate]]:
        """Return the generation rates that were measured of these files as they are now, newest plan first, by path."""
        ...

    async def unaccounted(self) -> ByCard:
        """Return what the driver reported beyond llama.cpp's own buffers, by the name of the card."""
        ...


class ReadSpeeds(Protocol):
    """Measures how fast this machine reads what generating needs; what was measured once is remembered."""

    async def rates(self, kernels: Sequence[Kernel], threads: int) -> ReadRates:
        """Return bytes per second of these kernels with so many threads; takes a second or two the first time.

        Raises:
            EngineError: the engine cannot be asked.
        """
        ...

    async def disk(self, path: Path) -> float | None:
        """Return bytes per second of reading a file that is not in memory, None where that cannot be told."""
        ...


class Library(Protocol):
    """What GGUF files are on this machine."""

    def scan(self, folders: Sequence[Path] = ()) -> AsyncIterator[Variant]:
        """Yield variants as they are found; the folders given, else the known places."""
        ...

    async def find(self, name: str) -> Variant:
        """Return the variant that a path (any of its shards), `REPO/FILE` or `REPO:QUANT` names.

        Raises:
            BadFileError: no such file, a directory, unreadable, not GGUF, truncated.
            UsageError: the name fits nothing here; the hint says what is there.
        """
        ...

    def places(self) -> Sequence[tuple[str, Path]]:
        """Return the places that are looked at, as (label, folder)."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """Return what the last scan could not look at, and why."""
        ...

    def hash(self, variant: Variant) -> AsyncIterator[HashStep]:
        """Yield how far the hashes of a variant's files are, the last step with all of them; closing it stops.

        Raises:
            BadFileError: a file is gone, cannot be read, or was written to meanwhile.
        """
        ...

    def watch(self, interval: float = 5.0) -> AsyncIterator[None]:
        """Yield each time files may have come or gone since the last scan, looked at every `interval` seconds."""
        ...

    async def facts(self, variant: Variant) -> Facts:
        """Return what the headers of a variant tell, remembered while its files stay as they are.

        Raises:
            BadFileError: missing, unreadable, not GGUF, damaged; a file that is only too short is read all the same.
        """
        ...


class Remover(Protocol):
    """Deletes variants, after a look at what that would mean."""

    async def preview(self, name: str) -> Removal:
        """Return what deleting the variant of this name would take away; nothing is changed.

        Raises:
            BadFileError: no such file.
            UsageError: the name fits nothing here.
        """
        ...

    async def remove(self, removal: Removal) -> Removed:
        """Delete what a preview says, and nothing that has changed since.

        Raises:
            QtuiError: something has changed, or may not be deleted.
        """
        ...


class Sessions(Protocol):
    """The sessions of every qtui process of this user on this machine."""

    async def list(self) -> Sequence[SessionSeen]:
        """Return the sessions that run now, oldest first; none where nothing is recorded."""
        ...

    async def crashed(self) -> Sequence[SessionSeen]:
        """Return the sessions that have crashed not long ago, oldest first; their processes are gone."""
        ...

    async def stop(self, session_id: str) -> None:
        """End a session, of this process or of another, and wait until it is gone; forget one that has crashed.

        Raises:
            UsageError: there is no such session (any more).
            QtuiError: it may not be ended, or does not go.
        """
        ...

    async def log(self, session_id: str) -> Sequence[str]:
        """Return the last lines of what a session's engine said, clean; none when there is no log."""
        ...


class SettingsStore(Protocol):
    """The user's settings, which other qtui processes may change at any time."""

    @property
    def path(self) -> Path:
        """Return where they are kept."""
        ...

    def load(self) -> Settings:
        """Read the settings; never fails: what cannot be used has its default and stands in `problems`."""
        ...

    def save(self, settings: Settings) -> Settings:
        """Write what differs from what was loaded last, over what others have written since; returns what holds now.

        Raises:
            QtuiError: it cannot be written; the old file is untouched.
        """
        ...

    def problems(self) -> Sequence[Problem]:
        """Return what was wrong when the settings were last read."""
        ...

    def changed(self) -> bool:
        """Tell whether the file is another one than the one last read or written; cheap."""
        ...


class PresetStore(Protocol):
    """The user's presets, and those that qtui comes with."""

    @property
    def path(self) -> Path:
        """Return where the user's are kept."""
        ...

    def load(self) -> Sequence[Preset]:
        """Read the presets, the user's first; never fails: what cannot be used stands in `problems`."""
        ...

    def save(self, preset: Preset) -> None:
        """Write one preset, over one of the same name.

        Raises:
            UsageError: its name or its options cannot be used.
            QtuiError: it cannot be written; the old file is untouched.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove one of the user's presets; harmless when there is none.

        Raises:
            QtuiError: it cannot be written; the old file is untouched.
        """
        ...

    def problems(self) -> Sequence[Problem]:
        """Return what was wrong when the presets were last read."""
        ...

    def changed(self) -> bool:
        """Tell whether the file is another one than the one last read or written; cheap."""
        ...
