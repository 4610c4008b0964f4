"""Events of one session, as they cross the Engine port. All text in them is clean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtui.core.duel.conversation import Answer
from qtui.core.errors import Failure
from qtui.core.hardware import ProcessMemory


@dataclass(frozen=True, slots=True)
class LoadProgressed:
    """The model is being read; llama.cpp reports after each tensor."""

    fraction: float
    """From 0 to 1."""
    elapsed: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The session is ready."""

    load_time: float
    """Seconds."""
    plan: dict[str, Any]
    """`LoadPlan.as_json()` with everything resolved to what is used."""
    vocabulary: int
    template: str
    """`file`, `override`, or `chatml` when the file has none."""
    memory: ProcessMemory
    buffers: tuple[tuple[str, int, int, int], ...] = ()
    """llama.cpp's own (buffer type, weights, context, compute) bytes after the load."""
    warnings: tuple[str, ...] = ()
    build: str = ""
    """The engine's build as the session knows it; empty: it is its engine's."""


@dataclass(frozen=True, slots=True)
class PromptProgressed:
    """The prompt is being read."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TextArrived:
    """More of the answer, gathered for at most 50 ms; whole UTF-8 characters."""

    text: str
    thinking: bool = False
    tokens: int = 0
    """Tokens generated so far in this answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer is complete, cut or cancelled; the session is ready again."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Scored:
    """The options are weighed; the session is ready again."""

    log_likelihoods: tuple[float, ...]
    """Of each option, the mean natural logarithm of its tokens' probabilities."""
    tokens: tuple[int, ...]
    """Tokens of each option."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last command failed; `fatal` tells that the session is gone."""

    failure: Failure
    fatal: bool = False


SessionEvent = LoadProgressed | Loaded | PromptProgressed | TextArrived | Answered | Scored | Failed
