"""The ports of what is kept of duels: services implement them, tests fake them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qtui.core.duel.ballot import Vote
from qtui.core.duel.records import RoundRecord, SuiteRecord, Voted
from qtui.core.duel.suite.score import Result
from qtui.core.library.variant import Variant


class Hashes(Protocol):
    """Tells files apart by what is in them."""

    async def hash(self, variant: Variant) -> str:
        """Return `sha256:…`, `partial:…` for large files that nobody has hashed yet, or an empty text: not known."""
        ...


class Rounds(Protocol):
    """Rounds, votes and suites, kept between starts, in the same place as the history.

    Every call may raise QtuiError: the database is damaged, busy, of a newer qtui, or cannot be written.
    """

    @property
    def place(self) -> str:
        """Return where they are kept, clean."""
        ...

    async def empty(self) -> bool:
        """Tell whether nothing was ever kept."""
        ...

    async def keep_round(self, record: RoundRecord) -> bool:
        """Keep a round, over an older record of the same id; True."""
        ...

    async def keep_vote(self, round_id: str, vote: Vote) -> None:
        """Keep the vote on a round; harmless when the round is gone."""
        ...

    async def rounds(self, limit: int = 50, search: str = "", pair: str = "") -> Sequence[RoundRecord]:
        """Return the newest rounds, newest first: those with all words of `search` in prompt, answers or names."""
        ...

    async def voted(self) -> Sequence[Voted]:
        """Return every vote that is kept on two files, without texts."""
        ...

    async def begin_suite(self, record: SuiteRecord) -> None:
        """Keep a new run of a suite, without results."""
        ...

    async def open_suite(self, key: str) -> Sequence[SuiteRecord]:
        """Return the newest run of a key that was not completed, with its results; or nothing."""
        ...

    async def keep_result(self, run: str, result: Result, *, text: bool) -> None:
        """Keep one result of a run, with what was said or without."""
        ...

    async def end_suite(self, run: str) -> None:
        """Say that a run is complete."""
        ...

    async def suites(self, limit: int = 50) -> Sequence[SuiteRecord]:
        """Return the newest runs with their results, newest first."""
        ...

    async def delete(self, ids: Sequence[str] | None = None) -> int:
        """Delete rounds and suite runs, all of them for None; return how many there were."""
        ...
