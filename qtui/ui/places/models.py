"""Models: what is on this machine, what each variant needs, and whether it fits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.steady import Steady
from qtui.core.memory.verdict import judge
from qtui.core.ports import Library
from qtui.ui.commands import Where, bindings
from qtui.ui.messages import HeadroomMoved, PutOnSide, ScanEnded, VariantsFound, VariantWeighed
from qtui.ui.places.place import Place
from qtui.ui.present.detail import detail_lines
from qtui.ui.present.models import COLUMNS, MARK_WIDTH, Standing, empty_text, found_line, plan_line, rows
from qtui.ui.present.words import between
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable

BATCH_S = 0.1
"""Found variants are gathered so long before they are shown."""


class ModelsPlace(Place):
    """The library with footprints and verdicts under the current plan."""

    NAME = "models"
    CSS_PATH = "models.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.MODELS), *bindings(Where.FILTER)]

    def __init__(
        self, *, library: Library, guard: Guard, footprints: Footprints, plan: LoadPlan,
        folders: Sequence[Path], vitals: Vitals, standing: Standing,
    ) -> None:  # fmt: skip
        super().__init__(vitals)
        self._library = library
        self._guard = guard
        self._footprints = footprints
        self._plan = plan
        self._folders = tuple(folders)
        self._standing = standing
        self._variants: dict[str, Variant] = {}
        self._before: dict[str, Variant] = {}
        self._weighings: dict[Path, Weighing] = {}
        self._steady = Steady()
        self._scanning = False
        self._weighing = False
        self._problem = ""
        self._words = ""
        self._choosing = ""

    def compose_body(self) -> Iterable[Widget]:
        """Plan line, filter, table or what stands in for it, detail strip."""
        yield Fitted(self._plan_lines, classes="plan")
        yield Input(placeholder="words, all of which a row must hold", compact=True, classes="filter")
        yield GroupedTable(COLUMNS, MARK_WIDTH)
        yield Static(classes="empty")
        yield Fitted(self._detail_lines, classes="detail")

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(GroupedTable).focus()
        self.action_rescan()

    def show_vitals(self, vitals: Vitals) -> None:
        """Judge again when free memory has moved for good."""
        super().show_vitals(vitals)
        if vitals.sample and self._steady.moved(vitals.sample):
            self._measure_headroom()

    def show_standing(self, standing: Standing) -> None:
        """Show what the Arena does with the variants."""
        self._standing = standing
        self._draw()

    def choose_for(self, side: str) -> None:
        """Let `enter` choose for one side of the Arena."""
        self._choosing = side
        self.query_one(GroupedTable).focus()
        self._draw()

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        return (Where.FILTER if isinstance(self.focused, Input) else Where.MODELS, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """Without rows there is nothing to put on a side."""
        table = self.query(GroupedTable).first()
        return frozenset() if table.key else frozenset({"models.chat", "models.a", "models.b", "models.filter"})

    # What can be done

    def action_rescan(self) -> None:
        """Look again; what is no longer there goes when the search is over."""
        self._before, self._variants = self._variants, {}
        self._weighings.clear()
        for variant in self._before.values():
            self._footprints.forget(variant.path)
        self._scanning, self._problem = True, ""
        self._scan()
        self._draw()

    def action_choose(self) -> None:
        """Chat with the variant under the cursor, or put it on the side that is being chosen for."""
        variant = self._under_cursor()
        if variant and self._may_load(variant):
            side, self._choosing = self._choosing or "A", ""
            self.post_message(PutOnSide(side, variant, then_open=True))

    def action_put(self, side: str) -> None:
        """Put the variant under the cursor on a side, or take it off."""
        variant = self._under_cursor()
        if variant is None:
            return
        there = self._standing.sides.get(side)
        if there and there.path == variant.path:
            self.post_message(PutOnSide(side, None))
        elif self._may_load(variant):
            self.post_message(PutOnSide(side, variant))

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(GroupedTable).move(step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.query_one(GroupedTable).move_page(pages)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last row."""
        self.query_one(GroupedTable).move_edge(direction)

    def action_filter(self) -> None:
        """Open the filter."""
        if self._variants:
            field = self.query_one(Input)
            field.add_class("open")
            field.focus()

    def action_leave_filter(self) -> None:
        """Go to the rows that are left; the filter stays."""
        field = self.query_one(Input)
        field.set_class(bool(field.value.strip()), "open")
        self.query_one(GroupedTable).focus()

    def action_clear_filter(self) -> None:
        """Show all rows again."""
        field = self.query_one(Input)
        field.value = ""
        field.remove_class("open")
        self.query_one(GroupedTable).focus()

    def action_back(self) -> None:
        """Stop choosing for a side, else clear the filter."""
        if isinstance(self.focused, Input):
            self.action_clear_filter()
        elif self._choosing:
            self._choosing = ""
            self._draw()
        else:
            self.action_clear_filter()

    # What happened

    @on(Input.Changed)
    def filter_rows(self, event: Input.Changed) -> None:
        """Show the rows that hold all words."""
        self._words = event.value.strip()
        self._draw()

    @on(Input.Submitted)
    def end_filter(self) -> None:
        """Go to the rows."""
        self.action_leave_filter()

    @on(GroupedTable.Highlighted)
    def show_detail(self) -> None:
        """Show what the variant under the cursor needs."""
        self.query_one(".detail", Fitted).refresh()

    @on(GroupedTable.Chosen)
    def choose_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_choose()

    @on(VariantsFound)
    def add_variants(self, event: VariantsFound) -> None:
        """Show what was found."""
        for variant in event.variants:
            self._variants[str(variant.path)] = variant
        self._draw()
        self._weigh_more()

    @on(ScanEnded)
    def end_scan(self, event: ScanEnded) -> None:
        """Say that the search is over."""
        self._scanning, self._problem, self._before = False, event.problem, {}
        self._draw()
        self._weigh_more()

    @on(VariantWeighed)
    def show_weighing(self, event: VariantWeighed) -> None:
        """Show what a variant needs."""
        self._weighings[event.path] = event.weighing
        self._draw()

    @on(HeadroomMoved)
    def judge_again(self, event: HeadroomMoved) -> None:
        """Judge all known footprints against what is free now; no row moves."""
        for path, old in self._weighings.items():
            if old.footprint is not None:
                verdict = judge(old.footprint, event.headroom)
                self._weighings[path] = replace(old, headroom=event.headroom, verdict=verdict)
        self._draw()

    # Work in the background

    @work(exclusive=True, group="scan")
    async def _scan(self) -> None:
        found: list[Variant] = []
        clock = asyncio.get_running_loop().time
        problem = ""
        last = clock()
        try:
            async for variant in self._library.scan(self._folders):
                found.append(variant)
                if clock() - last >= BATCH_S:
                    self.post_message(VariantsFound(tuple(found)))
                    found.clear()
                    last = clock()
        except QtuiError as error:
            problem = f"{error.message}: {error.hint}" if error.hint else error.message
        if found:
            self.post_message(VariantsFound(tuple(found)))
        self.post_message(ScanEnded(problem))

    def _weigh_more(self) -> None:
        if not self._weighing:
            self._weighing = True
            self._weigh()

    @work(group="weigh")
    async def _weigh(self) -> None:
        asked: set[Path] = set()
        try:
            while variant := self._next_to_weigh(asked):
                asked.add(variant.path)
                weighing = await self._guard.weigh(variant, self._plan, fresh=False)
                self.post_message(VariantWeighed(variant.path, weighing))
        except QtuiError as error:
            self.notify(f"{error.message} {error.hint}", severity="error", markup=False)
        finally:
            self._weighing = False

    @work(exclusive=True, group="headroom")
    async def _measure_headroom(self) -> None:
        self.post_message(HeadroomMoved(await self._guard.headroom(fresh=False)))

    def _next_to_weigh(self, asked: set[Path]) -> Variant | None:
        """Return the next variant without a footprint, those on screen first."""
        on_screen = (self._variants.get(key) for key in self.query_one(GroupedTable).visible_keys())
        for variant in (*on_screen, *self._variants.values()):
            if variant and variant.loadable and variant.path not in self._weighings and variant.path not in asked:
                return variant
        return None

    # Drawing

    def _under_cursor(self) -> Variant | None:
        key = self.query_one(GroupedTable).key
        return self._variants.get(key) or self._before.get(key) if key else None

    def _may_load(self, variant: Variant) -> bool:
        if variant.loadable:
            return True
        why = variant.problem or f"it is a file of the role {variant.role.value}, not a model"
        self.notify(f"{variant.title} cannot be loaded: {why}", severity="warning", markup=False)
        return False

    def _everything(self) -> tuple[Variant, ...]:
        """Return what is found, and during a new search what was there before it."""
        return tuple({**self._before, **self._variants}.values())

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        everything = self._everything()
        table = self.query_one(GroupedTable)
        shown = rows(everything, self._weighings, self._standing, self._words.split())
        if shown != table.rows:
            table.show(shown)
        empty = self.query_one(".empty", Static)
        self.set_class(not everything, "without-models")
        if not everything:
            places = [("--models-dir", folder) for folder in self._folders] or list(self._library.places())
            empty.update(empty_text(places, scanning=self._scanning, problem=self._problem))
        elif self.focused is None:  # while it was hidden it could not have the focus
            table.focus()
        self.query_one(".plan", Fitted).refresh()
        self.query_one(".detail", Fitted).refresh()
        self.refresh_keys()

    def _plan_lines(self, width: int) -> Sequence[Content]:
        if self._choosing:
            text = Content.styled(f" Choose a variant for side {self._choosing}: enter takes it, esc ends", "reverse")
            return (text,)
        shown = sum(1 for row in self.query_one(GroupedTable).rows if row.cells)
        found = found_line(
            self._everything(), scanning=self._scanning, shown=shown, words=self._words, problem=self._problem
        )
        if self._problem:
            return (Content(" ") + found,)
        return (between(Content(" ") + plan_line(self._plan), found + " ", width),)

    def _detail_lines(self, width: int) -> Sequence[Content]:
        variant = self._under_cursor()
        lines = detail_lines(variant, self._weighings.get(variant.path) if variant else None, width - 2)
        return [Content(" ") + line for line in lines]
