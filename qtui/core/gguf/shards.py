"""Groups file names into variants: single files, sets of shards, sets of raw parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Generic, TypeVar

from qtui.core.gguf.names import split_part

P = TypeVar("P", bound=PurePath)


@dataclass(frozen=True, slots=True)
class ShardSet(Generic[P]):
    """The files of one variant that are here, in order."""

    paths: tuple[P, ...]
    indices: tuple[int, ...]
    """Their numbers, from 1."""
    total: int | None
    """How many belong to it; None for raw parts with letters."""
    raw: bool = False

    @property
    def complete(self) -> bool:
        """Tell whether llama.cpp can load it as it lies there."""
        return not self.raw and self.total == len(self.paths)

    @property
    def missing(self) -> tuple[int, ...]:
        """Return the numbers of the shards that are not here."""
        return tuple(n for n in range(1, (self.total or 0) + 1) if n not in self.indices)

    @property
    def problem(self) -> str:
        """Return why it cannot be loaded; empty when it can."""
        if self.raw:
            count = f"{len(self.paths)} of {self.total}" if self.total else str(len(self.paths))
            return f"raw parts ({count} here): they need joining"
        return "" if self.complete else f"{len(self.paths)} of {self.total} shards here"


def group(paths: Iterable[P]) -> list[ShardSet[P]]:
    """Group paths by folder, name and number of shards; the order of first appearance is kept.

    All shards must lie in one folder for llama.cpp to find them, so equal names in two folders are two sets; so are
    equal names with different totals.
    """
    sets: dict[object, dict[int, P]] = {}
    totals: dict[object, tuple[int | None, bool]] = {}
    for path in paths:
        part = split_part(path.name)
        key: object = (path.parent, part.stem, part.total, part.raw) if part else path
        # Two spellings of one number (`-split-00001-of-…` beside `-00001-of-…`) are two sets.
        index = part.index if part else 1
        if index in sets.get(key, {}):
            key = (key, path)
        sets.setdefault(key, {})[index] = path
        totals[key] = (part.total, part.raw) if part else (1, False)
    return [
        ShardSet(tuple(members[n] for n in sorted(members)), tuple(sorted(members)), *totals[key])
        for key, members in sets.items()
    ]
