"""Running: something that would not survive quitting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Running:
    """What runs now, in words; foreign names in it are clean."""

    what: str
    """As in `A Qwen3-8B Q4_K_M is answering`."""
    stops: str
    """What quitting does to it."""
    resumes: str = ""
    """What of it goes on when qtui is started again; empty: nothing."""
