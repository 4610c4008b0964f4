"""Partial: what has come of a file so far. Right after any end of the process, so that every run can go on from it.

Its length is how much came; a state file beside it says of what. Without that, or with another SHA-256 in it, it starts
anew. What was kept is hashed again before more is added, and the whole is compared before it gets its name.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.landing import PARTIAL, STATE, Landing
from qtui.core.downloads.trouble import DiskFullError
from qtui.core.errors import BadFileError, QtuiError
from qtui.core.text import clean, clean_name
from qtui.core.wire import decode, encode
from qtui.services.downloads.child.digest import Digest

MAX_STATE = 1 << 16
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room on the disk, for this user, or in one file."""


@dataclass(frozen=True, slots=True)
class PartialState:
    """What a partial is a part of."""

    repository: str
    path: str
    commit: str
    sha256: str
    size: int


class Partial:
    """The open partial of one file. Bytes are appended; `done` tells how many there are."""

    def __init__(self, landing: Landing, state: PartialState) -> None:
        self._landing = landing
        self._state = state
        self._file = _opened(landing.partial)
        self._digest = Digest()
        self.done = os.fstat(self._file.fileno()).st_size
        self.anew = ""
        """Why what was here is not used; empty when it is, or nothing was here."""
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def check_kept(self, told: Callable[[int], None]) -> None:
        """Hash what is here already; `told` gets the bytes read so far and may raise to stop it."""
        self._file.seek(0)
        read = 0
        while read < self.done:
            buffer = self._digest.take()
            length = self._file.readinto(memoryview(buffer)[: self.done - read])
            self._digest.add(buffer, length or 0)
            if not length:
                break
            read += length
            told(read)
        self.done = read
        self._file.truncate(read)
        self._file.seek(read)

    def fill(self, read: Callable[[memoryview], int]) -> int:
        """Append what `read` puts into a buffer, at most what is missing of the file; returns how much it was.

        Raises:
            DiskFullError: there is no room for it.
            QtuiError: the disk refuses it.
        """
        buffer = self._digest.take()
        length = 0
        try:
            view = memoryview(buffer)[: self._state.size - self.done]
            length = read(view)
            self._write(view[:length])
        finally:
            self._digest.add(buffer, length)
        self.done += length
        return length

    def restart(self) -> None:
        """Throw away what is here."""
        self._digest.restart()
        self._file.truncate(0)
        self._file.seek(0)
        self.done = 0

    def is_right(self) -> bool:
        """Tell whether all bytes are here and are the right ones."""
        return self.done == self._state.size and self._digest.hexdigest() == self._state.sha256

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        self._digest.close()
        self._file.close()

    def become(self, final: Path) -> None:
        """Bring the bytes to the disk, give them their name, and forget the state.

        Raises:
            QtuiError: the disk refuses it.
        """
        try:
            os.fchmod(self._file.fileno(), 0o666 & ~_umask())
            os.fsync(self._file.fileno())
            self.close()
            self._landing.partial.replace(final)
            sync_folder(final.parent)
            self._landing.state.unlink(missing_ok=True)
        except OSError as error:
            refuse(final, error)

    def _write(self, view: memoryview) -> None:
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            refuse(self._landing.partial, error)

    def _begin(self) -> None:
        """Keep what is here when the state says that it is a part of this file; else empty it, and say so."""
        known = read_state(self._landing.state)
        same = known is not None and (known.sha256, known.size) == (self._state.sha256, self._state.size)
        if self.done and not same:
            self.anew = "what was here is not a part of this file: starting anew"
        elif self.done > self._state.size:
            self.anew = "more was here than the file has: starting anew"
        try:
            if self.anew:
                self.done = 0
                self._file.truncate(0)
            if known != self._state:
                _write_state(self._landing.state, self._state)
        except OSError as error:
            refuse(self._landing.state, error)


def read_state(path: Path) -> PartialState | None:
    """Return what a state file says; None when there is none, or it cannot be used."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as stream, contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            state = decode(stream.read(MAX_STATE), (PartialState,))
            return state if isinstance(state, PartialState) else None
    return None


def outdated(landing: Landing, repository: str, file: RemoteFile) -> dict[str, bool]:
    """Return the SHA-256 of partials beside this one that nobody will complete.

    True: they were of this name in this repository, and of other bytes; False: it is not known what they were of.
    """
    found = {}
    folder = landing.partial.parent
    for path in sorted([*folder.glob(f"*{PARTIAL}"), *folder.glob(f"*{STATE}")]):
        sha256 = path.name.partition(".")[0]
        if not re.fullmatch(r"[0-9a-f]{64}", sha256) or sha256 == file.sha256:
            continue
        state = read_state(path.with_name(sha256 + STATE))
        if state is None or state.sha256 != sha256:
            found[sha256] = False
        elif (state.repository, state.path) == (repository, file.path):
            found[sha256] = True
    return found


def refuse(path: Path, error: OSError) -> NoReturn:
    """Raise what a failed call on a path means."""
    name = clean_name(str(path))
    if error.errno in FULL:
        raise DiskFullError(
            f"the disk is full: {clean_name(str(path.parent))}", "free some space; what came is kept"
        ) from error
    if error.errno == errno.ELOOP:
        raise BadFileError(f"{name}: a link lies where the download would go", "Remove it.") from error
    raise QtuiError(
        f"cannot write {name}: {clean(error.strerror or str(error))}", "check the folder's permissions and the disk"
    ) from error


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; some file systems cannot."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> io.FileIO:
    """Open a partial for reading and writing: a regular file with one name, never a link to another."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        refuse(path, error)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise BadFileError(f"{clean_name(str(path))}: something else lies where the download would go", "Remove it.")
    return io.FileIO(descriptor, "r+b")


def _write_state(path: Path, state: PartialState) -> None:
    temporary = path.with_name(f".{os.getpid()}{path.name}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(encode(state).encode("ascii"))
        stream.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
