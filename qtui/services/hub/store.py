"""Keeps headers of remote files, each as a file that stands for the real one: its header, its size, a hole behind.

Whatever reads a model's file (facts, closed form, dry run) then reads this one alike. The name is the sha256 of the
real file, so that what is kept holds for ever; what was not looked at for longest goes when all together take too much.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, QtuiError
from qtui.core.gguf.reader import Header, read_header
from qtui.core.hub.repository import RepositoryFile
from qtui.core.text import GIB, MIB, clean
from qtui.services.library.source import FileSource
from qtui.services.paths import cache_dir, cache_path

FOLDER = "hub-headers"
MOST_BYTES = 2 * GIB
"""On disk, of all that is kept: some three hundred headers of the largest vocabularies."""
SWEEP_EVERY = 50
"""Headers that are written before it is looked again whether all take too much."""
SPARE = 8 * MIB
"""What a file may take on disk beyond its header, as block sizes make it."""


class HeaderStore:
    """Headers by the digest of the file that they are of; to be used off the event loop.

    Args:
        folder: where they are kept; by default in qtui's cache folder.
        most_bytes: on disk.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._written = 0

    def path(self, file: RepositoryFile) -> Path:
        """Return where the header of a file is kept, or would be. Its ending keeps it out of every scan for models."""
        folder = self._folder or cache_path() / FOLDER
        return folder / file.key[:2] / f"{file.key}.header"

    def get(self, file: RepositoryFile) -> Header | None:
        """Return a header that is kept; None when it is not, or not as it was written."""
        path = self.path(file)
        try:
            with FileSource(path) as source:
                if source.size != file.size:
                    return None
                header = read_header(source, check_data=False)
        except BadFileError:
            return None
        with contextlib.suppress(OSError):  # looked at now; the time of writing stays the file's on the Hub
            os.utime(path, (time.time(), path.stat().st_mtime))
        return header

    def put(self, file: RepositoryFile, content: bytes) -> Path:
        """Keep the header of a file.

        Args:
            file: that it is of.
            content: its beginning, at least to where its tensor table ends.

        Raises:
            EngineError: the file system has no sparse files.
            QtuiError: it cannot be written.
        """
        if self._folder is None:
            cache_dir()
        path = self.path(file)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, content[: file.size], file)
        except OSError as error:
            raise QtuiError(
                f"headers cannot be kept: {clean(error.strerror or str(error))}",
                "check the space and the permissions of the cache folder (XDG_CACHE_HOME)",
            ) from error
        self._written += 1
        if self._written % SWEEP_EVERY == 1:
            self.sweep()
        return path

    def sweep(self) -> None:
        """Remove what was not looked at for longest, until what is left takes no more than it may."""
        kept = []
        for path in (self._folder or cache_path() / FOLDER).glob("*/*.header"):
            with contextlib.suppress(OSError):
                state = path.stat()
                kept.append((state.st_atime, getattr(state, "st_blocks", 0) * 512, path))
        left = sum(held for _, held, _ in kept)
        for _, held, path in sorted(kept):
            if left <= self._most_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                left -= held


def _write(path: Path, content: bytes, file: RepositoryFile) -> None:
    """Write a sparse file, whole or not at all.

    It is not flushed to the disk: what a crash leaves of it is no header, and is fetched again.

    Raises:
        EngineError: the file system has no sparse files.
        OSError: it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.truncate(file.size)
        state = temporary.stat()
        if getattr(state, "st_blocks", 0) * 512 > len(content) + SPARE:
            raise EngineError(
                "headers of files that are not here need a file system with sparse files",
                "let XDG_CACHE_HOME name a folder on one",
            )
        os.utime(temporary, (time.time(), time.time() if file.date is None else file.date))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
