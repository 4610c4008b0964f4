"""Rounds that are kept: found, deleted, exported, and opened again with the files that are still here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from qtui.core.duel.export import Report
from qtui.core.duel.records import Party, RoundRecord, SuiteRecord
from qtui.core.duel.storage import Rounds
from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.ports import Library

MOST = 200
"""Rounds that are listed at once; a search finds older ones."""

WriteReport = Callable[[Report, str], Awaitable[str]]
"""Writes a report of a kind, as `.md`, where reports are kept; returns where that is, clean."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """A round as it can be asked again."""

    prompt: str
    """Empty where it is not kept."""
    sides: dict[str, Variant]
    """What of its variants is still here, by side."""
    missing: tuple[str, ...] = ()
    """Titles of those that are not."""


@dataclass(frozen=True, slots=True)
class PastRounds:
    """What can be done with rounds that are kept. Every call may raise QtuiError, as `Rounds` may."""

    rounds: Rounds
    library: Library
    write: WriteReport

    async def find(self, search: str = "") -> Sequence[RoundRecord]:
        """Return the newest rounds that hold all words, newest first."""
        return await self.rounds.rounds(MOST, search)

    async def suites(self) -> Sequence[SuiteRecord]:
        """Return the newest runs of suites, newest first."""
        return await self.rounds.suites(MOST)

    async def delete(self, record: RoundRecord) -> None:
        """Delete one round, what was written in it and the vote on it."""
        await self.rounds.delete([record.id])

    async def export(self, records: Sequence[RoundRecord], kind: str) -> str:
        """Write rounds as `.md` or `.html`; return where."""
        return await self.write(Report.of("qtui history", records), kind)

    async def reopen(self, record: RoundRecord) -> Reopened:
        """Return a round as it can be asked again; a file that is another one by now counts as gone."""
        sides: dict[str, Variant] = {}
        missing: list[str] = []
        for side in record.sides:
            variant = await self._find(side.party)
            if variant is None:
                missing.append(side.party.title)
            else:
                sides[side.party.side] = variant
        return Reopened(record.prompt or "", sides, tuple(missing))

    async def _find(self, party: Party) -> Variant | None:
        try:
            variant = await self.library.find(party.path)
        except QtuiError:
            return None
        return variant if variant.size == party.size else None
