"""What the Hub place knows of one repository: its variants, what each needs, and how far the reading has come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.advice.loss import Loss
from qtui.core.downloads.download import Download
from qtui.core.errors import Failure
from qtui.core.hub.choice import Nearest, largest_that_fits
from qtui.core.hub.events import (
    FilesSeen,
    Listed,
    ReadingEnded,
    ReadingEvent,
    RepositoryFound,
    RowChanged,
    RowWeighed,
    Waiting,
)
from qtui.core.hub.listing import Listing
from qtui.core.hub.remote import RemoteVariant, Status
from qtui.core.hub.repository import Repository
from qtui.core.library.order import SortKey
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Headroom, judge
from qtui.ui.present.hub import group_heading, remote_cells
from qtui.ui.present.models import Standing
from qtui.ui.present.table import Row

SORTS = (SortKey.SIZE, SortKey.NAME, SortKey.NEEDS, SortKey.RATE)
"""What rows can be sorted by; the largest stand first at the beginning."""


class RepositoryShelf:
    """One repository. Nothing is shown in another order but when `sort` changes or rows come."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.repository: Repository | None = None
        self.listing: Listing | None = None
        self.files_seen = 0
        self.headers_done = 0
        self.headers_total = 0
        self.fetched = 0
        """Bytes of headers."""
        self.waiting: Waiting | None = None
        self.failure: Failure | None = None
        self.reading = True
        self.exact = False
        """All was weighed by llama.cpp."""
        self.sort = SortKey.SIZE
        self.nearest: Nearest | None = None
        """What would fit with less context, where nothing fits as planned."""
        self.weighings: dict[str, Weighing] = {}
        self._speeds: dict[Path, Speed] = {}
        self._losses: dict[str, Loss] = {}

    # What is known

    def take(self, event: ReadingEvent) -> None:
        """Take what a run told."""
        self.waiting = event if isinstance(event, Waiting) else None
        match event:
            case RepositoryFound(repository):
                self.repository = repository
            case FilesSeen(count):
                self.files_seen = count
            case Listed(listing):
                self.listing, self.repository = listing, listing.repository
            case RowChanged() if self.listing is not None:
                self.listing = self.listing.with_row(event.row)
                self.headers_done, self.headers_total = event.done, event.total
                self.fetched += event.fetched
            case RowWeighed(row, weighing, _):
                self.weighings[row.key] = weighing
                self._speeds.pop(row.variant.path, None)
            case ReadingEnded():
                self.reading, self.exact = False, True

    def fail(self, failure: Failure) -> None:
        """Take why the repository cannot be read."""
        self.failure, self.reading, self.waiting = failure, False, None

    def pace(self, path: Path, speed: Speed) -> None:
        """Take how fast a variant would generate."""
        self._speeds[path] = speed

    def lose(self, losses: Mapping[str, Loss]) -> None:
        """Take what the variants of rows lose."""
        self._losses.update(losses)

    def loss(self, row: RemoteVariant) -> Loss | None:
        """Return what a variant loses, None while that is not known."""
        return self._losses.get(row.key)

    def forget_weighings(self) -> None:
        """Drop what was weighed: it was for another plan."""
        self.weighings.clear()
        self._speeds.clear()
        self.nearest, self.exact = None, False

    def judge(self, room: Headroom) -> None:
        """Judge all that was weighed against what is free now."""
        for key, old in self.weighings.items():
            if old.footprint is not None:
                self.weighings[key] = replace(old, headroom=room, verdict=judge(old.footprint, room))

    def mark_here(self, here: Mapping[str, Path]) -> None:
        """Note what has come to this machine: paths by the sha256 of a variant's first file."""
        if self.listing is None:
            return
        for row in self.listing.all:
            path = here.get(row.files[0].sha256) if row.files[0].sha256 else None
            if path is not None and row.status is not Status.HERE:
                self.listing = self.listing.with_row(replace(row, status=Status.HERE, here=path, newer=False))

    def row(self, key: str | None) -> RemoteVariant | None:
        """Return the variant of a row."""
        return self.listing.find(key) if self.listing is not None and key else None

    def weighing(self, key: str) -> Weighing | None:
        """Return what a row's variant needs, None while it is not known."""
        return self.weighings.get(key)

    def speed(self, row: RemoteVariant) -> Speed | None:
        """Return how fast a variant would generate, None while it is not known."""
        return self._speeds.get(row.variant.path)

    @property
    def star(self) -> RemoteVariant | None:
        """Return the largest variant that fits."""
        return largest_that_fits(self.listing.rows, self.weighings) if self.listing is not None else None

    @property
    def all_weighed(self) -> bool:
        """Tell whether every variant that can be loaded was weighed, by either way."""
        rows = self.listing.rows if self.listing is not None else ()
        loadable = [row for row in rows if row.header_read and row.variant.loadable]
        return bool(loadable) and not self.reading_headers and all(row.key in self.weighings for row in loadable)

    @property
    def reading_headers(self) -> bool:
        """Tell whether headers are still to come."""
        return (self.reading and self.headers_done < self.headers_total) or self.listing is None

    def siblings(self, row: RemoteVariant) -> list[tuple[Variant, Weighing]]:
        """Return the other variants that were weighed."""
        rows = self.listing.rows if self.listing is not None else ()
        return [
            (other.variant, self.weighings[other.key])
            for other in rows if other.key != row.key and other.key in self.weighings
        ]  # fmt: skip

    # What is shown

    def rows(self, standing: Standing, downloads: Mapping[str, Download]) -> tuple[Row, ...]:
        """Return the rows: models, then drafts and the rest under a heading each; `downloads` by sha256."""
        if self.listing is None:
            return ()
        star = self.star

        def shown_row(row: RemoteVariant) -> Row:
            return self._row(row, star, standing, downloads.get(row.files[0].sha256))

        shown = [shown_row(row) for row in self._sorted(self.listing.rows)]
        for title, rows in (("drafts", self.listing.drafts), ("other", self.listing.others)):
            if rows:
                shown.append(Row(f"group:{title}", heading=group_heading(title)))
                shown += map(shown_row, rows)
        return tuple(shown)

    def _row(
        self, row: RemoteVariant, star: RemoteVariant | None, standing: Standing, download: Download | None
    ) -> Row:
        side = standing.mark(row.here) if row.here is not None else ""
        mark = "*" if star is not None and star.key == row.key else ""
        speed = standing.pace(row.here or row.variant.path, self._speeds.get(row.variant.path))
        cells = remote_cells(row, self.weighings.get(row.key), speed, download, self.loss(row))
        return Row(row.key, cells, mark=(mark + side)[:2])

    def _sorted(self, rows: Sequence[RemoteVariant]) -> Iterator[RemoteVariant]:
        match self.sort:
            case SortKey.NAME:
                return iter(sorted(rows, key=lambda row: row.variant.quant.casefold()))
            case SortKey.NEEDS:
                return iter(sorted(rows, key=lambda row: (self._total(row) is None, self._total(row) or 0)))
            case SortKey.RATE:
                return iter(sorted(rows, key=lambda row: -self._rate(row)))
            case _:
                return iter(rows)

    def _total(self, row: RemoteVariant) -> int | None:
        weighing = self.weighings.get(row.key)
        return weighing.footprint.total if weighing is not None and weighing.footprint is not None else None

    def _rate(self, row: RemoteVariant) -> float:
        speed = self._speeds.get(row.variant.path)
        return speed.rate or 0.0 if speed is not None else 0.0
