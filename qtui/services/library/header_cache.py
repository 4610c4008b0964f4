"""Remembers what headers say, so that a scan opens only files that are new or have changed.

One JSON file in the cache folder, keyed by path, and valid for a file of the same size, modification time and inode:
another file under the same name is another file, whatever times it was given. The cache is loaded once and written
whole; one that is damaged, of another version, or not writable is as good as none.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

from qtui.core.errors import QtuiError
from qtui.core.library.record import FileRecord
from qtui.services.files import write_atomic
from qtui.services.library.walk import Found
from qtui.services.paths import cache_dir, cache_path

VERSION = 3
FILE = "headers.json"
MAX_ENTRIES = 50_000


class HeaderCache:
    """Header facts by file; threads may share it.

    Args:
        path: the cache's file; by default in qtui's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries: dict[str, list[Any]] | None = None
        self._new: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def get(self, found: Found) -> FileRecord | None:
        """Return what the header of a file said, None when it is not known or the file has changed."""
        match self._known().get(str(found.path)):
            case [found.size, found.mtime_ns, found.inode, dict() as values]:
                with contextlib.suppress(TypeError, ValueError):
                    return FileRecord.from_json(values)
        return None

    def put(self, found: Found, record: FileRecord) -> None:
        """Remember what the header of a file says."""
        known = self._known()
        with self._lock:
            known[str(found.path)] = self._new[str(found.path)] = [
                found.size, found.mtime_ns, found.inode, record.as_json(),
            ]  # fmt: skip

    def save(self) -> bool:
        """Write what is new beside what others have written since; tell whether the file is up to date now."""
        with self._lock:
            new, self._new = self._new, {}
        if not new:
            return True
        # New entries go last, so that the oldest are dropped first.
        entries = {key: entry for key, entry in self._read().items() if key not in new} | new
        kept = dict(list(entries.items())[-MAX_ENTRIES:])
        # ASCII escapes carry the lone surrogates of file names that are no UTF-8.
        content = json.dumps({"version": VERSION, "files": kept}, separators=(",", ":")).encode("ascii")
        try:
            write_atomic(self._path or cache_dir() / FILE, content)
        except QtuiError:
            return False
        return True

    def _known(self) -> dict[str, list[Any]]:
        with self._lock:
            if self._entries is None:
                self._entries = self._read()
            return self._entries

    def _read(self) -> dict[str, list[Any]]:
        path = self._path or cache_path() / FILE
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        match content:
            case {"version": int(version), "files": dict(files)} if version == VERSION:
                return {key: entry for key, entry in files.items() if isinstance(entry, list)}
        return {}
