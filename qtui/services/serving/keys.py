"""The key of an endpoint: from a file that nobody else can read, or made."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from qtui.core.errors import UsageError
from qtui.core.serving.gate import LONGEST_KEY, checked_key
from qtui.core.text import clean, clean_name

BYTES = 24
"""Of a key that is made: 32 characters."""


def made_key() -> str:
    """Return a new key."""
    return secrets.token_urlsafe(BYTES)


def key_of_file(path: Path) -> str:
    """Return the key that a file holds, without the space around it.

    Raises:
        UsageError: it cannot be read, is no file, or others can read it too.
    """
    shown = clean_name(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hold us up
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise UsageError(f"{shown} is no file", "a file that holds the key and nothing else")
            if state.st_mode & 0o077:
                raise UsageError(f"{shown} can be read by others", f"chmod 600 {shown}")
            data = os.read(descriptor, 8 * LONGEST_KEY)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {clean(error.strerror or str(error))}", "see --api-key-file") from error
    return checked_key(data.decode("utf-8", "replace"), shown)
