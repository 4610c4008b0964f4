"""The runs behind one repository of the Hub: reading, weighing, what it would take to fetch a variant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from textual import on, work
from textual.containers import Vertical

from qtui.core.advice.loss import ReadLosses
from qtui.core.current_plan import CurrentPlan
from qtui.core.downloads.download import Download, State
from qtui.core.downloads.offer import Offer
from qtui.core.errors import Failure, QtuiError
from qtui.core.forecast import Forecast
from qtui.core.gguf.facts import Facts
from qtui.core.hub.choice import nearest
from qtui.core.hub.events import Listed, ReadingEnded
from qtui.core.hub.kinds import Format, kind_of
from qtui.core.hub.listing import Listing
from qtui.core.hub.ports import Hub
from qtui.core.hub.reading import read_repository
from qtui.core.hub.remote import RemoteVariant
from qtui.core.hub.weighing import weigh_rows
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.propose import taken
from qtui.core.memory.guard import Guard
from qtui.core.memory.steady import Steady
from qtui.core.memory.suggestion import Suggestion, suggest
from qtui.core.ports import Library
from qtui.ui.measure_messages import RowLossesTold
from qtui.ui.messages import (
    FactsRead,
    HeadroomMoved,
    NearestFound,
    NoGgufFound,
    OfferMade,
    PutOnSide,
    RepositoryTold,
    SuggestionFound,
    VariantPaced,
)
from qtui.ui.pacer import Pacer
from qtui.ui.present.models import Standing
from qtui.ui.repository_shelf import RepositoryShelf
from qtui.ui.vitals import Vitals

REST_S = 0.15
"""The cursor rests so long on a row before more is asked about it."""
DRAW_S = 0.1
"""What arrives by itself is gathered so long before it is drawn."""
ALL_GROUPS = ("reading", "facts", "suggest", "nearest", "pace", "offer")

Offering = Callable[[Listing, RemoteVariant], Awaitable[Offer]]
"""Tells what fetching a variant would take."""


class RepositoryRuns(Vertical):
    """Keeps the shelf of one repository up to date. What is drawn of it, and where the cursor stands, the page says."""

    def __init__(
        self, *, hub: Hub, library: Library, guard: Guard, current: CurrentPlan, standing: Standing,
        here: Callable[[], Sequence[Variant]], offer: Offering | None = None, forecast: Forecast | None = None,
        losses: ReadLosses | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shelf = RepositoryShelf("")
        self.hub = hub
        self.library = library
        self.guard = guard
        self.current = current
        self.standing = standing
        self._here = here
        """Tells the variants of this machine."""
        self._offer_of = offer
        self.losses = losses
        """Reads the published figures; blocks."""
        self.pacer = Pacer(forecast)
        self._steady = Steady()
        self._vitals = Vitals()
        self.downloads: Mapping[str, Download] = {}
        """By the sha256 of the first file."""
        self._reading = 0
        self.facts: dict[str, Facts] = {}
        self.suggestions: dict[str, Suggestion | None] = {}
        self.asked_to_get = ""
        """The row of which it is shown what fetching it would take."""
        self.offer: Offer | None = None
        self.offer_problem = ""
        self.waits_until = 0.0
        self._drawing = False

    # What the page says and shows

    @property
    def row(self) -> RemoteVariant | None:
        """Return the variant under the cursor."""
        raise NotImplementedError

    def paths_on_screen(self) -> Iterable[Path]:
        """Return the variants that are on screen, from the top."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show what is known now."""
        raise NotImplementedError

    def draw_strip(self) -> None:
        """Show what is known of the variant under the cursor."""
        raise NotImplementedError

    def say(self, message: str) -> None:
        """Tell the user what could not be done."""
        raise NotImplementedError

    # What others tell

    def open(self, repository: str) -> None:
        """Read a repository from the beginning."""
        self.shelf = RepositoryShelf(repository)
        self.pacer.clear()
        self.facts.clear()
        self.suggestions.clear()
        self.withdraw()
        self._reading += 1
        for group in ("reading", "facts", "suggest", "nearest"):
            self.workers.cancel_group(self, group)
        self._read(self._reading, repository)
        self.draw()

    def subject(self) -> Variant | None:
        """Return the variant under the cursor."""
        row = self.row
        return row.variant if row is not None and row.header_read else None

    def show_vitals(self, vitals: Vitals) -> None:
        """Show how downloads go; judge again when free memory has moved for good."""
        before, self._vitals = self._vitals, vitals
        if vitals.downloads is not before.downloads:
            self.show_downloads(vitals.downloads)
        if vitals.sample and self._steady.moved(vitals.sample):
            self._measure_headroom()
        if self.shelf.waiting is not None:
            self.draw()
        self.pace_more()

    def show_plan(self, current: CurrentPlan) -> None:
        """Weigh everything again under another plan."""
        self.current = current
        self.shelf.forget_weighings()
        self.suggestions.clear()
        self.pacer.clear()
        if self.shelf.listing is not None and not self.shelf.reading_headers:
            self.workers.cancel_group(self, "reading")
            self._reading += 1
            self.shelf.reading = False
            self._weigh(self._reading)
        elif self.shelf.listing is not None:
            self.open(self.shelf.name)
        self.draw()

    def show_standing(self, standing: Standing) -> None:
        """Show what stands on the sides of the Arena."""
        self.standing = standing
        self.draw()

    def show_downloads(self, downloads: Sequence[Download]) -> None:
        """Show how downloads go; what has come whole is here from then on."""
        self.downloads = {download.files[0].sha256: download for download in downloads}
        self.shelf.mark_here({
            digest: Path(download.paths[0])
            for digest, download in self.downloads.items() if download.state is State.DONE and download.paths
        })  # fmt: skip
        self._draw_soon()

    # What happened

    @on(RepositoryTold)
    def take_event(self, event: RepositoryTold) -> None:
        """Show what was read or weighed."""
        event.stop()
        if event.reading != self._reading:
            return
        if isinstance(event.event, Failure):
            self.shelf.fail(event.event)
            self.draw()
            return
        first = self.shelf.listing is None
        self.shelf.take(event.event)
        if self.shelf.waiting is not None:
            self.waits_until = time.monotonic() + self.shelf.waiting.seconds
        if isinstance(event.event, Listed) and first and not event.event.listing.all:
            self._tell_kind(event.event)
            return
        if isinstance(event.event, Listed | ReadingEnded):
            self._look_at_losses()
        if self.shelf.all_weighed and self.shelf.star is None and self.shelf.nearest is None:
            self._look_for_nearest(self._reading)
        self._draw_soon()

    @on(NearestFound)
    def take_nearest(self, event: NearestFound) -> None:
        """Show what would fit with less context."""
        event.stop()
        if event.reading == self._reading:
            self.shelf.nearest = event.nearest
            self.draw()

    @on(OfferMade)
    def take_offer(self, event: OfferMade) -> None:
        """Show what fetching a variant would take."""
        event.stop()
        if event.key == self.asked_to_get:
            self.offer, self.offer_problem = event.offer, event.problem
            self.draw()

    @on(FactsRead)
    def take_facts(self, event: FactsRead) -> None:
        """Show what the variant under the cursor is made of."""
        event.stop()
        if event.facts is not None:
            self.facts[str(event.variant.path)] = event.facts
            self.draw_strip()

    @on(SuggestionFound)
    def take_suggestion(self, event: SuggestionFound) -> None:
        """Show what to do about a variant that does not fit."""
        event.stop()
        self.suggestions[str(event.path)] = event.suggestion
        self.draw_strip()

    @on(RowLossesTold)
    def take_losses(self, event: RowLossesTold) -> None:
        """Show what variants lose."""
        event.stop()
        self.shelf.lose(event.losses)
        self._draw_soon()

    @on(VariantPaced)
    def take_pace(self, event: VariantPaced) -> None:
        """Show how fast a variant would be."""
        event.stop()
        self.shelf.pace(event.path, event.speed)
        self._draw_soon()

    @on(HeadroomMoved)
    def judge_again(self, event: HeadroomMoved) -> None:
        """Judge what was weighed against what is free now; no row moves."""
        event.stop()
        self.shelf.judge(event.headroom)
        self.suggestions.clear()
        self.draw()

    # Work in the background

    @work(exclusive=True, group="reading", exit_on_error=False)
    async def _read(self, number: int, repository: str) -> None:
        try:
            events = read_repository(
                self.hub, self.library, repository, here=self._here(), guard=self.guard, plan=self.current.of
            )
            async for event in events:
                self.post_message(RepositoryTold(number, event))
        except QtuiError as error:
            self.post_message(RepositoryTold(number, Failure.of(error)))

    @work(exclusive=True, group="reading")
    async def _weigh(self, number: int) -> None:
        if (listing := self.shelf.listing) is None:
            return
        for exact in (False, True):
            async for event in weigh_rows(self.guard, listing.rows, self.current.of, exact=exact):
                self.post_message(RepositoryTold(number, event))
        self.post_message(RepositoryTold(number, ReadingEnded(listing, self.shelf.fetched)))

    @work(exclusive=True, group="losses")
    async def _look_at_losses(self) -> None:
        """Learn what the variants lose; of one that is here its own file is looked up."""
        rows = self.shelf.listing.rows if self.shelf.listing is not None else ()
        if self.losses is None or not rows:
            return
        here = {path: variant for variant in self._here() for path in variant.paths}
        own = {row.key: here.get(row.here, row.variant) if row.here else row.variant for row in rows}
        losses, _ = await asyncio.to_thread(self.losses)
        found = await losses.of(list(own.values()))
        self.post_message(RowLossesTold({key: found[variant.path] for key, variant in own.items()}))

    @work(exclusive=True, group="nearest")
    async def _look_for_nearest(self, number: int) -> None:
        rows = self.shelf.listing.rows if self.shelf.listing is not None else ()
        self.post_message(NearestFound(number, await nearest(self.guard, rows, dict(self.shelf.weighings))))

    @work(exclusive=True, group="headroom")
    async def _measure_headroom(self) -> None:
        self.post_message(HeadroomMoved(await self.guard.headroom(fresh=False)))

    @work(exclusive=True, group="offer")
    async def make_offer(self, row: RemoteVariant) -> None:
        """Find out what fetching a variant would take."""
        listing, offer = self.shelf.listing, self._offer_of
        if listing is None or offer is None:
            self.post_message(OfferMade(row.key, None, "downloads are not set up here"))
            return
        try:
            self.post_message(OfferMade(row.key, await offer(listing, row)))
        except QtuiError as error:
            self.post_message(OfferMade(row.key, None, f"{error.message}. {error.hint}"))

    @work(exclusive=True, group="put")
    async def put(self, row: RemoteVariant, side: str, *, open_arena: bool) -> None:
        """Put the copy of a variant that is on this machine on a side."""
        try:
            variant = await self.library.find(str(row.here))
        except QtuiError as error:
            self.say(f"{error.message}. {error.hint}")
            return
        self.post_message(PutOnSide(side, variant, then_open=open_arena))

    @work(exclusive=True, group="facts")
    async def _read_facts(self, variant: Variant) -> None:
        try:
            self.post_message(FactsRead(variant, await self.library.facts(variant)))
        except QtuiError as error:
            self.post_message(FactsRead(variant, None, Failure.of(error)))

    @work(exclusive=True, group="suggest")
    async def _suggest(self, row: RemoteVariant) -> None:
        weighing = self.shelf.weighing(row.key)
        if weighing is None:
            return
        found = await suggest(self.guard, row.variant, self.current.of(row.variant), weighing, self.shelf.siblings(row))
        if found is not None and found.plan is not None:
            found = replace(found, plan=taken(self.current.plan, found.plan, self.current.of(row.variant)))
        if self.shelf.weighing(row.key) is weighing:
            self.post_message(SuggestionFound(row.variant.path, found))

    @work(group="pace")
    async def _pace(self) -> None:
        async for variant, speed in self.pacer.run(self.paths_on_screen, self._quiet):
            self.post_message(VariantPaced(variant.path, speed))

    def _quiet(self) -> bool:
        return self._vitals.quiet()

    def pace_more(self) -> None:
        """Tell how fast variants would be, once all were weighed and nothing else computes."""
        busy = any(worker.group == "pace" and worker.node is self for worker in self.workers)
        if self.shelf.exact and not self.pacer.idle and not busy:
            self._pace()

    def rest(self, row: RemoteVariant) -> None:
        """Learn more about a variant, once the cursor has been on it for a moment."""
        self.set_timer(REST_S, lambda: self._learn(row))

    def _learn(self, row: RemoteVariant) -> None:
        if self.row is None or self.row.key != row.key or not row.header_read:
            return
        path = str(row.variant.path)
        if path not in self.facts:
            self._read_facts(row.variant)
        if path not in self.suggestions and self.shelf.weighing(row.key) is not None:
            self._suggest(row)

    def withdraw(self) -> None:
        """Ask no more whether to fetch a variant."""
        self.asked_to_get, self.offer, self.offer_problem = "", None, ""

    def _tell_kind(self, event: Listed) -> None:
        kind = kind_of(event.listing.repository, event.listing.names)
        if kind.format is not Format.GGUF:
            self.post_message(NoGgufFound(event.listing.repository, kind))
        else:
            self.draw()

    def _draw_soon(self) -> None:
        if not self._drawing:
            self._drawing = True
            self.set_timer(DRAW_S, self._draw_now)

    def _draw_now(self) -> None:
        self._drawing = False
        self.draw()
