"""What measuring needs of the outside world: services implement it, tests fake it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from qtui.core.measure.base_file import BaseHead
from qtui.core.measure.messages import MeasureEvent, MeasureJob
from qtui.core.measure.records import MeasureRecord
from qtui.core.measure.scores import ChunkScores


class Measurements(Protocol):
    """Measurements, kept between starts, in the same place as the history.

    Every call may raise QtuiError: the database is damaged, busy, of a newer qtui, or cannot be written.
    """

    async def keep(self, record: MeasureRecord) -> None:
        """Keep a measurement, over an older one of the same id."""
        ...

    async def records(self, limit: int = 50, search: str = "") -> Sequence[MeasureRecord]:
        """Return the newest measurements, newest first: those with all words of `search` in their names."""
        ...

    async def delete(self, ids: Sequence[str] | None = None) -> int:
        """Delete measurements, all of them for None; return how many there were."""
        ...


class Measurer(Protocol):
    """Computes texts with one model at a time."""

    def run(self, job: MeasureJob) -> AsyncGenerator[MeasureEvent, None]:
        """Do one job in a child, and yield what it tells; closing the iterator ends the child.

        Raises:
            QtuiError: the model or the plan is refused, a file cannot be used, or the child died.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text to measure on."""

    name: str
    """What it is called: `mixed`, `demo`, or the name of the user's file."""
    path: str
    sha256: str
    size: int
    """Bytes."""


class Texts(Protocol):
    """The texts that there are."""

    def names(self) -> Sequence[str]:
        """Return the names of those that ship."""
        ...

    async def find(self, name: str) -> TextFile:
        """Return a text by its name or its file.

        Raises:
            BadFileError: there is no such file, or it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredLogits:
    """A file of logits that is there already."""

    path: str
    head: BaseHead
    size: int
    """Bytes."""
    identity: str
    """Tells it from another, and from itself when it is written anew."""


class Desk(Protocol):
    """What one measurement keeps while it runs: the logits of its reference, and the scores of chunks so far."""

    @property
    def logits(self) -> str:
        """Return the path of the file of logits, whether it is there or not."""
        ...

    async def stored(self) -> StoredLogits | None:
        """Return the file of logits as it is now; None where there is none, or one that cannot be read."""
        ...

    async def free(self) -> int:
        """Return the bytes that can be written where the logits lie.

        Raises:
            QtuiError: the folder is not there.
        """
        ...

    async def chunks(self, name: str) -> Sequence[ChunkScores]:
        """Return the scores kept under a name, from the first chunk on."""
        ...

    async def add(self, name: str, scores: ChunkScores) -> None:
        """Keep the scores of the next chunk; those before it are kept already.

        Raises:
            QtuiError: they cannot be written.
        """
        ...

    async def cut(self, name: str, count: int) -> None:
        """Keep only the first of the scores under a name."""
        ...

    async def close(self, *, done: bool) -> str:
        """Let go of it; with `done` all was measured. Returns what became of the logits, as a sentence or nothing."""
        ...


class Workspace(Protocol):
    """Where measurements are worked on, and how much of them is kept."""

    async def look(self, path: str) -> StoredLogits:
        """Return what a file of logits says of itself.

        Raises:
            BadFileError: it cannot be read, or is none.
        """
        ...

    async def open(self, key: str, logits: str = "", *, fresh: bool = False) -> Desk:
        """Take the desk of a measurement, as it was left; with `fresh` an empty one.

        `logits` is where the logits lie or shall lie, by default in the workspace.

        Raises:
            QtuiError: another qtui works on it, or the folder cannot be used.
        """
        ...

    async def scratch(self) -> Desk:
        """Take a desk of its own, of which nothing stays once it is closed, and nothing for long if it never is.

        Raises:
            QtuiError: the folder cannot be used.
        """
        ...

    async def clean(self) -> int:
        """Remove all that no running qtui works on; return the bytes that were freed."""
        ...


@dataclass(frozen=True, slots=True)
class MeasureParts:
    """What measures variants."""

    measurer: Measurer
    workspace: Workspace
    texts: Texts
    measurements: Measurements
