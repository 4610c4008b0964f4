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
class Serve:
    """Start a llama-server, or attach to one: Started, LoadProgressed…, then Loaded or Failed. Given once, first."""

    plan: dict[str, Any] = field(default_factory=dict)
    """`LoadPlan.as_json()` of a resolved plan."""
    path: str = ""
    """The file, or the first shard; empty: whatever the server has loaded."""
    program: str = ""
    """The llama-server to start; empty: attach to `url`."""
    arguments: tuple[str, ...] = ()
    key: str = ""
    """What the server asks of those who ask it; empty: nothing."""
    key_file: bool = False
    """The program takes its key from a file only."""
    url: str = ""
    """`http://host:port` of a server that runs already."""
    weights: int = 0
    """Bytes of the model's files, by which the progress of a load is told where the server does not tell it."""
    hosts: tuple[str, ...] = ()
    """RPC servers that hold a part of the model, as `host:port`."""
    notes: tuple[str, ...] = ()
    """What the server cannot be told, for `Loaded.warnings`."""


@dataclass(frozen=True, slots=True)
class Started:
    """The engine runs as a process of its own, whose memory is the session's. Not an end of any command."""

    pid: int
    """0: on another machine."""
    build: str = ""
    """llama.cpp's version as the server tells it."""
    port: int = 0
    """Of loopback, at which it answers; 0: not yet, or not ours."""


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


Command = Load | Serve | Ask | Score | Cancel | Close
COMMANDS = (Load, Serve, Ask, Score, Cancel, Close)
"""What a child reads."""
