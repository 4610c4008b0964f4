"""What was read of files, remembered while they stay as they are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, mtime in ns) of every file."""
Read = TypeVar("Read")


class Remembered(Generic[Read]):
    """Keeps what was read last, by the files that it was read from; threads may share it.

    Args:
        kept: how many are kept.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._known: OrderedDict[Stamp, Read] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, paths: Sequence[Path], read: Callable[[], Read]) -> Read:
        """Return what was read of some files, reading it where it is not known or a file is another one now."""
        stamp = _stamp(paths)
        with self._lock:
            if stamp is not None and stamp in self._known:
                self._known.move_to_end(stamp)
                return self._known[stamp]
        found = read()
        with self._lock:
            if stamp is not None:
                self._known[stamp] = found
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
        return found


def _stamp(paths: Sequence[Path]) -> Stamp | None:
    """Return what tells whether the files are still the same; None where one cannot be looked at."""
    found = []
    for path in paths:
        try:
            status = path.stat()
        except (OSError, ValueError):
            return None
        found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)
