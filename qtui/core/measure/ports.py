"""What measuring needs of the outside world: services implement it, tests fake it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qtui.core.measure.records import MeasureRecord


class Measurements(Protocol):
    """Measurements, kept between starts, in the same place as the history.

    Every call may raise QtuiError: the database is damaged, busy, of a newer qtui, or cannot be written.
    """

    async def keep(self, record: MeasureRecord) -> None:
        """Keep a measurement, over an older one of the same id."""
        ...

    async def records(self, limit: int = 50, search: str = "") -> Sequence[MeasureRecord]:
        """Return the newest measurements, newest first: those with all words of `search` in their names."""
        ...

    async def delete(self, ids: Sequence[str] | None = None) -> int:
        """Delete measurements, all of them for None; return how many there were."""
        ...
