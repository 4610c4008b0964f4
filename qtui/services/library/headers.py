"""Reads what a row needs of a file's header, through the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.gguf.reader import read_header
from qtui.core.gguf.source import ByteSource
from qtui.core.library.record import FileRecord, record_of
from qtui.core.text import clean_name
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.walk import Found

ENDS = 1 << 16
"""Bytes of either end of a header that are hashed: the metadata's beginning, and the table of tensors."""

Opener = Callable[[Path], AbstractContextManager[ByteSource]]


class Headers:
    """Header facts of files: remembered ones where the file has not changed."""

    def __init__(self, cache: HeaderCache, open_file: Opener) -> None:
        self._cache = cache
        self._open_file = open_file

    def record(self, found: Found) -> FileRecord:
        """Return what a file's header says; whatever is wrong with the file is the record's problem."""
        if found.problem:
            return FileRecord(problem=found.problem)
        known = self._cache.get(found)
        if known is not None:
            return known
        try:
            record = self.read(found.path)
        except BadFileError as error:
            record = FileRecord(problem=error.message.removeprefix(f"{clean_name(str(found.path))}: "))
            if isinstance(error.__cause__, OSError):
                # Permissions and disk errors change without a new size or time.
                return record
        self._cache.put(found, record)
        return record

    def read(self, path: Path) -> FileRecord:
        """Read a file's header now.

        Raises:
            BadFileError: missing, unreadable, not a regular file, not GGUF, damaged; a short file has a record.
        """
        with self._open_file(path) as source:
            header = read_header(source, check_data=False)
            return replace(record_of(header), header_hash=header_hash(source, header.data_offset))

    def keep_hash(self, found: Found, sha256: str) -> None:
        """Remember the hash of a whole file beside what its header says, while the file stays as it is."""
        self._cache.put(found, replace(self.record(found), sha256=sha256))

    def save(self) -> None:
        """Keep what was read for the next scan; a cache that cannot be written is no loss."""
        self._cache.save()


def header_hash(source: ByteSource, size: int) -> str:
    """Return a hash of both ends of a header of `size` bytes and of its size.

    The vocabulary between them is megabytes and the same for all quants of a model. Only files whose hashes are equal
    can be copies; whether they are is told by the hash of the whole file.
    """
    told = hashlib.sha256(str(size).encode())
    told.update(source.read(0, min(size, ENDS)))
    told.update(source.read(max(0, size - ENDS), min(size, ENDS)))
    return told.hexdigest()[:32]
