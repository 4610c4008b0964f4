"""The curtain of blind rounds: what happens behind it is held until both have answered, names until there is a vote.

It knows nothing of screens: whoever shows a duel passes every event through it and shows what comes out.
"""

from __future__ import annotations

from qtui.core.duel.ballot import Vote
from qtui.core.duel.blind import Blinding, both_answered
from qtui.core.duel.run import DuelEvent, RoundEnded, SideHappened
from qtui.core.events import Answered, Failed, LoadProgressed, PromptProgressed, TextArrived

PASSING = (LoadProgressed, PromptProgressed)
"""What is of no use later."""
OF_A_ROUND = (TextArrived, Answered, Failed)
"""What belongs to one round, and goes with it when that is asked again."""


class Curtain:
    """Holds back what would tell two sides apart.

    While it is down, events wait; where both sides answered they come out together when the round ends, and whoever
    shows them still hides names and numbers. It is raised by a vote, or by who no longer wants it.
    """

    def __init__(self) -> None:
        self.wanted = False
        """Conversations shall begin behind it."""
        self._blinding: Blinding | None = None
        self._held: list[DuelEvent] = []

    @property
    def down(self) -> bool:
        """Tell whether names and numbers are hidden."""
        return self._blinding is not None

    @property
    def swapped(self) -> bool:
        """Tell whether B stands in the first place."""
        return self._blinding is not None and self._blinding.swapped

    def lower(self) -> None:
        """Begin a conversation behind it, with the sides shuffled anew."""
        self._blinding, self._held = Blinding.draw(), []

    def begin_round(self) -> None:
        """Forget what came of a round that nobody saw: it is asked again, or another one is."""
        self._held = [event for event in self._held if not _is_of_a_round(event)]

    def pass_on(self, event: DuelEvent) -> tuple[DuelEvent, ...]:
        """Return what may be shown now, in its order, with names and numbers still hidden while it is down."""
        if self._blinding is None:
            return (event,)
        if isinstance(event, RoundEnded):
            return (*self._release(), event) if both_answered(event) else (event,)
        if not (isinstance(event, SideHappened) and isinstance(event.event, PASSING)):
            self._held.append(event)
        return ()

    def lift(self) -> tuple[DuelEvent, ...]:
        """Raise it; return what was held, in its order."""
        self._blinding = None
        return self._release()

    def vote(self, said: Vote) -> Vote:
        """Return the vote for a side that was said of a place: A is the first one, B the second."""
        return said.swapped if self.swapped else said

    def _release(self) -> tuple[DuelEvent, ...]:
        held, self._held = tuple(self._held), []
        return held


def _is_of_a_round(event: DuelEvent) -> bool:
    return isinstance(event, SideHappened) and isinstance(event.event, OF_A_ROUND)
