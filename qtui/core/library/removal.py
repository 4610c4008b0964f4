"""Removal: what deleting a variant would take away and what it would free, and why some of it has to stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from qtui.core.errors import QtuiError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.sessions import SessionSeen


class Mechanism(StrEnum):
    """How a name is taken away."""

    UNLINK = "unlink"
    HF_CACHE = "huggingface_hub"
    """By huggingface_hub, which keeps blobs that other revisions need."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """One name that goes, as it stood there when it was looked at: another file under the same name stays."""

    path: Path
    mechanism: Mechanism
    root: Path
    """The folder that it must lie in, all links resolved."""
    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting a variant means."""

    variant: Variant
    doomed: tuple[Doomed, ...] = ()
    kept: tuple[tuple[Path, str], ...] = ()
    """Names that stay, and why."""
    frees: int = 0
    """Bytes; less than the variant's size where names stay, or others are not known."""
    commands: tuple[tuple[str, ...], ...] = ()
    """What the user has to run instead: its owner lets nobody else delete."""

    def as_json(self, removed: bool) -> dict[str, Any]:
        """Return what `qtui rm --json` prints."""
        return {
            "file": str(self.variant.path),
            "model": self.variant.model,
            "quant": self.variant.quant,
            "owner": self.variant.owner.value,
            "deletes": [{"path": str(one.path), "by": one.mechanism.value} for one in self.doomed],
            "keeps": [{"path": str(path), "reason": reason} for path, reason in self.kept],
            "frees": self.frees,
            "commands": [list(command) for command in self.commands],
            "removed": removed,
        }


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone."""

    paths: tuple[Path, ...]
    freed: int
    """Bytes."""


def holders(removal: Removal, sessions: Iterable[SessionSeen]) -> tuple[SessionSeen, ...]:
    """Return the sessions that have one of the files loaded."""
    variant = removal.variant
    files = {str(path) for path in (*variant.paths, *variant.shards, variant.path)}
    files |= {str(one.path) for one in removal.doomed}
    return tuple(seen for seen in sessions if seen.record.path in files)


def check_unused(removal: Removal, sessions: Iterable[SessionSeen]) -> None:
    """Refuse to delete what a session has loaded: its pages would come from a file that nobody can find any more.

    Raises:
        UsageError: a session holds one of the files.
    """
    for seen in holders(removal, sessions):
        title, session = removal.variant.title, seen.record.id
        raise UsageError(f"{title} is loaded by session {session}", f"qtui stop {session}")


def check_possible(removal: Removal) -> None:
    """Refuse a removal that takes nothing away.

    Raises:
        QtuiError: with the command of the owner, or the reason of the first name.
    """
    if removal.doomed:
        return
    title = removal.variant.title
    if removal.commands:
        command = "; ".join(" ".join(words) for words in removal.commands)
        raise QtuiError(f"{title} belongs to Ollama, which alone may delete it", command)
    reason = removal.kept[0][1] if removal.kept else "no name of it is known"
    raise QtuiError(f"{title} cannot be deleted: {reason}", "delete it where it lies")
