"""The votes of the Arena: each round is kept, and what was said of it goes to the history and into the count."""

from __future__ import annotations

from qtui.core.duel.ballot import Ballot, Vote
from qtui.core.duel.blind import both_answered, identical
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.run import RoundEnded


class Ballots:
    """Counts votes by pair of files, as long as the app runs, and keeps rounds as the settings say.

    Args:
        keeper: what keeps rounds; None: nothing is kept, votes are counted all the same.
    """

    def __init__(self, keeper: Keeper | None) -> None:
        self._keeper = keeper
        self._counts: dict[tuple[str, ...], Ballot] = {}
        self._ended: RoundEnded | None = None
        self._round = ""
        self._vote: Vote | None = None

    @property
    def open(self) -> bool:
        """Tell whether the last round can be voted on."""
        return self._ended is not None and self._vote is None

    @property
    def identical(self) -> bool:
        """Tell whether both said the same in the last round, so that nobody is asked."""
        return self._vote is Vote.IDENTICAL

    def take(self, ended: RoundEnded) -> None:
        """Take the round that has ended; identical answers need no vote."""
        self._ended, self._round, self._vote = (ended if both_answered(ended) else None), "", None
        if self._ended is not None and identical(ended):
            self._count(Vote.IDENTICAL)

    async def keep(self, ended: RoundEnded, sampling: Sampling, system: str, *, blind: bool = False) -> None:
        """Keep a round that was taken, with the vote if there is one by now."""
        if self._keeper is None or not self._keeper.keeps:
            return
        record = await self._keeper.record(ended, sampling, system=system, blind=blind)
        await self._keeper.keep(record)
        if ended is self._ended:
            self._round = record.id
            if self._vote is not None:
                await self._keeper.vote(record.id, self._vote)

    async def vote(self, vote: Vote) -> str:
        """Vote on the last round; return what follows from all votes on this pair."""
        sentence = self._count(vote)
        if self._keeper is not None and self._round:
            await self._keeper.vote(self._round, vote)
        return sentence

    def forget(self) -> None:
        """Close the last round: it can no longer be voted on."""
        self._ended = None

    def _count(self, vote: Vote) -> str:
        assert self._ended is not None
        self._vote = vote
        pair = tuple(str(side.variant.path) for side in self._ended.sides)
        ballot = self._counts[pair] = self._counts.get(pair, Ballot()).add(vote)
        first, second = (f"{side.side} {side.variant.quant}" for side in self._ended.sides)
        return ballot.sentence((first, second))
