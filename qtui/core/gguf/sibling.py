"""Headers of sibling quants: what two files of one model have in common need not be fetched twice.

Quants of a model share their tokenizer, which is nearly all of a header; what stands before and after it (hyper-
parameters, template, file type, tensor table) is their own. So of a sibling only that is fetched, and the elements of
the tokenizer's arrays are taken from a header that is whole. It counts as proven when

- the first array begins with the same key, type and number of elements, and the first and the last `GUARD` bytes of the
  gap are the sibling's own and equal those of the reference,
- what follows the gap reads as metadata and as a tensor table of the numbers that the sibling's own head tells, and
- the data that this table describes ends where the file does, to the byte of the padding.

An array of another length would shift all that follows it. Elements of equal length may differ (a token's type, say);
nothing that qtui computes or shows is read from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.gguf.partial import PartialSource
from qtui.core.gguf.reader import ArrayRef, Header
from qtui.core.gguf.source import ByteSource

GUARD = 4096
"""Bytes at both ends of the gap that are fetched and compared."""
LEAST_GAP = 64 << 10
"""Bytes below which a gap is not worth the requests."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The elements of consecutive tokenizer arrays in a reference's header."""

    marker: bytes
    """What stands before the first element: key, type and number of elements."""
    start: int
    """The first array's first element."""
    end: int
    """The byte after the last array's last element."""

    @property
    def head(self) -> int:
        """Return how many bytes of a sibling's beginning are needed when nothing in it is longer."""
        return self.start + GUARD


def gap_of(header: Header, source: ByteSource) -> Gap | None:
    """Return the gap of a header that is whole; None where there is none that is worth it.

    Raises:
        BadFileError, NotFetchedError: as the source does.
    """
    best: tuple[str, ArrayRef, ArrayRef] | None = None
    run: tuple[str, ArrayRef, ArrayRef] | None = None
    for key, value in header.metadata.items():
        if not (isinstance(value, ArrayRef) and key.startswith("tokenizer.")):
            run = None
            continue
        run = (key, value, value) if run is None else (run[0], run[1], value)
        if best is None or run[2].end - run[1].offset > best[2].end - best[1].offset:
            best = run
    if best is None or best[2].end - best[1].offset < LEAST_GAP:
        return None
    key, first, last = best
    before = 8 + len(key.encode()) + 16  # the key with its length; ARRAY, the elements' type, their number
    return Gap(source.read(first.offset - before, before), first.offset, last.end)


def shift_of(gap: Gap, head: bytes, reference: ByteSource) -> int | None:
    """Return by how many bytes a sibling's gap lies behind the reference's; None where the head is no sibling's.

    `head` is the beginning of the sibling, as far as it was fetched.
    """
    at = head.find(gap.marker)
    if at < 0 or head.find(gap.marker, at + 1) >= 0:
        return None
    start = at + len(gap.marker)
    own = head[start : start + GUARD]
    if len(own) < GUARD or own != reference.read(gap.start, GUARD):
        return None
    return start - gap.start


def tail_of(gap: Gap, shift: int) -> int:
    """Return the byte of the sibling from which on it has to be fetched again."""
    return gap.end + shift - GUARD


def assemble(
    gap: Gap, shift: int, *, head: bytes, tail: bytes, reference: ByteSource, size: int
) -> PartialSource | None:
    """Return the sibling as far as it is known, the gap filled from the reference; None where the gap's end differs.

    Args:
        gap: of the reference.
        shift: of the sibling against it.
        head: the sibling's beginning, at least to `GUARD` bytes behind where its gap begins.
        tail: the sibling's bytes from `tail_of` on.
        reference: the header that is whole.
        size: bytes of the sibling's file.
    """
    if tail[:GUARD] != reference.read(gap.end - GUARD, GUARD):
        return None
    found = PartialSource(size)
    found.put(0, head)
    found.put(tail_of(gap, shift), tail)
    found.put(gap.start + shift, reference.read(gap.start, gap.end - gap.start))
    return found


def proven(header: Header) -> bool:
    """Tell whether the data that a header describes ends where its file does, but for the last tensor's padding."""
    known = header.tensors and all(tensor.size_bytes is not None for tensor in header.tensors)
    return bool(known) and 0 <= header.file_size - header.needed_size < header.alignment
