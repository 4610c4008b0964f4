"""Messages of advice: whose is asked for, what is known of it by now, and what is wished for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what panels need is imported
    from qtui.core.advice.ranking import Advice
    from qtui.core.advice.wishes import Wishes
    from qtui.core.library.variant import Variant
    from qtui.core.settings import Problem


@dataclass(eq=False, repr=False)
class OpenAdvice(Message):
    """Advise on these variants, or draw them as a frontier."""

    variants: Sequence[Variant]
    title: str
    """What they are of."""
    here: Variant | None
    """The one under the cursor."""
    go_to: Callable[[Variant], object]
    """Goes to the one that is chosen."""
    frontier: bool = False


@dataclass(eq=False, repr=False)
class AdviceTold(Message):
    """What can be advised by now, or how far that is."""

    asking: int
    """Which question it answers."""
    advice: Advice | None = None
    progress: str = ""
    settled: bool = False
    problems: Sequence[Problem] = ()
    """What of the user's figures cannot be used."""


@dataclass(eq=False, repr=False)
class WishesChanged(Message):
    """Something else is wished for, from now on."""

    wishes: Wishes
