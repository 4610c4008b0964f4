"""Remembers what headers say, so that a scan opens only files that are new or have changed.

One JSON file in the cache folder, keyed by path, and valid for a file of the same size and modification time. It is
loaded once and written whole; one that is damaged, of another version, or not writable is as good as none.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from qtui.core.errors import QtuiError
from qtui.core.library.record import FileRecord
from qtui.services.files import write_atomic
from qtui.services.library.walk import Found
from qtui.services.paths import cache_dir, cache_path

VERSION = 1
FILE = "headers.json"
MAX_ENTRIES = 50_000


class HeaderCache:
    """Header facts by file. Not for several threads at once.

    Args:
        path: the cache's file; by default in qtui's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries: dict[str, list[Any]] | None = None
        self._new: dict[str, list[Any]] = {}

    def get(self, found: Found) -> FileRecord | None:
        """Return what the header of a file said, None when it is not known or the file has changed."""
        if self._entries is None:
            self._entries = self._read()
        match self._entries.get(str(found.path)):
            case [found.size, found.mtime_ns, dict() as values]:
                with contextlib.suppress(TypeError, ValueError):
                    return FileRecord.from_json(values)
        return None

    def put(self, found: Found, record: FileRecord) -> None:
        """Remember what the header of a file says."""
        if self._entries is None:
            self._entries = self._read()
        entry = [found.size, found.mtime_ns, record.as_json()]
        # Kept last, so that the oldest are dropped first.
        self._entries.pop(str(found.path), None)
        self._entries[str(found.path)] = self._new[str(found.path)] = entry

    def save(self) -> bool:
        """Write what is new beside what others have written since; tell whether the file is up to date now."""
        if not self._new:
            return True
        entries = {**self._read(), **self._new}
        kept = dict(list(entries.items())[-MAX_ENTRIES:])
        # ASCII escapes carry the lone surrogates of file names that are no UTF-8.
        content = json.dumps({"version": VERSION, "files": kept}, separators=(",", ":")).encode("ascii")
        try:
            write_atomic(self._path or cache_dir() / FILE, content)
        except QtuiError:
            return False
        self._new.clear()
        return True

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
