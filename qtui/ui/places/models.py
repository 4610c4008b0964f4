"""Models: what is on this machine, what each variant needs, and whether it fits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from qtui.core.advice.loss import ReadLosses
from qtui.core.compare import Dated, no_date
from qtui.core.current_plan import CurrentPlan
from qtui.core.duel.tally import Votes
from qtui.core.forecast import Forecast
from qtui.core.library.order import SortKey
from qtui.core.library.variant import Variant
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Library
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.messages import OpenRepository, PutOnSide, UsePlan
from qtui.ui.panels.compare import ComparePanel
from qtui.ui.panels.delete import DeletePanel
from qtui.ui.panels.details import DetailsPanel
from qtui.ui.panels.ladder import LadderPanel
from qtui.ui.panels.verify import VerifyPanel
from qtui.ui.parts import Keeping
from qtui.ui.places.side_choosing import SideChoosing
from qtui.ui.present.detail import detail_lines
from qtui.ui.present.models import (
    MARK_WIDTH,
    Standing,
    empty_text,
    found_line,
    problem_line,
    role_name,
    sorted_columns,
)
from qtui.ui.present.plan import command_for, kept_text, plan_line
from qtui.ui.present.words import between
from qtui.ui.quantise_messages import OpenQuantise
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.clean_input import CleanInput
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable

_OF_A_ROW = "chat a b filter sort compare ladder details copy hub delete verify advise frontier quantise measure"
NEED_A_ROW = frozenset(f"models.{name}" for name in _OF_A_ROW.split())


class ModelsPlace(SideChoosing):
    """The library with footprints and verdicts under the current plan."""

    NAME = "models"
    CSS_PATH = "models.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.FILTER), *bindings(Where.MODELS)]
    """The filter's first: of two for one key the first that may be given is taken."""

    def __init__(
        self, *, library: Library, guard: Guard, footprints: Footprints, current: CurrentPlan,
        folders: Sequence[Path], vitals: Vitals, standing: Standing, dated: Dated = no_date, votes: Votes | None = None,
        forecast: Forecast | None = None, keeping: Keeping | None = None, losses: ReadLosses | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            library=library, guard=guard, footprints=footprints, current=current, folders=folders, vitals=vitals,
            forecast=forecast, losses=losses,
        )  # fmt: skip
        self.shelf.stand(standing)
        self._dated = dated
        self._keeping = keeping
        self._votes = votes
        self._words = ""
        self._detailed: tuple[object, ...] = (object(),) * 9
        """What the detail was drawn of."""
        self.choosing = ""

    def compose_body(self) -> Iterable[Widget]:
        """Plan line, filter, table or what stands in for it, detail strip."""
        yield Fitted(self._plan_lines, classes="plan")
        placeholder = "fits  quant:q4  >4bpw  <8GiB  arch:qwen3  or any word"
        yield CleanInput(placeholder=placeholder, compact=True, classes="filter")
        yield Fitted(self._term_lines, classes="terms")
        yield GroupedTable(sorted_columns(self.shelf.sort), MARK_WIDTH)
        yield Static(classes="empty")
        yield Fitted(self._detail_lines, classes="detail")

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(GroupedTable).focus()
        self.begin()

    def show_standing(self, standing: Standing) -> None:
        """Show what the Arena does with the variants; a rate that it has just measured will be on record."""
        self.pace_anew(path for path, rate in standing.rates.items() if rate != self.shelf.standing.rates.get(path))
        self.shelf.stand(standing)
        self.draw()

    def subject(self) -> Variant | None:
        """Return the variant under the cursor."""
        table = self.query(GroupedTable)
        return self.shelf.variant(table.first().key) if table else None

    def paths_on_screen(self) -> Iterable[Path]:
        """Return the variants that are on screen, from the top."""
        return [Path(key) for table in self.query(GroupedTable) for key in table.visible_keys()]  # none while it ends

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        return (Where.FILTER if isinstance(self.focused, Input) else Where.MODELS, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """Leave out what would do nothing."""
        variant = self.subject()
        hidden = frozenset() if variant else NEED_A_ROW
        return hidden if variant and self.suggestions.get(variant.path) else hidden | {"models.take"}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the keys of the filter be its own only while it has the focus."""
        return action not in ("leave_filter", "clear_filter") or isinstance(self.focused, Input)

    # What can be done

    def action_rescan(self) -> None:
        """Look again; what is no longer there goes when the search is over."""
        self.look_anew()
        self.draw()

    def action_choose(self) -> None:
        """Chat with the variant under the cursor, or put it on the side that is being chosen for."""
        variant = self.subject()
        if variant and self._may_load(variant):
            side, self.choosing = self.choosing or "A", ""
            self.post_message(PutOnSide(side, variant, then_open=True))

    def action_put(self, side: str) -> None:
        """Put the variant under the cursor on a side, or take it off."""
        variant = self.subject()
        if variant is None:
            return
        there = self.shelf.standing.sides.get(side)
        if there and there.path == variant.path:
            self.post_message(PutOnSide(side, None))
        elif self._may_load(variant):
            self.post_message(PutOnSide(side, variant))

    def action_sort(self) -> None:
        """Sort by the next of name, size, bits per weight, memory needed, rate."""
        keys = list(SortKey)
        self.shelf.sort = keys[(keys.index(self.shelf.sort) + 1) % len(keys)]
        self.shelf.arrange()
        self.draw()

    def action_compare(self) -> None:
        """Compare the variant under the cursor with the others of its model, and with what stands on a side."""
        variant = self.subject()
        if variant is None or not self._may_load(variant):
            return
        standing = self.shelf.standing
        others = [*self.shelf.of_model(variant), *standing.sides.values()]
        found = list(dict.fromkeys([variant, *(other for other in others if other.loadable)]))
        if len(found) < 2:
            self.notify("Nothing to compare it with: no other variant of its model is here, and none is on a side.")
            return

        async def rate(other: Variant, _plan: LoadPlan) -> float | None:
            return self.shelf.measured_rate(other.path)

        panel = ComparePanel(
            variants=found, plan=self.current.of, guard=self._guard, library=self.library, rate=rate,
            dated=self._dated, losses=self._read_losses, votes=self._votes,
        )  # fmt: skip
        self.app.push_screen(panel)

    def go_to(self, variant: Variant) -> None:
        """Move the cursor to a variant."""
        self.query_one(GroupedTable).move_to_key(str(variant.path))

    def action_ladder(self) -> None:
        """Open what the variants of the model under the cursor need at growing contexts."""
        variant = self.subject()
        if variant and self._may_load(variant):
            variants = [other for other in self.shelf.of_model(variant) if other.loadable]
            self.app.push_screen(LadderPanel(variants=variants, here=variant, current=self.current, guard=self._guard))

    def action_details(self) -> None:
        """Open what the header of the variant under the cursor says."""
        if variant := self.subject():
            self.app.push_screen(DetailsPanel(variant, self.library))

    def action_repository(self) -> None:
        """Open the repository on the Hub that the variant under the cursor came from."""
        variant = self.subject()
        if variant is None:
            return
        if variant.repository:
            self.post_message(OpenRepository(variant.repository))
        else:
            self.notify(f"It is not known where {variant.title} came from: its place does not tell.", markup=False)

    def action_delete(self) -> None:
        """Show what deleting the variant under the cursor would take away, and delete it when that is agreed to."""
        variant = self.subject()
        if variant is None:
            return
        keeping = self._keeping
        if keeping is None or keeping.remover is None:
            self.notify("Nothing can be deleted here.", severity="warning")
            return

        def deleted(done: bool | None) -> None:
            if done:
                self.look_again()

        panel = DeletePanel(variant, keeping.remover, keeping.sessions, self.shelf.standing.mark(variant.path))
        self.app.push_screen(panel, deleted)

    def action_quantise(self) -> None:
        """Open what each type would make of the variant under the cursor."""
        variant = self.subject()
        if variant and self._may_load(variant):
            self.post_message(OpenQuantise(variant))

    def action_verify(self) -> None:
        """Read the files of the variant under the cursor, and compare them with what they should be."""
        variant = self.subject()
        keeping = self._keeping
        if keeping is None or keeping.checksums is None:
            self.notify("Nothing can be verified here.", severity="warning")
        elif variant is not None:
            self.app.push_screen(VerifyPanel(variant, keeping.checksums, keeping.hub))

    def action_copy(self) -> None:
        """Copy the llama-server command of the variant under the cursor, under its plan."""
        variant = self.subject()
        if variant and self._may_load(variant):
            command = command_for(self.current.of(variant), variant, self.shelf.weighing(variant.path))
            self.app.copy_to_clipboard(command)
            self.notify(f"Copied: {command}", markup=False)

    def action_take(self) -> None:
        """Take the suggestion: make its plan the current one, or go to its variant."""
        variant = self.subject()
        suggestion = self.suggestions.get(variant.path) if variant else None
        if suggestion is not None and suggestion.plan is not None:
            self.post_message(UsePlan(suggestion.plan))
        elif suggestion is not None and suggestion.variant is not None:
            self.query_one(GroupedTable).move_to_key(str(suggestion.variant.path))

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
        """Open the filter, with what it held."""
        if self.shelf.variants:
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
        if self.choosing and not isinstance(self.focused, Input):
            self.choosing = ""
            self.draw()
        else:
            self.action_clear_filter()

    @on(Input.Changed)
    async def filter_rows(self, event: Input.Changed) -> None:
        """Show the rows that meet the filter."""
        self._words = event.value.strip()
        self.shelf.filter_by(self._words)
        self.draw()
        # Textual 8.2 paints the field at once and what is asked for after that two frames later: let the table ask now.
        await asyncio.sleep(0)

    @on(Input.Submitted)
    def end_filter(self) -> None:
        """Go to the rows."""
        self.action_leave_filter()

    @on(GroupedTable.Highlighted)
    def follow_cursor(self) -> None:
        """Show what the variant under the cursor needs, and learn more once the cursor rests."""
        self.draw_detail()
        self.rest()

    @on(GroupedTable.Chosen)
    def choose_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_choose()

    def _may_load(self, variant: Variant) -> bool:
        if variant.loadable:
            return True
        why = variant.problem or f"its role is {role_name(variant)}, not a model"
        self.notify(f"{variant.title} cannot be loaded: {why}", severity="warning", markup=False)
        return False

    # Drawing

    def draw(self) -> None:
        """Show what is known now."""
        if not self.is_mounted:
            return
        table = self.query_one(GroupedTable)
        table.show_columns(sorted_columns(self.shelf.sort, measured=self.shelf.measured))
        shown = self.shelf.rows()
        if shown != table.rows:
            table.show(shown)  # it tells that the cursor's row may be another one, and the detail follows
        else:
            self.draw_detail()
        nothing = not self.shelf.variants
        self.set_class(nothing, "without-models")
        self.set_class(bool(self.shelf.filter.problems), "left-out")
        if nothing:
            places = [("--models-dir", folder) for folder in self.folders] or list(self.library.places())
            self.query_one(".empty", Static).update(empty_text(places, scanning=self.scanning, problem=self.problem))
        elif self.focused is None:  # while it was hidden it could not have the focus
            table.focus()
        self.query_one(".plan", Fitted).refresh()
        if self.shelf.filter.problems:
            self.query_one(".terms", Fitted).refresh()

    def draw_detail(self) -> None:
        """Show what is known of the variant under the cursor, if that has changed."""
        variant = self.subject()
        path = variant.path if variant else Path()
        known = (
            variant, self.shelf.weighing(path), self.facts.get(path), self.suggestions.get(path),
            self.current, self.shelf.standing, self.copies.get(path), self.loss(path), self.shelf.speed(path),
        )  # fmt: skip
        if any(new is not old for new, old in zip(known, self._detailed, strict=True)):
            self._detailed = known
            self.query_one(".detail", Fitted).refresh()
        self.refresh_keys()

    def _plan_lines(self, width: int) -> Sequence[Content]:
        if self.choosing:
            return (self.choosing_line(),)
        shown = sum(1 for row in self.query_one(GroupedTable).rows if row.heading is None)
        found = found_line(
            len(self.shelf.variants), self.shelf.models, scanning=self.scanning,
            shown=shown if self._words else None, sort=self.shelf.sort, problem=self.problem,
        )  # fmt: skip
        if self.problem:
            return (Content(" ") + found,)
        return (between(Content(" ") + plan_line(self.current.plan), found + " ", width),)

    def _term_lines(self, width: int) -> Sequence[Content]:
        return (Content(" ") + problem_line(self.shelf.filter.problems),)

    def _detail_lines(self, width: int) -> Sequence[Content]:
        variant = self.subject()
        if variant is None:
            return ()
        path = variant.path
        started = self.shelf.standing.plan_of(path)
        kept = kept_text("loaded with", started, self.current.of(variant)) if started else None
        lines = detail_lines(
            variant, self.shelf.weighing(path), width - 2,
            facts=self.facts.get(path), suggestion=self.suggestions.get(path), kept=kept,
            copy=self.copies.get(path), loss=self.loss(path), speed=self.shelf.speed(path),
        )  # fmt: skip
        return [Content(" ") + line for line in lines]
