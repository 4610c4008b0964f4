"""One repository of the Hub: its variants, what each needs, and the way to this machine."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from qtui.core.hub.choice import variants_to_choose
from qtui.core.hub.reading import readable
from qtui.core.hub.remote import RemoteVariant, Status
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.messages import (
    FetchVariant,
    UsePlan,
)
from qtui.ui.panels.card import CardPanel
from qtui.ui.panels.compare import ComparePanel
from qtui.ui.panels.details import DetailsPanel
from qtui.ui.panels.ladder import LadderPanel
from qtui.ui.places.choosing import Choosing
from qtui.ui.places.place import Place
from qtui.ui.places.repository_runs import RepositoryRuns
from qtui.ui.present.detail import detail_lines
from qtui.ui.present.hub import (
    VARIANT_COLUMNS,
    choice_line,
    flag_line,
    offer_line,
    progress_text,
    title_line,
    trouble_text,
)
from qtui.ui.present.models import MARK_WIDTH
from qtui.ui.present.words import name
from qtui.ui.repository_shelf import SORTS
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable

_OF_A_ROW = "get a b compare ladder details copy sort take advise frontier"
NEED_A_ROW = frozenset(f"repository.{name}" for name in _OF_A_ROW.split())
OFFER_LINES = 4
"""What a download takes is told in so many lines at most."""


class RepositoryPage(RepositoryRuns, Choosing):
    """Shows one repository at a time; variants on the Hub are weighed like those on this machine."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.REPOSITORY)

    class Closed(Message):
        """The user went back to the results."""

    def compose(self) -> ComposeResult:
        """Title, variants, what to take, the strip about one."""
        yield Fitted(self._title_lines, classes="title")
        yield Static(classes="trouble")
        yield GroupedTable(VARIANT_COLUMNS, MARK_WIDTH, id="variants")
        yield Fitted(self._choice_lines, classes="choice")
        yield Fitted(self._detail_lines, classes="strip")

    def hidden_commands(self) -> frozenset[str]:
        """Leave out what would do nothing."""
        row = self.row
        if row is None:
            return NEED_A_ROW
        hidden = set() if self._takeable() is not None else {"repository.take"}
        return frozenset(hidden | ({"repository.a", "repository.b"} if row.status is not Status.HERE else set()))

    def open(self, repository: str) -> None:
        """Read a repository from the beginning, and go to its variants."""
        super().open(repository)
        self._table.focus()

    # What can be done

    def action_get(self) -> None:
        """Chat with a variant that is here; show what fetching another would take, and fetch it when asked again."""
        row = self.row
        if row is None:
            return
        if row.status is Status.HERE and not row.newer and row.here is not None:
            self.put(row, "A", open_arena=True)
        elif self.asked_to_get == row.key and self.offer is not None and self.offer.lack is None:
            self.post_message(FetchVariant(self.offer.download))
            self.withdraw()
        else:
            self._ask_to_get(row)
        self.draw()

    def action_put(self, side: str) -> None:
        """Put a variant that is here on a side."""
        row = self.row
        if row is None:
            return
        if row.status is Status.HERE:
            self.put(row, side, open_arena=False)
        else:
            self.say(f"{row.variant.title} is on the Hub: enter fetches it.")

    def action_compare(self) -> None:
        """Compare the variant under the cursor with the others of the repository."""
        row = self._readable_row()
        if row is None or self.shelf.listing is None:
            return
        rows = [row, *(other for other in self.shelf.listing.rows if other.key != row.key)]
        found = [each.variant for each in rows if each.header_read and each.variant.loadable]
        dates = {each.variant.path: each.date for each in rows}
        if len(found) < 2:
            self.say("Nothing to compare it with: no other header of this repository has been read.")
            return
        self.app.push_screen(
            ComparePanel(
                variants=found, plan=self.current.of, guard=self.guard, library=self.library,
                dated=lambda variant: dates.get(variant.path), losses=self.losses,
            )
        )  # fmt: skip

    def action_ladder(self) -> None:
        """Open what the variants need at growing contexts."""
        row = self._readable_row()
        if row is None or self.shelf.listing is None:
            return
        variants = [each.variant for each in self.shelf.listing.rows if each.header_read and each.variant.loadable]
        self.app.push_screen(LadderPanel(variants=variants, here=row.variant, current=self.current, guard=self.guard))

    def choices(self) -> tuple[Sequence[Variant], str]:
        """Return the variants of the repository whose headers are known."""
        rows = self.shelf.listing.rows if self.shelf.listing is not None else ()
        return variants_to_choose(rows, self._here()), self.shelf.name

    def go_to(self, variant: Variant) -> None:
        """Move the cursor to a variant."""
        rows = self.shelf.listing.all if self.shelf.listing is not None else ()
        paths = (variant.path, *variant.shards, *variant.paths)
        if (key := next((row.key for row in rows if row.variant.path in paths or row.here in paths), None)) is not None:
            self._table.move_to_key(key)

    def action_details(self) -> None:
        """Open what the header of the variant under the cursor says."""
        row = self.row
        if row is not None and row.header_read:
            self.app.push_screen(DetailsPanel(row.variant, self.library))
        elif row is not None:
            self.say(row.problem or "Its header has not been read yet.")

    def action_card(self) -> None:
        """Show the model card."""
        if self.shelf.repository is not None:
            self.app.push_screen(CardPanel(self.shelf.repository, self.hub))

    def action_copy(self) -> None:
        """Copy the command that fetches the variant under the cursor."""
        if (row := self.row) is not None:
            command = shlex.join(("qtui", "pull", row.address))
            self.app.copy_to_clipboard(command)
            self.app.notify(f"Copied: {command}", markup=False)

    def action_take(self) -> None:
        """Take what is offered: the plan under which something fits, or go to the variant that fits."""
        taken_up = self._takeable()
        if isinstance(taken_up, LoadPlan):
            self.post_message(UsePlan(taken_up))
            if self.shelf.nearest is not None:
                self._table.move_to_key(self.shelf.nearest.row.key)
        elif taken_up is not None:
            self._table.move_to_key(taken_up)

    def action_sort(self) -> None:
        """Sort by the next of size, name, memory needed, rate."""
        self.shelf.sort = SORTS[(SORTS.index(self.shelf.sort) + 1) % len(SORTS)]
        self.draw()

    def action_reload(self) -> None:
        """Read the repository again."""
        self.open(self.shelf.name)

    def action_back(self) -> None:
        """Withdraw what was asked, else stop reading and go back to the results."""
        if self.asked_to_get:
            self.withdraw()
            self.draw()
            return
        self._reading += 1
        for group in ("reading", "facts", "suggest", "nearest", "pace"):
            self.workers.cancel_group(self, group)
        self.post_message(self.Closed())

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self._table.move(step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._table.move_page(pages)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last row."""
        self._table.move_edge(direction)

    @on(GroupedTable.Highlighted)
    def follow_cursor(self) -> None:
        """Show the variant under the cursor; what was asked about another is withdrawn."""
        if self.asked_to_get and self._table.key != self.asked_to_get:
            self.withdraw()
        self.draw_strip()
        row = self.row
        if row is not None:
            self.rest(row)

    @on(GroupedTable.Chosen)
    def get_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_get()

    def _ask_to_get(self, row: RemoteVariant) -> None:
        self.withdraw()
        if row.variant.problem:
            self.say(f"{row.variant.title}: {row.variant.problem}")
            return
        self.asked_to_get = row.key
        self.make_offer(row)

    def _takeable(self) -> LoadPlan | str | None:
        """Return what `t` takes: a plan, or the key of a row."""
        row = self.row
        suggestion = self.suggestions.get(str(row.variant.path)) if row is not None else None
        if suggestion is not None and suggestion.plan is not None:
            return suggestion.plan
        if suggestion is not None and suggestion.variant is not None and self.shelf.listing is not None:
            wanted = suggestion.variant.path
            return next((each.key for each in self.shelf.listing.all if each.variant.path == wanted), None)
        if self.shelf.star is None and self.shelf.nearest is not None:
            return replace(self.current.plan, ctx_size=self.shelf.nearest.context, preset="")
        return None

    def _readable_row(self) -> RemoteVariant | None:
        row = self.row
        if row is not None and not (row.header_read and row.variant.loadable):
            self.say(row.problem or row.variant.problem or "Its header has not been read yet.")
            return None
        return row

    def say(self, message: str) -> None:
        """Tell the user what could not be done."""
        self.app.notify(message, severity="warning", markup=False)

    # Drawing

    @property
    def _table(self) -> GroupedTable:
        return self.query_one(GroupedTable)

    @property
    def row(self) -> RemoteVariant | None:
        """Return the variant under the cursor."""
        return self.shelf.row(self._table.key) if self.is_mounted else None

    def paths_on_screen(self) -> Iterable[Path]:
        """Return the variants that are on screen, from the top."""
        rows = [self.shelf.row(key) for table in self.query(GroupedTable) for key in table.visible_keys()]
        return [row.variant.path for row in rows if row is not None]

    def draw(self) -> None:
        """Show what is known now."""
        if not self.is_mounted:
            return
        shelf = self.shelf
        shown = shelf.rows(self.standing, self.downloads)
        if shown != self._table.rows:
            self._table.show(shown)
        trouble = trouble_text(shelf.failure, shelf.waiting, self.waits_until - time.monotonic())
        self.set_class(bool(str(trouble)), "troubled")
        self.query_one(".trouble", Static).update(trouble)
        for line in (".title", ".choice"):
            self.query_one(line, Fitted).refresh()
        self.draw_strip()
        if shelf.exact:
            for row in shelf.listing.rows if shelf.listing is not None else ():
                weighing = shelf.weighing(row.key)
                if weighing is not None and shelf.speed(row) is None:
                    self.pacer.want(row.variant, weighing)
            self.pace_more()

    def draw_strip(self) -> None:
        """Show what is known of the variant under the cursor."""
        self.query_one(".strip", Fitted).refresh()
        choice = self.query_one(".choice", Fitted)
        choice.styles.height = max(1, len(self._choice_lines(self.size.width))) if self.size.width else 1
        choice.refresh()
        if isinstance(self.screen, Place):
            self.screen.refresh_keys()

    def _title_lines(self, width: int) -> Sequence[Content]:
        shelf = self.shelf
        progress = Content() if shelf.failure else progress_text(
            shelf.headers_done, shelf.headers_total, shelf.fetched,
            files=shelf.files_seen, reading=shelf.reading, exact=shelf.exact,
        )  # fmt: skip
        return (title_line(shelf.name, shelf.repository, progress, width),)

    def _choice_lines(self, width: int) -> Sequence[Content]:
        asked = self.shelf.row(self.asked_to_get)
        if asked is not None:
            lines = offer_line(asked, self.offer, self.offer_problem).wrap(max(20, width - 2))
            return [Content(" ") + line for line in lines[:OFFER_LINES]]
        shelf = self.shelf
        context = self.current.plan.ctx_size
        line = choice_line(
            shelf.star, shelf.nearest, context if context > 0 else None,
            settled=shelf.exact and shelf.all_weighed,
        )  # fmt: skip
        return (Content(" ") + line,)

    def _detail_lines(self, width: int) -> Sequence[Content]:
        row = self.row
        if row is None:
            return ()
        if not row.header_read and readable(row):
            head = Content.assemble(" ", (row.variant.quant, "bold"), " of ") + name(row.variant.model, "bold")
            waits = name(row.problem, "$text-error") if row.problem else Content("its header is being read")
            return (head, Content(" ") + waits, Content(" ") + name(row.address, "$foreground-muted"))
        path = str(row.variant.path)
        lines = detail_lines(
            row.variant, self.shelf.weighing(row.key), width - 2,
            facts=self.facts.get(path), suggestion=self.suggestions.get(path), loss=self.shelf.loss(row),
        )  # fmt: skip
        return [Content(" ") + line for line in [*lines[:-1], flag_line(row), lines[-1]] if str(line).strip()]
