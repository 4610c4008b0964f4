"""Blind rounds: which side stands in which place, and what a vote for a place means.

Sides are shuffled once per conversation: within one, the same place is the same side, or its turns could not be read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from qtui.core.duel.ballot import Vote
from qtui.core.duel.run import RoundEnded
from qtui.core.duel.side import SideResult

PLACES = ("1", "2")


@dataclass(frozen=True, slots=True)
class Blinding:
    """One shuffle of two sides."""

    swapped: bool
    """B stands in the first place."""

    @staticmethod
    def draw() -> Blinding:
        """Draw a shuffle that nobody can foresee."""
        return Blinding(bool(secrets.randbits(1)))

    def shown(self, ended: RoundEnded) -> tuple[SideResult, ...]:
        """Return the sides of a round by place."""
        return tuple(reversed(ended.sides)) if self.swapped else ended.sides

    def side(self, place: str) -> str:
        """Return the label of the side that stands in a place."""
        first, second = ("B", "A") if self.swapped else ("A", "B")
        return first if place == PLACES[0] else second

    def vote(self, said: str) -> Vote | None:
        """Return the vote that was said: a place, `=` for a tie, `x` for both bad; None for anything else."""
        plain = said.strip().casefold()
        if plain in PLACES:
            return Vote.A if self.side(plain) == "A" else Vote.B
        return {"=": Vote.TIE, "x": Vote.BOTH_BAD}.get(plain)


def identical(ended: RoundEnded) -> bool:
    """Tell whether both answered the same, to the character: there is nothing to choose then."""
    texts = [side.answer.text for side in ended.sides if side.answer]
    return len(texts) == 2 and texts[0] == texts[1]


def both_answered(ended: RoundEnded) -> bool:
    """Tell whether there are two whole answers to choose from."""
    answers = [side.answer for side in ended.sides]
    return len(answers) == 2 and all(answer and answer.finish_reason != "cancelled" for answer in answers)
