"""What is asked of making quants, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.errors import Failure
    from qtui.core.library.variant import Variant
    from qtui.core.measure.events import MeasureRunEvent
    from qtui.core.quantise.run import Foretold, MakeEvent


@dataclass(eq=False, repr=False)
class OpenQuantise(Message):
    """Show what quants can be made of a variant."""

    variant: Variant


@dataclass(eq=False, repr=False)
class TypeForetold(Message):
    """What a type would make is known, or why nothing is."""

    round: int
    """Of the questions: others were asked since when it is not the last."""
    told: Foretold | Failure


@dataclass(eq=False, repr=False)
class MadeMeasured(Message):
    """What was made is being measured, or cannot be; None: that was stopped, or is over."""

    event: MeasureRunEvent | Failure | None


@dataclass(eq=False, repr=False)
class MakingHappened(Message):
    """A quant is being made; None: it was stopped."""

    event: MakeEvent | Failure | None
