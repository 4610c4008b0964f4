"""A file of which only some bytes are known, as while it is read over a network."""

from __future__ import annotations

from bisect import bisect_right


class NotFetchedError(Exception):
    """Bytes are asked for that have not come yet."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(f"bytes {start} to {end}")
        self.start = start
        """The first byte that is missing."""
        self.end = end
        """The byte after the last one that was asked for."""


class PartialSource:
    """Bytes as a source, in pieces that were put there; whoever reads beyond them gets `NotFetchedError`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._starts: list[int] = []
        self._pieces: list[bytearray] = []

    @property
    def size(self) -> int:
        """Return how many bytes the whole file has."""
        return self._size

    @property
    def prefix(self) -> int:
        """Return how many bytes are known from the beginning on without a gap."""
        end = 0
        for start, piece in zip(self._starts, self._pieces, strict=True):
            if start > end:
                break
            end = start + len(piece)
        return end

    def put(self, offset: int, data: bytes) -> None:
        """Add bytes; where some of them are known already, those stay."""
        end = min(offset + len(data), self._size)
        position = offset
        while position < end:
            index = bisect_right(self._starts, position)
            if index and position < (known := self._starts[index - 1] + len(self._pieces[index - 1])):
                position = known
                continue
            stop = min(end, self._starts[index]) if index < len(self._starts) else end
            new = data[position - offset : stop - offset]
            if index and position == self._starts[index - 1] + len(self._pieces[index - 1]):
                self._pieces[index - 1] += new
            else:
                self._starts.insert(index, position)
                self._pieces.insert(index, bytearray(new))
            position = stop

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file.

        Raises:
            NotFetchedError: some of them are not known.
        """
        end = min(offset + length, self._size)
        parts = []
        position = offset
        while position < end:
            index = bisect_right(self._starts, position) - 1
            inside = position - self._starts[index] if index >= 0 else 0
            if index < 0 or inside >= len(self._pieces[index]):
                raise NotFetchedError(position, end)
            part = bytes(memoryview(self._pieces[index])[inside : inside + end - position])
            parts.append(part)
            position += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
