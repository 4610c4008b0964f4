"""Tells when files came or went: by the times of the folders that were looked at, and of files that were unfinished."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from qtui.services.library.walk import RACY, changed_ns


class Watched:
    """What a scan saw, and whether it still is so. A scan's thread writes it, another asks."""

    def __init__(self) -> None:
        self._folders: dict[Path, int] = {}
        self._files: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def saw(self, folders: Mapping[Path, int], roots: Iterable[Path], unfinished: Iterable[Path]) -> None:
        """Take what a scan saw.

        Args:
            folders: those that were read, and when each had changed last.
            roots: the places, which need not exist yet.
            unfinished: files that could not be used as they were: a download into place grows without a new name.
        """
        known = dict(folders)
        for root in roots:
            known.setdefault(root, changed_ns(root))
        files = {path: _state(path) for path in unfinished}
        with self._lock:
            self._folders, self._files = known, files

    def changed(self) -> bool:
        """Tell whether anything is not as it was seen; a few microseconds per folder."""
        with self._lock:
            folders, files = dict(self._folders), dict(self._files)
        if any(then == RACY or changed_ns(folder) != then for folder, then in folders.items()):
            return True
        return any(_state(path) != then for path, then in files.items())


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
