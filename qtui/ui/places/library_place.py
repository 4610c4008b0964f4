"""A place over the library: it keeps a shelf up to date, and learns more about the variant that the user looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from textual import on, work

from qtui.core.current_plan import CurrentPlan
from qtui.core.errors import Failure, QtuiError
from qtui.core.forecast import Forecast
from qtui.core.gguf.facts import Facts
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.propose import taken
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.steady import Steady
from qtui.core.memory.suggestion import Suggestion, suggest
from qtui.core.ports import Library
from qtui.core.settings import Settings
from qtui.ui.copying import copies_found
from qtui.ui.garbage import spare_collections
from qtui.ui.messages import (
    CopiesFound,
    FactsRead,
    FilesChanged,
    HeadroomMoved,
    ScanEnded,
    SuggestionFound,
    VariantPaced,
    VariantsFound,
    VariantWeighed,
)
from qtui.ui.pacer import Pacer
from qtui.ui.places.choosing import Choosing
from qtui.ui.places.place import Place
from qtui.ui.scanning import scanned
from qtui.ui.shelf import OF_THE_MOMENT, Shelf
from qtui.ui.vitals import Vitals
from qtui.ui.weigher import Weigher

DRAW_S = 0.1
"""What arrives by itself is gathered so long before it is drawn; what a key does is drawn at once."""
RECORD_S = 0.5
"""Until what was measured is on record."""
REST_S = 0.15
"""The cursor rests so long on a row before more is asked about it."""


class LibraryPlace(Place, Choosing):
    """Scans, watches, weighs and judges. What is drawn of it, and where the cursor stands, its children say."""

    def __init__(
        self, *, library: Library, guard: Guard, footprints: Footprints, current: CurrentPlan,
        folders: Sequence[Path], vitals: Vitals, forecast: Forecast | None = None,
    ) -> None:  # fmt: skip
        super().__init__(vitals)
        self.library = library
        self.current = current
        self.shelf = Shelf(current)
        self.folders = tuple(folders)
        self.facts: dict[Path, Facts] = {}
        self.suggestions: dict[Path, Suggestion | None] = {}
        self.copies: Mapping[Path, Variant] = {}
        """Variants that hold, or may hold, the bytes of another, as far as that is known."""
        self.scanning = False
        self.problem = ""
        """Why the last scan ended early."""
        self._guard = guard
        self._footprints = footprints
        self._weigher = Weigher(guard, current)
        self._pacer = Pacer(forecast)
        self._steady = Steady()
        self._seen: set[Path] = set()
        self._scan_again = False
        self._weighing = False
        self._pacing = False
        self._drawing = False

    # What a place of this kind says and shows

    def subject(self) -> Variant | None:
        """Return the variant under the cursor."""
        raise NotImplementedError

    def paths_on_screen(self) -> Iterable[Path]:
        """Return the variants that are on screen, from the top."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show what is known now."""
        raise NotImplementedError

    def draw_detail(self) -> None:
        """Show what is known of the variant under the cursor."""
        raise NotImplementedError

    def choices(self) -> tuple[Sequence[Variant], str]:
        """Return the variants of the model under the cursor."""
        variant = self.subject()
        return ([one for one in self.shelf.of_model(variant) if one.loadable], variant.model) if variant else ([], "")

    # What others tell

    def begin(self) -> None:
        """Begin to look, and to watch."""
        self.look_anew()
        self._watch()

    def show_vitals(self, vitals: Vitals) -> None:
        """Judge again when free memory has moved for good."""
        super().show_vitals(vitals)
        if vitals.sample and self._steady.moved(vitals.sample):
            self._measure_headroom()
        if vitals.idle():
            self._pacer.renew()
        self._pace_more()

    def settings_changed(self, before: Settings, after: Settings) -> None:
        """Look into other folders; judge by other margins."""
        if before.models_dirs != after.models_dirs:
            self._look()
        if before.margins != after.margins:
            self._measure_headroom()

    def show_plan(self, current: CurrentPlan) -> None:
        """Ask about everything again under another plan."""
        self.current = current
        self.shelf.plan_by(current)
        self.suggestions.clear()
        self._pacer.clear()
        self._weigher.plan_by(current, self.shelf.variants.values())
        self._weigh_more()
        self.draw()
        self.rest()

    def look_anew(self) -> None:
        """Look again, at headers and footprints too; what is no longer there goes when the search is over."""
        for path in self.shelf.variants:
            self._footprints.forget(path)
        self.facts.clear()
        self.show_plan(self.current)
        self._look()

    def rest(self) -> None:
        """Learn more about the variant under the cursor, once the cursor has been there for a moment."""
        variant = self.subject()
        if variant is not None:
            self.set_timer(REST_S, lambda: self._learn(variant))

    # What happened

    @on(VariantsFound)
    def add_variants(self, event: VariantsFound) -> None:
        """Take in what was found, and weigh it."""
        self._seen.update(variant.path for variant in event.variants)
        fresh = self.shelf.add(event.variants)
        for variant in fresh:
            self._drop(variant.path)
        self._weigher.want(fresh)
        self._weigh_more()
        self._draw_soon()

    @on(ScanEnded)
    def end_scan(self, event: ScanEnded) -> None:
        """Let go what is no longer there; look again if files changed meanwhile."""
        self.scanning, self.problem = False, event.problem
        if not event.problem:
            for path in self.shelf.keep(self._seen):
                self._drop(path)
        if self._scan_again:
            self._look()
        elif not event.problem:
            self._find_copies()
        self.draw()
        self.call_after_refresh(spare_collections)

    @on(CopiesFound)
    def take_copies(self, event: CopiesFound) -> None:
        """Show which variants are copies."""
        self.copies = event.copies
        self.draw_detail()

    @on(FilesChanged)
    def look_again(self) -> None:
        """Look for what came and went."""
        self._look()

    @on(VariantWeighed)
    def take_weighing(self, event: VariantWeighed) -> None:
        """Show what a variant needs."""
        self.shelf.weigh(event.path, event.weighing)
        self.suggestions.pop(event.path, None)
        weighed = self.shelf.variants.get(event.path)
        if weighed is not None:
            self._pacer.want(weighed, event.weighing)
            self._pace_more()
        variant = self.subject()
        if variant is not None and self._concerns(variant, event.path):
            self.suggestions.pop(variant.path, None)
            self.rest()
        self._draw_soon()

    @on(VariantPaced)
    def take_pace(self, event: VariantPaced) -> None:
        """Show how fast a variant would be."""
        self.shelf.pace(event.path, event.speed)
        self._draw_soon()

    @on(HeadroomMoved)
    def judge_again(self, event: HeadroomMoved) -> None:
        """Judge all known footprints against what is free now; no row moves."""
        self._weigher.want(self.shelf.judge(event.headroom))
        self._weigh_more()
        self.suggestions.clear()
        self.draw()
        self.rest()

    @on(FactsRead)
    def take_facts(self, event: FactsRead) -> None:
        """Show what a variant is made of."""
        if event.facts is not None:
            self.facts[event.variant.path] = event.facts
            self.draw_detail()

    @on(SuggestionFound)
    def take_suggestion(self, event: SuggestionFound) -> None:
        """Show what to do about a variant that does not fit."""
        self.suggestions[event.path] = event.suggestion
        self.draw_detail()

    # Work in the background

    def _look(self) -> None:
        """Scan, or once more after the scan that runs."""
        self._scan_again = self.scanning
        if not self.scanning:
            self.scanning, self.problem = True, ""
            self._seen.clear()
            self._scan()

    @work(group="scan")
    async def _scan(self) -> None:
        async for message in scanned(self.library, self.folders):
            self.post_message(message)

    @work(exclusive=True, group="copies")
    async def _find_copies(self) -> None:
        variants = tuple(self.shelf.variants.values())
        async with aclosing(copies_found(self.library, variants, self._quiet)) as found:
            async for copies in found:
                self.post_message(CopiesFound(copies))

    @work(group="watch")
    async def _watch(self) -> None:
        async for _ in self.library.watch():
            self.post_message(FilesChanged())

    def _weigh_more(self) -> None:
        if not self._weighing and not self._weigher.idle:
            self._weighing = True
            self._weigh()

    @work(group="weigh")
    async def _weigh(self) -> None:
        try:
            async for variant, weighing in self._weigher.run(self.paths_on_screen):
                self.post_message(VariantWeighed(variant.path, weighing))
        except QtuiError as error:
            self.notify(f"{error.message} {error.hint}", severity="error", markup=False)
        finally:
            self._weighing = False
        self.call_later(self._pace_more)
        self.call_later(self._settle)

    def _pace_more(self) -> None:
        """Pace what was weighed, once all of it is; the machine is only measured with nothing else going on."""
        if not self._pacing and not self._pacer.idle and not self._weighing:
            self._pacing = True
            self._pace()

    @work(group="pace")
    async def _pace(self) -> None:
        told = False
        try:
            async for variant, speed in self._pacer.run(self.paths_on_screen, self._quiet):
                told = True
                self.post_message(VariantPaced(variant.path, speed))
        finally:
            self._pacing = False
        if told:
            self.call_later(self._settle)

    def _quiet(self) -> bool:
        return self.vitals.quiet()

    def _settle(self) -> None:
        """Put rows in order once all is known; while it becomes known they stay where they are."""
        if self.shelf.sort in OF_THE_MOMENT:
            self.shelf.arrange()
            self._draw_soon()

    @work(exclusive=True, group="headroom")
    async def _measure_headroom(self) -> None:
        self.post_message(HeadroomMoved(await self._guard.headroom(fresh=False)))

    def _learn(self, variant: Variant) -> None:
        if self.subject() is not variant:
            return
        if variant.path not in self.facts:
            self._read_facts(variant)
        if variant.path not in self.suggestions and self.shelf.weighing(variant.path) is not None:
            self._suggest(variant)

    @work(exclusive=True, group="facts")
    async def _read_facts(self, variant: Variant) -> None:
        try:
            self.post_message(FactsRead(variant, await self.library.facts(variant)))
        except QtuiError as error:
            self.post_message(FactsRead(variant, None, Failure.of(error)))

    @work(exclusive=True, group="suggest")
    async def _suggest(self, variant: Variant) -> None:
        weighing = self.shelf.weighing(variant.path)
        if weighing is None:
            return
        own = self.current.own_preset(variant)
        plan: LoadPlan | None = None if own is not None and "ctx_size" in own.options else self.current.of(variant)
        found = await suggest(self._guard, variant, plan, weighing, list(self.shelf.siblings(variant)))
        if found is not None and found.plan is not None:
            # What a preset of its own adds stays its own: only what was chosen goes into the plan that all share.
            found = replace(found, plan=taken(self.current.plan, found.plan, self.current.of(variant)))
        if self.shelf.weighing(variant.path) is weighing:
            self.post_message(SuggestionFound(variant.path, found))

    def pace_anew(self, paths: Iterable[Path]) -> None:
        """Look up how fast variants are once what was measured of them is on record."""
        if wanted := list(paths):
            self.set_timer(RECORD_S, lambda: self._want_pace(wanted))

    def _want_pace(self, paths: Sequence[Path]) -> None:
        for path in paths:
            variant, weighing = self.shelf.variants.get(path), self.shelf.weighing(path)
            if variant is not None and weighing is not None:
                self._pacer.want(variant, weighing)
        self._pace_more()

    def _concerns(self, variant: Variant, path: Path) -> bool:
        """Tell whether what another file needs may change what is suggested for a variant."""
        other = self.shelf.variants.get(path)
        return other is not None and other.model == variant.model and not self.suggestions.get(variant.path)

    def _drop(self, path: Path) -> None:
        """Forget what was known of a file that is gone or another one now."""
        self._footprints.forget(path)
        self._weigher.drop(path)
        self._pacer.drop(path)
        self.facts.pop(path, None)
        self.suggestions.pop(path, None)

    def _draw_soon(self) -> None:
        if not self._drawing:
            self._drawing = True
            self.set_timer(DRAW_S, self._draw_now)

    def _draw_now(self) -> None:
        self._drawing = False
        self.draw()
