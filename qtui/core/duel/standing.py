"""How two files stand to each other over all rounds that were voted on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qtui.core.duel.ballot import Ballot, Vote
from qtui.core.duel.records import Party, RoundRecord


@dataclass(frozen=True, slots=True)
class Standing:
    """The votes on two files, whichever side each was on."""

    first: Party
    """The one that was side A when they last met."""
    second: Party
    ballot: Ballot
    rounds: int
    """All of them, voted on or not."""
    time: float
    """Of the newest."""

    @property
    def sentence(self) -> str:
        """Return what follows from the votes."""
        return self.ballot.sentence((self.first.title, self.second.title))

    def as_json(self) -> dict[str, Any]:
        """Return one of `standings[]`."""
        return {
            "a": self.first.as_json(), "b": self.second.as_json(), "rounds": self.rounds, "time": self.time,
            "ballot": {**self.ballot.as_json(), "sentence": self.sentence},
        }  # fmt: skip


def standings(rounds: Iterable[RoundRecord]) -> list[Standing]:
    """Return the standing of each pair, the pair that met last first; `rounds` come newest first."""
    found: dict[str, Standing] = {}
    for record in rounds:
        if not record.pair:
            continue
        first, second = (side.party for side in record.sides)
        known = found.get(record.pair)
        if known is None:
            known = Standing(first, second, Ballot(), 0, record.time)
        same_way = first.identity == known.first.identity
        votes = [] if record.vote is None else [record.vote if same_way else record.vote.swapped]
        found[record.pair] = Standing(
            known.first, known.second, _more(known.ballot, votes), known.rounds + 1, known.time
        )
    return list(found.values())


def _more(ballot: Ballot, votes: list[Vote]) -> Ballot:
    for vote in votes:
        ballot = ballot.add(vote)
    return ballot
