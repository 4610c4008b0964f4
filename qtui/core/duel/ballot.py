"""Ballots: the votes on a pair of variants, and the sentence that follows from them.

Ties, rounds where both were bad and identical answers tell nothing about which is better; they are counted apart and
left out of the test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from qtui.core.duel.statistics import LEVEL, Interval, sign_test, wilson, wins_missing


class Vote(StrEnum):
    """What was said of one round."""

    A = "a"
    B = "b"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    IDENTICAL = "identical"
    """Nobody was asked: the answers are the same to the character."""

    @property
    def swapped(self) -> Vote:
        """Return the vote with the sides exchanged."""
        return {Vote.A: Vote.B, Vote.B: Vote.A}.get(self, self)


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes on two sides so far."""

    a: int = 0
    """Votes for A."""
    b: int = 0
    ties: int = 0
    both_bad: int = 0
    identical: int = 0

    @staticmethod
    def of(votes: Iterable[Vote]) -> Ballot:
        """Count votes."""
        ballot = Ballot()
        for vote in votes:
            ballot = ballot.add(vote)
        return ballot

    def add(self, vote: Vote) -> Ballot:
        """Return the ballot with one more vote."""
        name = {Vote.A: "a", Vote.B: "b", Vote.TIE: "ties", Vote.BOTH_BAD: "both_bad", Vote.IDENTICAL: "identical"}
        return replace(self, **{name[vote]: getattr(self, name[vote]) + 1})

    @property
    def decided(self) -> int:
        """Return the votes that chose a side."""
        return self.a + self.b

    @property
    def rounds(self) -> int:
        """Return all rounds, whatever came of them."""
        return self.decided + self.ties + self.both_bad + self.identical

    @property
    def leader(self) -> Vote | None:
        """Return the side with more votes, None where neither has."""
        return None if self.a == self.b else Vote.A if self.a > self.b else Vote.B

    @property
    def p(self) -> float:
        """Return the sign test's two-sided p; 1.0 without votes."""
        return sign_test(self.a, self.b)

    @property
    def shown(self) -> bool:
        """Tell whether the votes show a difference."""
        return self.p < LEVEL

    @property
    def interval(self) -> Interval:
        """Return Wilson's interval of the share of A among the votes that chose a side."""
        return wilson(self.a, self.decided)

    def sentence(self, names: tuple[str, str] = ("A", "B")) -> str:
        """Return what follows, as `7 of 9 for A: not enough to tell; 3 more in a row for it would be`."""
        return f"{self._verdict(names)}{self._apart()}"

    def _verdict(self, names: tuple[str, str]) -> str:
        if not self.decided:
            return "no votes for either side yet"
        leader = self.leader
        ahead = max(self.a, self.b)
        if leader is None:
            said = f"{self.a} vote{'' if self.a == 1 else 's'} each"
        else:
            said = f"{ahead} of {self.decided} for {names[0] if leader is Vote.A else names[1]}"
        if self.shown:
            return f"{said}: better, as far as these votes go (p = {self.p:.3f}, chance alone brings that rarely)"
        more = wins_missing(ahead, self.decided - ahead)
        row = "" if more == 1 else " in a row"
        return f"{said}: not enough to tell; {more} more{row} for {'either' if leader is None else 'it'} would be"

    def _apart(self) -> str:
        parts = [
            f"{number} {what if number == 1 else many}"
            for number, what, many in (
                (self.ties, "tie", "ties"),
                (self.both_bad, "round where both were bad", "rounds where both were bad"),
                (self.identical, "identical pair", "identical pairs"),
            )
            if number
        ]
        return f"; counted apart: {', '.join(parts)}" if parts else ""

    def as_json(self) -> dict[str, Any]:
        """Return counts, test, interval and sentence."""
        return {
            "a": self.a, "b": self.b, "ties": self.ties, "both_bad": self.both_bad, "identical": self.identical,
            "p": self.p, "share_of_a": self.a / self.decided if self.decided else None,
            "interval": self.interval.as_json() if self.decided else None,
            "shown": self.shown, "sentence": self.sentence(),
        }  # fmt: skip
