"""The queue between starts: a small file for each download, held by the qtui process that works on it.

A process takes up what no running process holds: what was being fetched when qtui was closed, killed or interrupted.
The lock of a file goes with its process, whatever ends it.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qtui.core.downloads.download import ACTIVE, Download, State, checked
from qtui.core.errors import BadFileError, QtuiError
from qtui.core.text import clean, clean_name
from qtui.core.wire import cleaned, decode, encode
from qtui.services.files import write_atomic
from qtui.services.paths import data_dir

try:
    import fcntl
except ImportError:  # Windows: one qtui at a time is assumed there
    fcntl = None  # type: ignore[assignment]

FOLDER = "downloads"
MAX_BYTES = 1 << 20
_NAME = re.compile(r"[0-9a-f]{16}\.json")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file holds."""

    place: int
    """In the queue."""
    download: Download


class Entries:
    """The kept downloads in a folder of qtui's data."""

    def __init__(self, folder: Callable[[], Path] = lambda: data_dir() / FOLDER) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        """Calls come from several threads, and a lock of ours looks like that of another process."""
        self._held: dict[str, int] = {}
        self._written: dict[str, Entry] = {}

    def load(self) -> list[Download]:
        """Take up all that nobody else holds, in their order; what cannot be read is left where it is."""
        found = []
        with self._lock, contextlib.suppress(OSError, QtuiError):
            for path in sorted(self._folder().glob("*.json")):
                entry = self._take(path.stem) if _NAME.fullmatch(path.name) else None
                if entry is not None:
                    found.append(entry)
        return [entry.download for entry in sorted(found, key=lambda entry: (entry.place, entry.download.id))]

    def adopt(self, download_id: str) -> Download | None:
        """Take up one; None when there is none or another process holds it."""
        with self._lock, contextlib.suppress(OSError, QtuiError):
            entry = self._take(download_id)
            return entry.download if entry is not None else None
        return None

    def others(self) -> list[Download]:
        """Return the downloads that other processes work on now."""
        found = []
        with self._lock, contextlib.suppress(OSError, QtuiError):
            for path in self._folder().glob("*.json"):
                if _NAME.fullmatch(path.name) and path.stem not in self._held and self._is_held(path.stem):
                    entry = self._read(path.stem)
                    if entry is not None and entry.download.state in (State.QUEUED, *ACTIVE):
                        found.append(entry.download)
        return found

    def keep(self, downloads: Sequence[Download]) -> None:
        """Write the queue: what is new or changed; files of downloads that are done or gone are removed.

        Raises:
            QtuiError: it cannot be written.
        """
        wanted = {one.id: Entry(place, _lasting(one)) for place, one in enumerate(downloads) if _is_kept(one)}
        with self._lock:
            try:
                self._keep(wanted)
            except OSError as error:
                said = clean(error.strerror or str(error))
                raise QtuiError(f"the queue of downloads cannot be kept: {said}", "check qtui's data folder") from error

    def release(self) -> None:
        """Let other processes take up what is kept."""
        with self._lock:
            for download_id in tuple(self._held):
                self._let_go(download_id)

    def _keep(self, wanted: Mapping[str, Entry]) -> None:
        for download_id in set(self._held) - set(wanted):
            for path in (self._path(download_id), self._path(download_id).with_suffix(".lock")):
                path.unlink(missing_ok=True)
            self._let_go(download_id)
        for download_id, entry in wanted.items():
            if self._hold(download_id) and self._written.get(download_id) != entry:
                write_atomic(self._path(download_id), encode(entry).encode("ascii"))
                self._written[download_id] = entry

    def _take(self, download_id: str) -> Entry | None:
        if not self._hold(download_id):
            return None
        entry = self._read(download_id)
        if entry is None:
            self._let_go(download_id)
        else:
            self._written[download_id] = entry
        return entry

    def _read(self, download_id: str) -> Entry | None:
        try:
            descriptor = os.open(self._path(download_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as stream, contextlib.suppress(OSError, BadFileError):
            entry = decode(stream.read(MAX_BYTES), (Entry,))
            if isinstance(entry, Entry):
                entry = cleaned(entry)
                checked(entry.download)
                return entry if entry.download.id == download_id else None
        return None

    def _hold(self, download_id: str) -> bool:
        """Take the lock of one; True when it is ours now or was before."""
        if download_id in self._held:
            return True
        descriptor = self._locked(download_id)
        if descriptor is None:
            return False
        self._held[download_id] = descriptor
        return True

    def _is_held(self, download_id: str) -> bool:
        descriptor = self._locked(download_id)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None

    def _locked(self, download_id: str) -> int | None:
        """Return a descriptor that holds the lock of one, None when another process has it."""
        folder = self._folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(folder / f"{clean_name(download_id)}.lock", flags, 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:  # a file system without locks: one qtui at a time is assumed
                pass
        return descriptor

    def _let_go(self, download_id: str) -> None:
        self._written.pop(download_id, None)
        os.close(self._held.pop(download_id))

    def _path(self, download_id: str) -> Path:
        return self._folder() / f"{download_id}.json"


def _is_kept(download: Download) -> bool:
    return download.state is not State.DONE


def _lasting(download: Download) -> Download:
    """Return a download without what changes all the time; how much is here the disk tells."""
    return replace(download, done=0, rate=None, time_left=None, note="", paths=())
