"""Hub: find a repository, see what each of its files needs here, and fetch one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from qtui.core.current_plan import CurrentPlan
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.hub.address import parse_repository
from qtui.core.hub.events import Waiting
from qtui.core.hub.kinds import origin_of
from qtui.core.hub.ports import Hub
from qtui.core.hub.query import Query, ResultPage, Sort, parse_query
from qtui.core.hub.repository import Repository
from qtui.core.hub.searching import same_model, search
from qtui.core.library.variant import Variant
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.messages import HubSearched, HubSearchEnded, NoGgufFound, OpenRepository
from qtui.ui.panels.card import CardPanel
from qtui.ui.places.place import Place
from qtui.ui.places.repository_page import RepositoryPage
from qtui.ui.present.hub import (
    FOUND_COLUMNS,
    FOUND_MARK_WIDTH,
    empty_text,
    found_rows,
    kind_text,
    repository_lines,
    search_line,
    trouble_text,
)
from qtui.ui.present.models import Standing
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.clean_input import CleanInput
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable

TYPED_S = 0.5
"""A search that was begun is taken up so long after the last key."""
AHEAD = 5
"""Rows before the end from which on the next page is asked for."""


class HubPlace(Place):
    """A search box over what it found; a repository that is opened takes the place of both."""

    NAME = "hub"
    CSS_PATH = "hub.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.HUB_SEARCH), *bindings(Where.HUB)]
    """The box's first: of two for one key the first that may be given is taken."""

    def __init__(self, *, hub: Hub, page: RepositoryPage, vitals: Vitals) -> None:
        super().__init__(vitals)
        self.page = page
        self._hub = hub
        self._query = Query()
        self._words = ""
        """What was searched last, as it was typed."""
        self._found: dict[str, Repository] = {}
        self._next = ""
        """Names the page after those that are shown; empty: there is none, or nobody has asked."""
        self._search = 0
        self._searching = False
        self._asked = False
        """The user has searched: what is typed from then on is looked for by itself."""
        self._trouble: Failure | Waiting | None = None
        self._waits_until = 0.0
        self._notice = Content()
        """What a repository is that holds no GGUF files; the results are those of its model then."""
        self._typed: Timer | None = None

    def compose_body(self) -> Iterable[Widget]:
        """Box and results, or one repository."""
        yield Fitted(self._search_lines, classes="query")
        yield CleanInput(
            placeholder="a model, or owner/name; author:unsloth arch:qwen3 params:7B-14B licence:mit",
            compact=True,
            classes="search",
        )
        yield Static(classes="notice")
        yield GroupedTable(FOUND_COLUMNS, FOUND_MARK_WIDTH, id="found")
        yield Fitted(self._detail_lines, classes="detail")
        yield self.page

    def on_mount(self) -> None:
        """Begin in the box."""
        self.query_one(Input).focus()
        self.call_after_refresh(self._draw)

    def show_vitals(self, vitals: Vitals) -> None:
        """Show newer figures of the machine, in the repository too."""
        super().show_vitals(vitals)
        if self.is_mounted:
            self.page.show_vitals(vitals)
            if isinstance(self._trouble, Waiting):
                self._draw()

    def show_plan(self, current: CurrentPlan) -> None:
        """Weigh under another plan."""
        self.page.show_plan(current)

    def show_standing(self, standing: Standing) -> None:
        """Show what stands on the sides of the Arena."""
        self.page.show_standing(standing)

    def subject(self) -> Variant | None:
        """Return the variant under the cursor."""
        return self.page.subject() if self._opened else None

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        if self._opened:
            return (Where.REPOSITORY, Where.EVERYWHERE)
        return (Where.HUB_SEARCH if isinstance(self.focused, Input) else Where.HUB, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """Leave out what would do nothing."""
        if self._opened:
            return self.page.hidden_commands()
        return frozenset() if self._found else frozenset({"hub.open", "hub.card", "search.down"})

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let a repository that is open have the keys, and the box those that leave it only while it has the focus."""
        if self._opened:
            return action not in OWN_ACTIONS
        return action != "leave_search" or isinstance(self.focused, Input)

    @property
    def _opened(self) -> bool:
        return self.has_class("opened")

    # What can be done

    def open_repository(self, repository: str) -> None:
        """Open one repository, from wherever it was named."""
        self.add_class("opened")
        self.page.open(repository)
        self.refresh_keys()

    def action_open(self) -> None:
        """Open the repository under the cursor."""
        if (key := self._table.key) is not None:
            self.open_repository(key)

    def action_card(self) -> None:
        """Show the model card of the repository under the cursor."""
        if (repository := self._found.get(self._table.key or "")) is not None:
            self.app.push_screen(CardPanel(repository, self._hub))

    def action_sort(self) -> None:
        """Search again, sorted by the next of trending, downloads, likes, updated, created."""
        sorts = list(Sort)
        self._ask(replace(self._query, sort=sorts[(sorts.index(self._query.sort) + 1) % len(sorts)]))

    def action_write(self) -> None:
        """Go to the box."""
        self.query_one(Input).focus()

    def action_leave_search(self) -> None:
        """Go to the results; where there are none, leave the box all the same."""
        self.set_focus(self._table if self._found else None)
        self.refresh_keys()

    def action_stop_search(self) -> None:
        """Stop what is searched, else go to the results."""
        if self._searching:
            self.workers.cancel_group(self, "search")
            self._searching = False
            self._draw()
        else:
            self.action_leave_search()

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self._table.move(step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._table.move_page(pages)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last row."""
        self._table.move_edge(direction)

    # What happened

    @on(Input.Submitted)
    def search_typed(self, event: Input.Submitted) -> None:
        """Search for what was typed, or open the repository that it names."""
        self._stop_typed()
        text = event.value.strip()
        if (repository := parse_repository(text)) is not None:
            self.open_repository(repository)
        else:
            self._search_for(text)

    @on(Input.Changed)
    def search_soon(self, event: Input.Changed) -> None:
        """Search once nothing more is typed, if the user has searched before."""
        self._stop_typed()
        text = event.value.strip()
        if self._asked and text != self._words and parse_repository(text) is None:
            self._typed = self.set_timer(TYPED_S, lambda: self._search_for(text))

    @on(HubSearched)
    def take_found(self, event: HubSearched) -> None:
        """Show more results, or what keeps them from coming."""
        if event.search != self._search:
            return
        if isinstance(event.event, ResultPage):
            self._trouble = None
            self._found |= {repository.id: repository for repository in event.event.repositories}
            self._next = event.event.next
        else:
            self._trouble = event.event
            self._waits_until = time.monotonic() + (event.event.seconds if isinstance(event.event, Waiting) else 0.0)
        self._draw()
        if self._found and self.focused is None and not self._opened:
            self._table.focus()

    @on(HubSearchEnded)
    def end_search(self, event: HubSearchEnded) -> None:
        """Show that nothing more comes; of what stands for a repository without GGUF files one will be opened."""
        if event.search == self._search:
            self._searching = False
            self._draw()
            if self._found and str(self._notice):
                self._table.focus()

    @on(OpenRepository)
    def open_named(self, event: OpenRepository) -> None:
        """Open a repository that is named on the page of another."""
        event.stop()
        self.open_repository(event.repository)

    @on(NoGgufFound)
    def show_kind(self, event: NoGgufFound) -> None:
        """Say what a repository without GGUF files is, and look for the quants of its model."""
        self.close_repository()
        self._notice = kind_text(event.repository, event.kind)
        self._begin()
        self._look_for_model(self._search, origin_of(event.repository, event.kind))
        self._draw()

    @on(RepositoryPage.Closed)
    def close_repository(self) -> None:
        """Go back to the results."""
        self.remove_class("opened")
        (self._table if self._found else self.query_one(Input)).focus()
        self._draw()
        self.refresh_keys()

    @on(GroupedTable.Highlighted, "#found")
    def follow_cursor(self) -> None:
        """Show the repository under the cursor, and ask for more before the end is reached."""
        self.query_one(".detail", Fitted).refresh()
        keys = list(self._found)
        if self._next and not self._searching and self._table.key in keys[-AHEAD:]:
            self._searching = True
            self._look(self._search, self._query, self._next)

    @on(GroupedTable.Chosen, "#found")
    def open_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_open()

    # The search

    def _search_for(self, text: str) -> None:
        self._words = text
        try:
            query = parse_query(text)
        except UsageError as error:
            self._trouble = Failure.of(error)
            self._draw()
        else:
            self._ask(replace(query, sort=self._query.sort))

    def _ask(self, query: Query) -> None:
        self._query, self._asked = query, True
        self._notice = Content()
        self._begin()
        self._look(self._search, query, "")
        self._draw()

    def _begin(self) -> None:
        self._search += 1
        self._searching, self._trouble, self._next = True, None, ""
        self._found.clear()

    @work(exclusive=True, group="search")
    async def _look(self, number: int, query: Query, page: str) -> None:
        try:
            async for event in search(self._hub, query, page):
                self.post_message(HubSearched(number, event))
        except QtuiError as error:
            self.post_message(HubSearched(number, Failure.of(error)))
        self.post_message(HubSearchEnded(number))

    @work(exclusive=True, group="search")
    async def _look_for_model(self, number: int, model: str) -> None:
        try:
            async for event in same_model(self._hub, model):
                self.post_message(HubSearched(number, event))
        except QtuiError as error:
            self.post_message(HubSearched(number, Failure.of(error)))
        self.post_message(HubSearchEnded(number))

    def _stop_typed(self) -> None:
        if self._typed is not None:
            self._typed.stop()
            self._typed = None

    # Drawing

    @property
    def _table(self) -> GroupedTable:
        return self.query_one("#found", GroupedTable)

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        rows = found_rows(list(self._found.values()))
        if rows != self._table.rows:
            self._table.show(rows)
        self.set_class(not rows, "without-results")
        notice = self._notice_text(bool(rows))
        self.set_class(bool(str(notice)), "noticed")
        self.query_one(".notice", Static).update(notice)
        self.query_one(".query", Fitted).refresh()
        self.query_one(".detail", Fitted).refresh()
        self.refresh_keys()

    def _notice_text(self, found: bool) -> Content:
        """Return what stands above the results, or in their place."""
        failure = self._trouble if isinstance(self._trouble, Failure) else None
        waiting = self._trouble if isinstance(self._trouble, Waiting) else None
        trouble = trouble_text(failure, waiting, self._waits_until - time.monotonic())
        if str(trouble) or str(self._notice):
            return Content("\n").join(part for part in (self._notice, trouble) if str(part))
        if found or self._searching:
            return Content()
        return empty_text(self._hub.endpoint) if not self._asked else Content("No repository has such a name.")

    def _search_lines(self, width: int) -> Sequence[Content]:
        return (
            search_line(
                self._hub.endpoint, self._query.sort, len(self._found), searching=self._searching,
                more=bool(self._next), width=width,
            ),
        )  # fmt: skip

    def _detail_lines(self, width: int) -> Sequence[Content]:
        repository = self._found.get(self._table.key or "")
        if repository is None:
            return ()
        return [Content(" ") + line for line in repository_lines(repository, width - 2)]


OWN_ACTIONS = frozenset({"open", "card", "sort", "write", "leave_search", "stop_search", "cursor", "page", "edge"})
