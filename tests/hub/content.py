"""Files of the test Hub: bytes, files on disk, sparse ones and endless noise; large ones are not held in memory."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 20
HASHED_AT_MOST = 256 << 20
"""Bytes of a sparse file that are hashed in earnest; a larger one gets a made-up sha256 that is always the same."""


class Content(Protocol):
    """One version of a file."""

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        ...

    @property
    def sha256(self) -> str:
        """Return the hex digest that the Hub tells."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end."""
        ...


@dataclass(frozen=True)
class Bytes:
    """A small file."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


@dataclass(frozen=True)
class OnDisk:
    """A file that lies somewhere."""

    path: Path

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        return digest(self)

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


@dataclass(frozen=True)
class Sparse:
    """Some pieces, which do not overlap and come in order, and zeros between them: a model file of any size."""

    size: int
    pieces: Sequence[tuple[int, bytes]] = field(default=(), repr=False)
    claimed: str = ""
    """A sha256 to tell instead of the real one."""

    @cached_property
    def sha256(self) -> str:
        if self.claimed:
            return self.claimed
        if self.size <= HASHED_AT_MOST:
            return digest(self)
        made_up = hashlib.sha256(str(self.size).encode())
        for offset, piece in self.pieces:
            made_up.update(b"%d:" % offset + piece)
        return made_up.hexdigest()

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        content = bytearray(length)
        for start, piece in self.pieces:
            begin, end = max(start, offset), min(start + len(piece), offset + length)
            if begin < end:
                content[begin - offset : end - offset] = piece[begin - start : end - start]
        return bytes(content)


@dataclass(frozen=True)
class Noise:
    """Bytes that look random, no two MiB of them alike; the same for the same seed."""

    size: int
    seed: int = 0

    @cached_property
    def sha256(self) -> str:
        return digest(self)

    @cached_property
    def _block(self) -> bytes:
        return random.Random(self.seed).randbytes(CHUNK)

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        parts, end = [], offset + length
        while offset < end:
            number, inside = divmod(offset, CHUNK)
            block = number.to_bytes(8, "little") + self._block[8:]
            parts.append(block[inside : inside + end - offset])
            offset += len(parts[-1])
        return b"".join(parts)


def digest(content: Content) -> str:
    """Return the sha256 of what `read` gives."""
    whole = hashlib.sha256()
    for offset in range(0, content.size, CHUNK):
        whole.update(content.read(offset, CHUNK))
    return whole.hexdigest()


def git_oid(content: Content) -> str:
    """Return git's name of a blob."""
    blob = hashlib.sha1(b"blob %d\0" % content.size)
    for offset in range(0, content.size, CHUNK):
        blob.update(content.read(offset, CHUNK))
    return blob.hexdigest()


def pointer(content: Content) -> bytes:
    """Return the LFS pointer that git holds instead of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{content.sha256}\nsize {content.size}\n".encode()
