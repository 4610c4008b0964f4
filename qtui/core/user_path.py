"""Paths as users write them. What cannot be filled in stays as it is written: pathlib's own `expanduser` fails."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(text: str | Path) -> Path:
    """Return a path with the `~` of a home filled in."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - it never fails


def expanded_path(text: str | Path) -> Path:
    """Return a path with `~` and `$VARIABLES` filled in."""
    return Path(os.path.expandvars(os.path.expanduser(text)))  # noqa: PTH111 - it never fails
