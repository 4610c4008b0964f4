"""The log file of each child: what llama.cpp says on its standard error, kept for the sentence after a crash."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.text import clean
from qtui.services.paths import log_dir

KEPT_FILES = 40
TAIL_BYTES = 64 << 10
TAIL_LINES = 20
MAX_LINE = 2000


class ChildLog:
    """One child's log file, or nothing where no folder can be written."""

    def __init__(self, name: str, folder: Callable[[], Path] = log_dir) -> None:
        self.path: Path | None = None
        """None: the output goes to /dev/null."""
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
                return os.open(self.path, os.O_WRONLY | os.O_APPEND)
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
    """Remove all but the newest logs; a log that another process removes meanwhile is no failure."""
    with contextlib.suppress(QtuiError, OSError):
        logs = sorted(folder().glob("engine-*.log"), key=lambda path: path.stat().st_mtime)
        for path in logs[:-keep] if keep else logs:
            path.unlink(missing_ok=True)
