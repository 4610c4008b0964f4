"""ThemeFile: the text of a theme before anyone has judged it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A theme as it was read. A file of the user's with the name of a shipped one takes its place."""

    name: str
    """The file's name without its ending, clean."""
    path: Path
    text: str = ""
    shipped: bool = False
    problem: str = ""
    """Why it could not be read; then there is no text."""
