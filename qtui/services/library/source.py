"""GGUF files on disk as byte sources."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from qtui.core.errors import BadFileError
from qtui.core.gguf.reader import Header, read_header
from qtui.core.text import clean, clean_name


class FileSource:
    """An open regular file, read by position. Opening never waits for a FIFO; devices and directories are refused.

    Raises:
        BadFileError: missing, unreadable, or not a regular file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Without O_NONBLOCK, opening a FIFO waits for a writer.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            self._fd = os.open(path, flags)
        except (OSError, ValueError) as error:
            raise _translated(path, error) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            raise _not_regular(path, status.st_mode)
        self.status = status
        self._size = status.st_size

    @property
    def size(self) -> int:
        """Return the file's size when it was opened, in bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file."""
        pieces = []
        try:
            while length > 0 and (piece := os.pread(self._fd, length, offset)):
                pieces.append(piece)
                offset += len(piece)
                length -= len(piece)
        except OSError as error:
            raise _translated(self.path, error) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def forget(self, offset: int, length: int) -> None:
        """Let the system drop what was read of the file from memory; pages that a process has mapped stay."""
        if hasattr(os, "posix_fadvise") and length > 0:
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._fd, offset, length, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_file_header(path: Path, *, check_data: bool = True) -> Header:
    """Open a file and read its header; errors name the file.

    Raises:
        BadFileError: missing, unreadable, not a regular file, not GGUF, damaged or truncated.
    """
    with FileSource(path) as source:
        try:
            return read_header(source, check_data=check_data)
        except BadFileError as error:
            raise BadFileError(f"{clean_name(path.name)}: {error.message}", error.hint) from error


def _translated(path: Path, error: OSError | ValueError) -> BadFileError:
    name = clean_name(str(path))
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return BadFileError(f"{name}: no such file", "Check the path; `qtui ls` shows what is here.")
    if isinstance(error, PermissionError):
        return BadFileError(f"{name}: may not be read", "Check who owns it and its permissions.")
    if isinstance(error, OSError):
        return BadFileError(f"{name}: cannot be read ({clean(error.strerror or str(error))})", "Check the path.")
    return BadFileError(f"{name}: not a path", "A path holds no NUL character.")


def _not_regular(path: Path, mode: int) -> BadFileError:
    name = clean_name(str(path))
    if stat.S_ISDIR(mode):
        return BadFileError(f"{name} is a directory", "Name a .gguf file in it, or scan it with --models-dir.")
    what = "a FIFO" if stat.S_ISFIFO(mode) else "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "special"
    return BadFileError(f"{name} is {what}, not a regular file", "Copy it to a regular file first.")
