"""Which rows hold the same bytes: from sizes, headers and hashes, as far as those are known.

Rows with equal sizes and equal headers are candidates. Equal hashes make them copies, different ones make them
strangers, and a hash that is not known leaves one a possible copy. Of all that hold the same bytes one is kept: that
in the folder of a program, which would miss it, else the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from qtui.core.library.variant import Variant


def mark_copies(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """Return the variants in their order, each with what it is a copy of, and what deleting it would free."""
    rows = [_unmarked(variant) for variant in variants]
    alike: dict[object, list[int]] = {}
    for index, row in enumerate(rows):
        key = _candidate_key(row)
        if key is not None:
            alike.setdefault(key, []).append(index)
    for members in alike.values():
        if len(members) > 1:
            _mark(rows, members)
    return tuple(rows)


def to_hash(marked: Iterable[Variant], every: bool = False) -> tuple[Variant, ...]:
    """Return the variants whose hash would tell whether they, or others, are copies; smallest first.

    Args:
        marked: what `mark_copies` returned.
        every: all variants whose hash is not known.
    """
    rows = tuple(marked)
    doubtful = {row.possible_duplicate_of for row in rows} | {row.path for row in rows if row.possible_duplicate_of}
    unknown = [row for row in rows if row.prints and hashes(row) is None and row.complete]
    wanted = [row for row in unknown if every or row.path in doubtful]
    return tuple(sorted(wanted, key=lambda row: (row.size, row.path)))


def hashes(variant: Variant) -> tuple[str, ...] | None:
    """Return the hashes of a variant's files; None where one is not known."""
    known = tuple(each.sha256 for each in variant.prints)
    return known if known and all(known) else None


def _unmarked(row: Variant) -> Variant:
    if row.duplicate_of is None and row.possible_duplicate_of is None:
        return row
    return replace(row, duplicate_of=None, possible_duplicate_of=None, reclaimable=0)


def _candidate_key(row: Variant) -> tuple[tuple[int, str], ...] | None:
    """Return what candidates have in common; None for what is not compared: sets with gaps, files without a header."""
    key = tuple((each.size, each.header) for each in row.prints)
    whole = key and row.complete and all(size and header for size, header in key)
    return key if whole else None


def _mark(rows: list[Variant], members: Sequence[int]) -> None:
    known: dict[tuple[str, ...], list[int]] = {}
    unknown = []
    for index in members:
        told = hashes(rows[index])
        if told is None:
            unknown.append(index)
        else:
            known.setdefault(told, []).append(index)
    for same in known.values():
        keeper = min(same, key=lambda index: _rank(rows[index]))
        for index in same:
            if index != keeper:
                row = rows[index]
                rows[index] = replace(row, duplicate_of=rows[keeper].path, reclaimable=row.releases)
    if unknown:
        first = min(members, key=lambda index: (rows[index].duplicate_of is not None, _rank(rows[index])))
        for index in unknown:
            if index != first:
                rows[index] = replace(rows[index], possible_duplicate_of=rows[first].path)
        # A row that is known stays unmarked, but one of unknown bytes that goes first leaves the others in doubt.
        if first in unknown:
            for same in known.values():
                keeper = min(same, key=lambda index: _rank(rows[index]))
                rows[keeper] = replace(rows[keeper], possible_duplicate_of=rows[first].path)


def _rank(row: Variant) -> tuple[bool, float, str]:
    """Order rows by how much they are to be kept: a program's own first, then the oldest, then by path."""
    return (not row.owner.manages, row.written if row.written is not None else float("inf"), str(row.path))
