"""Messages of the history: what was found in it, what was done with it, and a round that shall be asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.duel.past import Reopened
    from qtui.core.duel.records import RoundRecord
    from qtui.core.errors import Failure


@dataclass(eq=False, repr=False)
class RoundsFound(Message):
    """What a search of the history found."""

    search: str
    records: Sequence[RoundRecord]
    failure: Failure | None = None
    """Why nothing could be read."""


@dataclass(eq=False, repr=False)
class RoundDeleted(Message):
    """A round is gone from the history."""

    record: RoundRecord


@dataclass(eq=False, repr=False)
class ReopenRound(Message):
    """Put a round of the history into the Arena: its variants on the sides, its prompt into the field."""

    round: Reopened
