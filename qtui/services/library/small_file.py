"""Small files that other programs write: read whole, within bounds, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 20


def read_small(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """Return the bytes of a regular file of at most `most`; None for what is larger, no file, or unreadable."""
    with contextlib.suppress(OSError, ValueError):
        # Without O_NONBLOCK, opening a FIFO waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                content = stream.read(most + 1)
                return content if len(content) <= most else None
    return None


def read_object(path: Path, most: int = MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object that a small file holds; empty for anything else."""
    content = read_small(path, most)
    if content is None:
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
