"""What the child that gathers an importance matrix is told and tells, one JSON line each (`core/wire.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtui.core.errors import Failure
from qtui.core.memory.plan import LoadPlan

CTX_SIZE = 512
"""Tokens of a chunk: llama-imatrix's default."""
SAVE_EVERY = 10
"""Chunks between two savings: llama-imatrix's default."""
IDENTITY_KEY = "qtui.gathered_from"
"""The key of a matrix that says what it is of: model, text and context."""
ASKED_KEY = "qtui.gathered_chunks"
"""The key of a finished one that says how many chunks were asked for."""


@dataclass(frozen=True, slots=True)
class GatherJob:
    """What to gather: the one line that the child reads. Its standard input then stays open: end of file cancels."""

    model: str
    text: str
    """The path of the text, as it was given: the matrix records it."""
    state: str
    """The file that holds what was gathered so far, and in the end the matrix."""
    identity: str = ""
    """What the state must be of to be gone on with: model, text and context."""
    ctx_size: int = CTX_SIZE
    chunks: int = 0
    """At most; 0: all of the text."""
    save_every: int = SAVE_EVERY
    process_output: bool = False
    """For output.weight too."""
    plan: LoadPlan = field(default_factory=LoadPlan)
    tool: str = ""
    """A llama-imatrix that does it instead."""


@dataclass(frozen=True, slots=True)
class GatherStarted:
    """The model is loaded and the text is read."""

    tokens: int
    chunks: int
    """To be computed, those of before counted."""
    resumed: int = 0
    """Chunks that an interrupted run had gathered."""
    note: str = ""
    """Why what lies there is not gone on with."""


@dataclass(frozen=True, slots=True)
class GatherProgressed:
    """A chunk was computed."""

    done: int
    total: int
    experts: int = 0
    """Of all tensors of experts together; 0 for a dense model."""
    experts_seen: int = 0


@dataclass(frozen=True, slots=True)
class Gathered:
    """The matrix is complete."""

    entries: int
    chunks: int
    tokens: int
    elapsed: float
    """Seconds, those of before the interruption not counted."""
    experts: int = 0
    experts_seen: int = 0
    scarce: tuple[str, ...] = ()
    """Tensors of which experts were never seen, the poorest first, with the share that was: `NAME 96.9 %`."""
    file: str = ""


@dataclass(frozen=True, slots=True)
class GatherFailed:
    """Nothing was gathered, or not all of it."""

    failure: Failure


GatherEvent = GatherStarted | GatherProgressed | Gathered
GATHER_REPLIES = (GatherStarted, GatherProgressed, Gathered, GatherFailed)
