"""Sorts found files into items: what becomes one row each. Nothing is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from qtui.core.gguf.names import parse_name
from qtui.core.gguf.shards import ShardSet, group
from qtui.core.library.variant import Role
from qtui.services.library.walk import Found

_WITHOUT_HEADER = (Role.IMATRIX, Role.RAWPART)
"""Roles that files with other endings than .gguf may have; they are listed and never opened."""


@dataclass(frozen=True, slots=True)
class Item:
    """The files of one variant, under the name that they were found first."""

    shards: ShardSet[Path]
    files: tuple[Found, ...]
    """In the order of the shards."""
    names: tuple[Path, ...]
    """Every path of the first file."""

    @property
    def first(self) -> Found:
        """Return the first file that is here."""
        return self.files[0]

    @property
    def name(self) -> PurePath:
        """Return the first file's path below its place, the place's own name included."""
        below = self.first.path.relative_to(self.first.root)
        return PurePath(self.first.root.name) / below if not self.first.repository else below


def items_of(found: Iterable[Found]) -> list[Item]:
    """Group files into items, in the order in which they were found.

    Shards are put together folder by folder. Names that lead to the same bytes, all shards of a set alike, are one
    item: links, snapshots of one repository that share a file.
    """
    by_path = {file.path: file for file in found if _is_listed(file.path)}
    merged: dict[tuple[object, ...], Item] = {}
    for shards in group(by_path):
        files = tuple(by_path[path] for path in shards.paths)
        key = (shards.raw, *(file.identity for file in files))
        known = merged.get(key)
        if known is None:
            merged[key] = Item(shards, files, shards.paths[:1])
        else:
            merged[key] = Item(known.shards, known.files, (*known.names, shards.paths[0]))
    return list(merged.values())


def has_header(item: Item) -> bool:
    """Tell whether the files of an item are GGUF by their names, and whole files each."""
    return not item.shards.raw and item.first.path.name.lower().endswith(".gguf")


def _is_listed(path: Path) -> bool:
    return path.name.lower().endswith(".gguf") or parse_name(path.name).role in _WITHOUT_HEADER
