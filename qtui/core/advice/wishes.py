"""Wishes: what a variant is wanted for, in four fields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Use(StrEnum):
    """What it is for."""

    CHAT = "chat"
    CODE = "code"
    MATHS = "maths"
    TOOLS = "tools"
    LONG = "long-documents"


class Prefer(StrEnum):
    """What goes before the other, where both cannot be had."""

    QUALITY = "quality"
    SPEED = "speed"


@dataclass(frozen=True, slots=True)
class Wishes:
    """The four fields."""

    use: Use = Use.CHAT
    prefer: Prefer = Prefer.QUALITY
    ctx_size: int = 0
    """Tokens of context; 0: as the plan says."""
    keep_free: int | None = None
    """Bytes of RAM and of each card that are left to other programs; None: as the settings say."""

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `wishes`."""
        return {
            "for": self.use.value, "prefer": self.prefer.value, "ctx_size": self.ctx_size or None,
            "keep_free": self.keep_free,
        }  # fmt: skip
