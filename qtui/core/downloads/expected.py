"""Expected: a file on this machine and what it should be, and who says so."""

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
    here: int | None = None
    """Bytes that are here; None: it cannot be looked at."""
    size: int | None = None
    """Bytes that it should have; None: nobody tells."""
    sha256: str | None = None
    """None: nobody tells."""
    source: Source | None = None
    """None: nobody tells."""
    repository: str = ""
    """`owner/name`, where the place tells."""
