"""RemoteVariant: one quantised form of a model in a repository, its shards together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from qtui.core.hub.repository import RepositoryFile
from qtui.core.library.variant import Variant


class Status(StrEnum):
    """How much of a variant is on this machine."""

    REMOTE = "remote"
    PARTIAL = "partial"
    HERE = "here"


@dataclass(frozen=True, slots=True)
class RemoteVariant:
    """A row of a repository. All text in it is clean."""

    variant: Variant
    """As every other part of qtui takes it: its path is where its header is kept once it was read, its `address` tells
    where it is."""
    files: tuple[RepositoryFile, ...]
    """The file, or its shards in order."""
    projector: RepositoryFile | None = None
    """What goes with it so that it sees or hears."""
    status: Status = Status.REMOTE
    here: Path | None = None
    """The copy on this machine, of the first shard."""
    newer: bool = False
    """The Hub holds other bytes under this name than this machine."""
    header_read: bool = False
    problem: str = ""
    """Why its header cannot be read, for the last attempt; what is wrong with the file itself is in `variant`."""
    flags: tuple[str, ...] = ()
    """What its header or name says that one would not expect, a sentence each."""

    @property
    def key(self) -> str:
        """Return what names the row: the path of its first file."""
        return self.files[0].path

    @property
    def address(self) -> str:
        """Return `REPO/FILE`."""
        return self.variant.address

    @property
    def size(self) -> int:
        """Return the bytes of all its files."""
        return self.variant.size

    @property
    def date(self) -> float | None:
        """Return when its newest file was put up, seconds since the epoch."""
        return max((file.date for file in self.files if file.date is not None), default=None)

    @property
    def sha256(self) -> str | None:
        """Return the digest of a single file; of several there is none."""
        return (self.files[0].sha256 or None) if len(self.files) == 1 else None

    @property
    def scan(self) -> str:
        """Return the worst that the Hub's scanners say; empty where all is safe, or nothing is told."""
        return next((file.scan for file in self.files if file.scan not in ("", "safe", "queued", "unscanned")), "")
