"""Where the bytes of a GGUF file come from."""

from __future__ import annotations

from typing import Protocol


class ByteSource(Protocol):
    """Where a header is read from: a file, or ranges over HTTP."""

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`, fewer only where the source ends."""
        ...
