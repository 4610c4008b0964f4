"""Tallies: what the votes of this machine's history say of files against each other, told by what is in the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtui.core.duel.ballot import Ballot
from qtui.core.duel.records import Voted
from qtui.core.duel.storage import Hashes, Rounds
from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant

ELSEWHERE = "votes are kept of files on this machine only"
NO_HISTORY = "no history is kept here"
NO_VOTE = "no vote on these two files is kept: the Arena and qtui duel ask for them"
ITSELF = "the others are counted against this one"


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes on one file against each of some others."""

    ballots: Mapping[Path, Ballot] = field(default_factory=dict)
    """By the other's path, where there are any; A is this file."""
    missing: str = ELSEWHERE
    """Why there are none for the rest."""

    def against(self, other: Path) -> Ballot | None:
        """Return the votes on this file and another; None where there are none."""
        return self.ballots.get(other)

    def as_json(self, other: Path) -> dict[str, Any]:
        """Return `{"value", "reason"}` of the votes against another; `value` is null where there are none."""
        ballot = self.against(other)
        if ballot is None:
            return {"value": None, "reason": self.missing}
        value = {
            "won": ballot.a, "lost": ballot.b, "ties": ballot.ties, "both_bad": ballot.both_bad,
            "identical": ballot.identical,
        }  # fmt: skip
        return {"value": value, "reason": ballot.sentence(("this", "the first"))}


class Votes:
    """Counts votes by pair of files. Only files of a size that was voted on are hashed.

    Args:
        rounds: where votes are kept; None: nowhere.
    """

    def __init__(self, rounds: Rounds | None, hashes: Hashes) -> None:
        self._rounds = rounds
        self._hashes = hashes

    async def of(self, variants: Sequence[Variant]) -> Mapping[Path, Tally]:
        """Return the tally of each variant against the others, by path; a history that cannot be read says why."""
        if self._rounds is None:
            return {variant.path: Tally(missing=NO_HISTORY) for variant in variants}
        try:
            voted = await self._rounds.voted()
        except QtuiError as error:
            return {variant.path: Tally(missing=error.message) for variant in variants}
        sizes = {size for one in voted for size in one.sizes}
        names = {
            variant.path: await self._hashes.hash(variant) or str(variant.path)
            for variant in variants
            if variant.size in sizes and not variant.address
        }
        return {
            variant.path: Tally(
                missing=ELSEWHERE if variant.address else NO_VOTE,
                ballots={
                    other: ballot
                    for other, name in names.items()
                    if other != variant.path and (ballot := _count(voted, names.get(variant.path, ""), name)).rounds
                },
            )
            for variant in variants
        }


def _count(voted: Sequence[Voted], this: str, other: str) -> Ballot:
    """Return the votes on two files, whichever side each was on; A is `this`."""
    same = (one.vote for one in voted if one.files == (this, other))
    swapped = (one.vote.swapped for one in voted if one.files == (other, this) and this != other)
    return Ballot.of([*same, *swapped])
