"""What a measurement tells as it goes."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.errors import Failure
from qtui.core.library.variant import Variant
from qtui.core.measure.records import MeasuredText, MeasureRecord
from qtui.core.measure.scores import Scores


@dataclass(frozen=True, slots=True)
class TextTaken:
    """It is known what will be measured on."""

    text: MeasuredText
    n_ctx: int
    chunks: int
    notes: tuple[str, ...] = ()
    """What to bear in mind when reading the numbers."""


@dataclass(frozen=True, slots=True)
class LogitsPlanned:
    """The reference's logits take this much of the disk."""

    needed: int
    """Bytes that are still to be written."""
    free: int


@dataclass(frozen=True, slots=True)
class PassBegan:
    """A model is about to be loaded."""

    variant: Variant
    number: int
    """From 1."""
    passes: int
    reference: bool
    done: int
    """Chunks that an earlier run has measured."""


@dataclass(frozen=True, slots=True)
class PassLoading:
    """The model is being read."""

    variant: Variant
    fraction: float


@dataclass(frozen=True, slots=True)
class PassAdvanced:
    """One more chunk is scored."""

    variant: Variant
    reference: bool
    done: int
    chunks: int
    scores: Scores
    """Of all chunks so far."""
    left: float | None
    """Seconds until all is measured, by the chunks of this run."""


@dataclass(frozen=True, slots=True)
class VariantMeasured:
    """A variant is measured, or as much of it as there was time for; it is on record."""

    variant: Variant
    record: MeasureRecord
    problem: str = ""
    """Why it is not on record."""


@dataclass(frozen=True, slots=True)
class VariantFailed:
    """A variant cannot be measured; the others go on."""

    variant: Variant
    failure: Failure


@dataclass(frozen=True, slots=True)
class MeasureEnded:
    """There is no more to do."""

    records: tuple[MeasureRecord, ...]
    reference: MeasureRecord | None
    """The reference's own perplexity; None where only its logits were there, or it was not computed to its end."""
    stopped: bool = False
    kept: str = ""
    """What became of the logits."""


@dataclass(frozen=True, slots=True)
class ExchangeAdvanced:
    """A part of prompt and answer is computed by one of the two."""

    variant: Variant
    reference: bool
    done: int
    tokens: int
    left: float
    """Seconds until both are done, by the rate so far."""


@dataclass(frozen=True, slots=True)
class ExchangeMeasured:
    """It is known how far two sides of a duel are apart on one answer."""

    reference: str
    """The side that the other was measured against, and whose answer was read."""
    other: str
    scores: Scores
    """Of the answer's tokens."""
    widest: int
    """The token on which the two are furthest apart, from 1."""
    widest_text: str = ""
    """Its text; empty: not known."""


ExchangeEvent = PassBegan | PassLoading | ExchangeAdvanced | ExchangeMeasured
MeasureRunEvent = (
    TextTaken | LogitsPlanned | PassBegan | PassLoading | PassAdvanced | VariantMeasured | VariantFailed | MeasureEnded
)
