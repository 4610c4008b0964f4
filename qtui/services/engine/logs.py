"""The log file of each child: what llama.cpp says on its standard error, kept for the sentence after a crash.

Whoever begins a log removes old ones, those of other qtui processes too. A log is locked for as long as anybody can
write to it: the lock is on what `open` returns, which the child and its own children hold, and goes with the last.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.text import clean
from qtui.services.paths import log_dir

try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open
    fcntl = None  # type: ignore[assignment]

KEPT_FILES = 40
TAIL_BYTES = 64 << 10
TAIL_LINES = 20
MAX_LINE = 2000


class ChildLog:
    """One child's log file, or nothing where no folder can be written."""

    def __init__(self, name: str, folder: Callable[[], Path] = log_dir) -> None:
        self.path: Path | None = None
        """None: the output goes to /dev/null."""
        prune(folder, KEPT_FILES - 1)
        for place in (folder, lambda: Path(tempfile.gettempdir())):
            with contextlib.suppress(QtuiError, OSError):
                path = place() / f"engine-{name}.log"
                path.unlink(missing_ok=True)
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                self.path = path
                break

    def open(self) -> int:
        """Return a descriptor for the child to write to; the caller closes its own copy after the child started."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
                if fcntl is not None:
                    with contextlib.suppress(OSError):
                        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return descriptor
        return os.open(os.devnull, os.O_WRONLY)

    def tail(self) -> tuple[str, ...]:
        """Return the last lines, clean; none when there is no file."""
        return last_lines(self.path) if self.path is not None else ()


def last_lines(path: Path, count: int = TAIL_LINES) -> tuple[str, ...]:
    """Return the last lines of a log, clean; none when it cannot be read."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ()
    lines = (clean(line[:MAX_LINE]).rstrip() for line in text.split("\n"))
    return tuple(line for line in lines if line)[-count:]


def prune(folder: Callable[[], Path] = log_dir, keep: int = KEPT_FILES) -> None:
    """Remove all but the newest logs and those of children that run; one that another process removes is no failure."""
    with contextlib.suppress(QtuiError, OSError):
        times: list[tuple[float, Path]] = []
        for path in folder().glob("engine-*.log"):
            with contextlib.suppress(OSError):
                times.append((path.lstat().st_mtime, path))
        times.sort()
        for _, path in times[: max(0, len(times) - keep)]:
            with contextlib.suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    """Remove a log that nobody can write to any more.

    Raises:
        OSError: somebody can, or it cannot be removed.
    """
    if fcntl is not None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)  # a log is opened right after it was begun, or never again
    path.unlink(missing_ok=True)
