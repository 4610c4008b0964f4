"""Messages of the Plan panel: what a plan that is edited needs, how fast it is, and what values there are for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.memory.fit.propose import Proposal
    from qtui.core.memory.guard import Weighing
    from qtui.core.memory.plan import LoadPlan
    from qtui.core.memory.plan_ranges import Around
    from qtui.core.memory.speed import Speed


@dataclass(eq=False, repr=False)
class AroundKnown(Message):
    """What was learnt of a file and of the files that go with it: fields have other values now."""

    around: Around


@dataclass(eq=False, repr=False)
class PlanProposed(Message):
    """The best plan that fits was searched for a plan that is being edited."""

    edit: int
    """Which of the edits it is about, counted from 1."""
    asked: LoadPlan
    """What the edited plan resolves to."""
    proposal: Proposal


@dataclass(eq=False, repr=False)
class PlanEffect(Message):
    """What a plan that is being edited needs, as a whole or without one of its changes."""

    edit: int
    """Which of the edits it is about, counted from 1."""
    field: str
    """The change that was left out; empty: none."""
    weighing: Weighing


@dataclass(eq=False, repr=False)
class PlanPaced(Message):
    """How fast a variant would be under a plan that is being edited."""

    edit: int
    """Which of the edits it is about, counted from 1."""
    field: str
    """The change that was left out; empty: none."""
    speed: Speed
