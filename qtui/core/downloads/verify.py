"""Whether files that are here are what they should be: by size and by SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Source(StrEnum):
    """Who says what a file should be."""

    MANIFEST = "manifest"
    """qtui's own record of a download."""
    CACHE = "cache"
    """The name that the Hugging Face cache gives to its bytes."""
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Expected:
    """A file on this machine and what it should be."""

    path: Path
    """The name under which it was found."""
    size: int | None = None
    """Bytes; None: nobody tells."""
    sha256: str | None = None
    """None: nobody tells."""
    source: Source | None = None
    """None: nobody tells."""


class Outcome(StrEnum):
    """What a check found."""

    OK = "ok"
    WRONG_SIZE = "wrong_size"
    DAMAGED = "damaged"
    """The size is right and the bytes are not."""
    UNKNOWN = "unknown"
    """There is nothing to compare with."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Checked:
    """One file that was read."""

    expected: Expected
    outcome: Outcome
    size: int | None
    """Bytes that are here; None: it cannot be read."""
    sha256: str | None
    """Of the bytes that are here; None: they were not read, because the size is wrong or they cannot be."""
    problem: str = ""
    """Why it cannot be read, clean."""


def outcome_of(expected: Expected, size: int, sha256: str | None) -> Outcome:
    """Return what a size and a digest mean; without a digest only whether the size is wrong is asked."""
    if expected.size is not None and size != expected.size:
        return Outcome.WRONG_SIZE
    if expected.sha256 is None:
        return Outcome.UNKNOWN
    return Outcome.OK if sha256 == expected.sha256 else Outcome.DAMAGED
