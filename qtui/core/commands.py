"""Commands that qtui sends to its session child, one line each (`qtui.core.wire`). The child answers with events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qtui.core.duel.conversation import Request


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model: LoadProgressed…, then Loaded or Failed. The first command, and given once."""

    path: str
    """The file, or the first shard."""
    plan: dict[str, Any] = field(default_factory=dict)
    """`LoadPlan.as_json()` of a resolved plan."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a request: PromptProgressed…, TextArrived…, then Answered or Failed."""

    request: Request


@dataclass(frozen=True, slots=True)
class Score:
    """Weigh options that may follow a text, without writing any: Scored or Failed."""

    prompt: str
    """Continued as it is, without the chat template."""
    options: tuple[str, ...]
    """2 to 26 texts, with the space that each begins with."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop what runs; harmless when nothing runs."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the child, as the end of its input does."""


Command = Load | Ask | Score | Cancel | Close
COMMANDS = (Load, Ask, Score, Cancel, Close)
"""What a child reads."""
