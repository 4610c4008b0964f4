"""Sorts found files into items: what becomes one row each. Nothing is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from qtui.core.gguf.names import parse_name
from qtui.core.gguf.shards import ShardSet, group
from qtui.core.library.owner import Owner
from qtui.core.library.variant import Role
from qtui.services.library.walk import PARTIAL, Found

_WITHOUT_HEADER = (Role.IMATRIX, Role.RAWPART)
"""Roles that files with other endings than .gguf may have; they are listed and never opened."""


@dataclass(frozen=True, slots=True)
class Item:
    """The files of one variant, under the name that they were found first."""

    shards: ShardSet[Path]
    files: tuple[Found, ...]
    """In the order of the shards."""
    others: tuple[tuple[Found, ...], ...] = ()
    """The same files under each of their other names."""

    @property
    def first(self) -> Found:
        """Return the first file that is here."""
        return self.files[0]

    @property
    def names(self) -> tuple[Path, ...]:
        """Return every path of the first file."""
        return (self.first.path, *(files[0].path for files in self.others))

    @property
    def name(self) -> PurePath:
        """Return the first file's path below its place, the place's own name included."""
        first = self.first
        below = first.path.relative_to(first.root)
        below = below.with_name(first.named) if first.named else below
        return PurePath(first.root.name) / below if not first.repository else below

    @property
    def aliases(self) -> tuple[str, ...]:
        """Return what its owner calls it."""
        return tuple(dict.fromkeys(alias for files in (self.files, *self.others) for alias in files[0].aliases))

    @property
    def releases(self) -> int:
        """Return the bytes that would be free if every name of it was deleted.

        A file goes with its last name. A blob that only links of its own cache lead to goes with them; a file that
        was found by a link alone stays where it is.
        """
        freed = 0
        for shard in zip(self.files, *self.others, strict=True):
            real = {found.path for found in shard if not found.symlink}
            blob = any(found.owner is Owner.HF and found.symlink for found in shard)
            if len(real) + blob >= shard[0].links and shard[0].inode:
                freed += shard[0].size
        return freed


def items_of(found: Iterable[Found]) -> list[Item]:
    """Group files into items, those of programs first, else in the order in which they were found.

    Shards are put together folder by folder. Names that lead to the same bytes, all shards of a set alike, are one
    item: links, snapshots of one repository that share a file. A name in a program's own folder goes first: it is that
    program's file, whoever has linked to it.
    """
    by_path: dict[Path, Found] = {}
    for file in sorted(found, key=lambda file: not file.owner.manages):
        if _is_listed(file.name):
            by_path.setdefault(file.path, file)
    merged: dict[tuple[object, ...], Item] = {}
    for shards in group(by_path):
        files = tuple(by_path[path] for path in shards.paths)
        key = (shards.raw, *(file.identity for file in files))
        known = merged.get(key)
        if known is None:
            merged[key] = Item(shards, files)
        else:
            merged[key] = replace(known, others=(*known.others, files))
    return list(merged.values())


def has_header(item: Item) -> bool:
    """Tell whether the files of an item are GGUF by their names, and whole files each."""
    first = item.first
    return not item.shards.raw and first.problem != PARTIAL and first.name.lower().endswith(".gguf")


def _is_listed(name: str) -> bool:
    return name.lower().endswith(".gguf") or parse_name(name).role in _WITHOUT_HEADER
