"""Messages of what is measured: what variants lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.advice.loss import Loss
    from qtui.core.duel.run import RoundEnded
    from qtui.core.errors import Failure
    from qtui.core.library.variant import Variant
    from qtui.core.measure.events import ExchangeEvent, MeasureRunEvent


@dataclass(eq=False, repr=False)
class LossesTold(Message):
    """It is known what variants lose, as measured here or as published."""

    losses: Mapping[Path, Loss]


@dataclass(eq=False, repr=False)
class RowLossesTold(Message):
    """It is known what the variants of a repository lose."""

    losses: Mapping[str, Loss]
    """By row."""


@dataclass(eq=False, repr=False)
class OpenMeasure(Message):
    """Show what of a model can be measured."""

    variants: Sequence[Variant]
    """Of one model."""
    here: Variant
    """Under the cursor."""


@dataclass(eq=False, repr=False)
class MeasureHappened(Message):
    """Something is being measured, or cannot be; None: that is over."""

    event: MeasureRunEvent | Failure | None


@dataclass(eq=False, repr=False)
class ExchangeHappened(Message):
    """An answer is being measured, or cannot be; None: that is over."""

    event: ExchangeEvent | Failure | None


@dataclass(eq=False, repr=False)
class OpenDiff(Message):
    """Show where the answers of a round differ."""

    ended: RoundEnded
    """Both sides answered it."""
