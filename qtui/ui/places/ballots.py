"""The votes of the Arena: each round is kept, and what was said of it goes to the history and into the count."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.duel.ballot import Ballot, Vote
from qtui.core.duel.blind import both_answered, identical
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.run import RoundEnded


@dataclass(slots=True)
class _Round:
    """A round that both sides answered; it goes to the history while the next one may have begun."""

    ended: RoundEnded
    id: str = ""
    """Of its record; empty until it is kept."""
    vote: Vote | None = None


class Ballots:
    """Counts votes by pair of files, as long as the app runs, and keeps rounds as the settings say.

    Args:
        keeper: what keeps rounds; None: nothing is kept, votes are counted all the same.
    """

    def __init__(self, keeper: Keeper | None) -> None:
        self._keeper = keeper
        self._counts: dict[tuple[str, ...], Ballot] = {}
        self._last: _Round | None = None

    @property
    def open(self) -> bool:
        """Tell whether the last round can be voted on."""
        return self._last is not None and self._last.vote is None

    @property
    def identical(self) -> bool:
        """Tell whether both said the same in the last round, so that nobody is asked."""
        return self._last is not None and self._last.vote is Vote.IDENTICAL

    def take(self, ended: RoundEnded) -> None:
        """Take the round that has ended; identical answers need no vote."""
        self._last = _Round(ended) if both_answered(ended) else None
        if self._last is not None and identical(ended):
            self._count(self._last, Vote.IDENTICAL)

    async def keep(self, ended: RoundEnded, sampling: Sampling, system: str, *, blind: bool = False) -> None:
        """Keep a round that was taken, with the vote if there is one by now."""
        last = self._last if self._last is not None and self._last.ended is ended else None
        if self._keeper is None or not self._keeper.keeps:
            return
        record = await self._keeper.record(ended, sampling, system=system, blind=blind)
        await self._keeper.keep(record)
        if last is not None:
            last.id = record.id
            if last.vote is not None:
                await self._keeper.vote(record.id, last.vote)

    async def vote(self, vote: Vote) -> str:
        """Vote on the last round; return what follows from all votes on this pair."""
        last = self._last
        assert last is not None
        sentence = self._count(last, vote)
        if self._keeper is not None and last.id:
            await self._keeper.vote(last.id, vote)
        return sentence

    def forget(self) -> None:
        """Close the last round: it can no longer be voted on."""
        self._last = None

    def _count(self, last: _Round, vote: Vote) -> str:
        last.vote = vote
        sides = last.ended.sides
        pair = tuple(str(side.variant.path) for side in sides)
        ballot = self._counts[pair] = self._counts.get(pair, Ballot()).add(vote)
        first, second = (f"{side.side} {side.variant.quant}" for side in sides)
        return ballot.sentence((first, second))
