"""Listing: the files of a repository as variants: shards as one, projectors paired, the rest apart with its role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from qtui.core.gguf.names import parse_name
from qtui.core.gguf.shards import ShardSet, group
from qtui.core.hub.flags import name_flags
from qtui.core.hub.remote import RemoteVariant, Status
from qtui.core.hub.repository import LocalCopy, Repository, RepositoryFile
from qtui.core.library.beside import PROJECTORS
from qtui.core.library.build import Files, build_variant
from qtui.core.library.record import FileRecord
from qtui.core.library.variant import Role

SOURCE = "Hub"
MAX_ROWS = 2000
"""Variants that are shown of one repository."""
_ENDINGS = (".gguf", ".imatrix", ".dat", ".gguf_file")

Place = Callable[[RepositoryFile], Path]
"""Tells where the header of a file is kept, or would be."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a repository, largest first."""

    repository: Repository
    rows: tuple[RemoteVariant, ...]
    """Models, and raw parts of them that need joining."""
    drafts: tuple[RemoteVariant, ...] = ()
    """Small models that guess ahead for a large one."""
    others: tuple[RemoteVariant, ...] = ()
    """Projectors, importance matrices, adapters, vocabularies."""
    files: int = 0
    """All files of the repository, those that are no variant included."""
    left_out: int = 0
    """Files whose names cannot be used."""
    names: tuple[str, ...] = ()
    """The other files, for telling what a repository without GGUF is."""
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[RemoteVariant, ...]:
        """Return every row."""
        return (*self.rows, *self.drafts, *self.others)

    def find(self, key: str) -> RemoteVariant | None:
        """Return the row of this key."""
        return next((row for row in self.all if row.key == key), None)

    def with_row(self, changed: RemoteVariant) -> Listing:
        """Return the listing with one row changed; a header may move it to another group."""
        rows = [changed if row.key == changed.key else row for row in self.all]
        return _sorted(replace(self, rows=(), drafts=(), others=()), rows)


def list_variants(
    repository: Repository, files: Sequence[RepositoryFile], place: Place, copies: Iterable[LocalCopy] = (),
    left_out: int = 0,
) -> Listing:  # fmt: skip
    """Make the listing of a repository by the names of its files.

    Args:
        repository: whose files they are.
        files: all of them.
        place: where headers are kept.
        copies: what of it is on this machine.
        left_out: how many files more there are, whose names cannot be used.
    """
    by_path = {file.path: file for file in files if _concerns(file.path)}
    local = {copy.sha256 if copy.partial else copy.path: copy for copy in copies}
    notes = [f"{left_out} files with names that cannot be used are left out"] if left_out else []
    rows = []
    for shards in group([file.pure_path for file in by_path.values()]):
        members = tuple(by_path[str(path)] for path in shards.paths)
        rows.append(_with_copies(_row(repository, members, shards, place, ()), local))
    if len(rows) > MAX_ROWS:
        notes.append(f"{len(rows) - MAX_ROWS} of {len(rows)} variants are not shown")
        rows = sorted(rows, key=lambda row: -row.size)[:MAX_ROWS]
    listing = Listing(
        repository, (), files=len(files) + left_out, left_out=left_out, notes=tuple(notes),
        names=tuple(file.path for file in files if file.path not in by_path),
    )  # fmt: skip
    return _sorted(listing, rows)


def with_records(
    row: RemoteVariant, repository: Repository, records: Sequence[FileRecord], place: Place, flags: Sequence[str] = ()
) -> RemoteVariant:
    """Return a row as the headers of its files tell it; they go before its name."""
    shards = next(iter(group([file.pure_path for file in row.files])))
    read = _row(repository, row.files, shards, place, records)
    return replace(
        row, variant=read.variant, header_read=True, problem="", flags=tuple(dict.fromkeys((*read.flags, *flags)))
    )


def _row(
    repository: Repository, files: tuple[RepositoryFile, ...], shards: ShardSet[PurePosixPath], place: Place,
    records: Sequence[FileRecord],
) -> RemoteVariant:  # fmt: skip
    paths = tuple(place(file) for file in files)
    variant = build_variant(
        Files(
            shards=ShardSet(paths, shards.indices, shards.total, shards.raw),
            records=tuple(records) or (None,) * len(files),
            sizes=tuple(file.size for file in files),
            name=files[0].pure_path,
            names=paths[:1],
            source=SOURCE,
            repository=repository.id,
        )
    )
    variant = replace(variant, address=f"{repository.id}/{files[0].path}")
    if not records:  # the Hub has read one header, and the files of a repository are mostly of one model
        variant = replace(
            variant,
            architecture=repository.architecture if variant.role in (Role.MODEL, Role.EMBEDDING) else "",
        )
    return RemoteVariant(variant, files, flags=name_flags(files[0].path))


def _with_copies(row: RemoteVariant, local: Mapping[str, LocalCopy]) -> RemoteVariant:
    """Return the row with what of it is on this machine."""
    found = [(file, _copy_of(file, local)) for file in row.files]
    whole = [(file, copy) for file, copy in found if copy is not None and not copy.partial]
    same = [
        (file, copy) for file, copy in whole if copy.size == file.size and copy.sha256 in ("", file.sha256, file.oid)
    ]
    first = whole[0][1].here if whole else None
    if len(same) == len(row.files):
        return replace(row, status=Status.HERE, here=first)
    if len(whole) == len(row.files):
        return replace(row, status=Status.HERE, here=first, newer=True)
    if any(copy is not None for _, copy in found):
        return replace(row, status=Status.PARTIAL, here=first, newer=len(same) < len(whole))
    return row


def _copy_of(file: RepositoryFile, local: Mapping[str, LocalCopy]) -> LocalCopy | None:
    """Return the copy of a file: by its path, by its name where no folder is known; a begun download by its digest."""
    found = local.get(file.path) or local.get(file.pure_path.name) or local.get(file.sha256 or file.oid)
    return None if found is not None and found.guessed and found.size != file.size else found


def _sorted(listing: Listing, rows: Sequence[RemoteVariant]) -> Listing:
    """Sort rows into groups, largest first, and give each its projector."""
    ordered = sorted(rows, key=lambda row: (-row.size, row.variant.quant, row.key))
    projectors = [row for row in ordered if row.variant.role is Role.MMPROJ]
    paired = [replace(row, projector=_projector(row, projectors)) for row in ordered]
    loaded = (Role.MODEL, Role.EMBEDDING, Role.RAWPART)
    return replace(
        listing,
        rows=tuple(row for row in paired if row.variant.role in loaded),
        drafts=tuple(row for row in paired if row.variant.role is Role.DRAFT),
        others=tuple(row for row in ordered if row.variant.role not in (*loaded, Role.DRAFT)),
    )


def _projector(row: RemoteVariant, projectors: Sequence[RemoteVariant]) -> RepositoryFile | None:
    """Return the projector for a model: of its folder, else of the repository's root."""
    if row.variant.role is not Role.MODEL or not projectors:
        return None
    folder = row.files[0].pure_path.parent
    for place in dict.fromkeys((folder, PurePosixPath())):
        there = [each for each in projectors if each.files[0].pure_path.parent == place]
        if there:
            return min(there, key=_projector_rank).files[0]
    return None


def _projector_rank(row: RemoteVariant) -> tuple[int, int]:
    quant = row.variant.quant
    return (PROJECTORS.index(quant) if quant in PROJECTORS else len(PROJECTORS), row.size)


def _concerns(path: str) -> bool:
    """Tell whether a file is a GGUF file, a part of one, or an importance matrix."""
    name = path.rpartition("/")[2].lower()
    if ".gguf" in name:
        return True
    if name.endswith(".dat") and "imatrix" not in name:
        return False
    return name.endswith(_ENDINGS) and parse_name(path).role is Role.IMATRIX
