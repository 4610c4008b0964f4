"""qtui's own log: a line per thing that one may want to look up later. A log that cannot be written is no error."""

from __future__ import annotations

import os
import time

from qtui.core.errors import QtuiError
from qtui.core.text import clean_name
from qtui.services.paths import log_dir

FILE = "qtui.log"
MAX_BYTES = 1 << 20
"""Beyond this the file starts anew; the one before is kept beside it."""


def note(line: str) -> bool:
    """Append one line with the time; tell whether it was written."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        path = log_dir() / FILE
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        # One short write to a file that is open for appending cannot be torn by another process.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{stamp} {clean_name(line, limit=2000)}\n".encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except (OSError, QtuiError):
        return False
    return True
