"""What the measuring child is told and what it tells, one JSON line each (`core/wire.py`).

The child reads one job. Its standard input then stays open: the end of it ends the child at once, and what it wrote
is whole up to the last chunk that it told of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from qtui.core.errors import Failure
from qtui.core.events import LoadProgressed
from qtui.core.measure.scores import ChunkScores


class Task(StrEnum):
    """What a child is started for."""

    TOKENS = "tokens"
    """Read the vocabulary alone, and count the tokens of the text: TextTokenised."""
    REFERENCE = "reference"
    """Score the text, and write the logits: ModelReady, ChunkMeasured…, MeasureDone."""
    COMPARE = "compare"
    """Score the same tokens against written logits: ModelReady, ChunkMeasured…, MeasureDone."""


@dataclass(frozen=True, slots=True)
class MeasureJob:
    """What to measure."""

    task: Task
    path: str
    """The file, or the first shard."""
    text: str = ""
    """The file of the text; not read by COMPARE, which takes the tokens that the logits are of."""
    n_ctx: int = 512
    chunks: int = 0
    """At most; 0: as many as the text has. Of TOKENS and REFERENCE."""
    plan: dict[str, Any] = field(default_factory=dict)
    """`LoadPlan.as_json()` of a resolved plan."""
    base: str = ""
    """The file of the logits: written by REFERENCE, read by COMPARE."""
    done: int = 0
    """Chunks that need not be computed: what the file of the logits holds beyond them is cut off by REFERENCE."""
    last: int = 0
    """COMPARE: the chunk to end before; 0: all."""
    prompt: str | None = None
    """In place of a text, as one chunk: a prompt as a model reads it, in which the names of control tokens are those
    tokens; only what follows it is scored."""
    answer: str = ""
    """What follows the prompt."""
    first: int | None = None
    """The place in each chunk of the first row of logits, as TextTokenised told it of a prompt; None: the middle."""


@dataclass(frozen=True, slots=True)
class TextTokenised:
    """What the text is to this model."""

    vocabulary: int
    tokens: int
    chunks: int
    """How many of the size asked for; 0: the text is too short for two."""
    digest: str
    """Of the tokens of these chunks."""
    unmeasurable: str = ""
    """Why this model cannot be measured so; empty: it can."""
    first: int | None = None
    """The place of the first row of logits, which is the token before the answer; None where there is no answer."""


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded."""

    load_time: float
    """Seconds."""
    plan: dict[str, Any]
    """As it is used."""


@dataclass(frozen=True, slots=True)
class TokensComputed:
    """A part of a chunk that takes several batches is computed."""

    done: int
    """Tokens of the chunk, from its beginning."""


@dataclass(frozen=True, slots=True)
class ChunkMeasured:
    """One chunk is scored, and its logits, if they are written, are on the disk."""

    index: int
    scores: ChunkScores


@dataclass(frozen=True, slots=True)
class MeasureDone:
    """All is scored."""


@dataclass(frozen=True, slots=True)
class MeasureFailed:
    """The child ends; what it told of before holds."""

    failure: Failure


MeasureEvent = TextTokenised | LoadProgressed | ModelReady | TokensComputed | ChunkMeasured | MeasureDone
MEASURE_REPLIES = (
    TextTokenised, LoadProgressed, ModelReady, TokensComputed, ChunkMeasured, MeasureDone, MeasureFailed,
)  # fmt: skip
