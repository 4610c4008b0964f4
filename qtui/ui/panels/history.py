"""The History panel: rounds that are kept, searched, read, opened again, exported and deleted."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantBlur, DescendantFocus
from textual.types import CSSPathType
from textual.widgets import Input, Static

from qtui.core.duel.past import PastRounds
from qtui.core.duel.records import RoundRecord
from qtui.core.errors import Failure, QtuiError
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.history_messages import ReopenRound, RoundDeleted, RoundsFound
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.history import (
    COLUMNS,
    EMPTY,
    MARK_WIDTH,
    NOTHING_FOUND,
    history_rows,
    round_text,
    side_text,
    trouble_text,
)
from qtui.ui.widgets.clean_input import CleanInput
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine

OF_ONE = frozenset({"history.reopen", "history.markdown", "history.html", "history.delete"})
"""Commands that need a round."""


class HistoryPanel(TablePanel[None]):
    """Shows what is kept of rounds, newest first."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "history.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.HISTORY) + bindings(Where.HISTORY_SEARCH)

    def __init__(self, past: PastRounds) -> None:
        super().__init__()
        self._past = past
        self._records: tuple[RoundRecord, ...] = ()
        self._search = ""
        self._doomed = ""
        """The round for which deleting was asked once."""

    def compose(self) -> ComposeResult:
        """Search, rounds, the one under the cursor, keys."""
        with Vertical(classes="box") as box:
            box.border_title = "History"
            yield CleanInput(placeholder="words in prompt, answers or names", compact=True)
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            with VerticalScroll(classes="reading", can_focus=False):
                yield Static(Content.styled("looking…", "$foreground-muted"), classes="round")
                with Horizontal(classes="answers"):
                    yield Static(classes="answer")
                    yield Static(classes="answer")
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin with the newest."""
        self.query_one(GroupedTable).focus()
        self._find("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep the two uses of `escape` apart, and letters out of the search."""
        searching = self.query_one(Input).has_focus
        if action in ("leave_search", "clear_search"):
            return searching
        return not searching

    @on(DescendantFocus)
    @on(DescendantBlur)
    def draw_keys(self) -> None:
        """Show the keys of where the focus is."""
        where = Where.HISTORY_SEARCH if self.query_one(Input).has_focus else Where.HISTORY
        hidden = frozenset() if self._records else OF_ONE
        self.query_one(KeyLine).show_commands(shown([where], hidden))

    # What can be done

    def action_search(self) -> None:
        """Go to the search."""
        self.query_one(Input).focus()

    def action_leave_search(self) -> None:
        """Go to the rounds that were found."""
        self.query_one(GroupedTable).focus()

    def action_clear_search(self) -> None:
        """Show all rounds again."""
        self.query_one(Input).value = ""
        self.query_one(GroupedTable).focus()

    def action_reopen(self) -> None:
        """Put the round into the Arena."""
        if (record := self._chosen()) is not None:
            self._do(self._reopen(record))

    def action_export(self, kind: str) -> None:
        """Write the rounds that are shown into a file."""
        if self._records:
            self._do(self._export(self._records, kind))

    def action_delete(self) -> None:
        """Ask once, then delete the round."""
        record = self._chosen()
        if record is None:
            return
        if self._doomed == record.id:
            self._doomed = ""
            self._do(self._delete(record))
        else:
            self._doomed = record.id
            self._draw_round()

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Look for what is typed."""
        self._find(event.value)

    @on(Input.Submitted)
    def leave(self) -> None:
        """Go to the rounds that were found."""
        self.action_leave_search()

    @on(GroupedTable.Chosen)
    def reopen_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_reopen()

    # What happens

    @work(exclusive=True, group="find")
    async def _find(self, search: str) -> None:
        self._search = search
        try:
            self.post_message(RoundsFound(search, await self._past.find(search)))
        except QtuiError as error:
            self.post_message(RoundsFound(search, (), Failure.of(error)))

    @work(group="do")
    async def _do(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error", markup=False)

    async def _reopen(self, record: RoundRecord) -> None:
        self.post_message(ReopenRound(await self._past.reopen(record)))
        self.dismiss()

    async def _export(self, records: Sequence[RoundRecord], kind: str) -> None:
        place = await self._past.export(records, kind)
        many = f"{len(records)} round{'s are' if len(records) > 1 else ' is'}"
        self.notify(f"{many} in {place}", markup=False)

    async def _delete(self, record: RoundRecord) -> None:
        await self._past.delete(record)
        self.post_message(RoundDeleted(record))

    @on(RoundsFound)
    def show_found(self, event: RoundsFound) -> None:
        """Show what was found, unless something else is looked for by now."""
        if event.search != self._search:
            return
        self._records = tuple(event.records)
        self.query_one(GroupedTable).show(history_rows(self._records))
        self._draw_round(event.failure)
        self.draw_keys()

    @on(RoundDeleted)
    def show_deleted(self, event: RoundDeleted) -> None:
        """Show what is left."""
        self._records = tuple(one for one in self._records if one.id != event.record.id)
        self.query_one(GroupedTable).show(history_rows(self._records))
        self._draw_round()
        self.draw_keys()

    @on(GroupedTable.Highlighted)
    def show_round(self) -> None:
        """Show the round under the cursor from its beginning."""
        if self._doomed != self.query_one(GroupedTable).key:
            self._doomed = ""
        if self._records:
            self._draw_round()
            self.query_one(VerticalScroll).scroll_home(animate=False)

    # Drawing

    def _chosen(self) -> RoundRecord | None:
        key = self.query_one(GroupedTable).key
        return next((record for record in self._records if record.id == key), None)

    def _draw_round(self, failure: Failure | None = None) -> None:
        record = self._chosen()
        if failure is not None:
            text = trouble_text(failure)
        elif record is None:
            text = Content(NOTHING_FOUND if self._search.strip() else EMPTY)
        else:
            text = round_text(record, doomed=record.id == self._doomed)
        self.query_one(".round", Static).update(text)
        sides = record.sides if record is not None else ()
        for number, answer in enumerate(self.query(".answer").results(Static)):
            answer.display = number < len(sides)
            answer.update(side_text(sides[number]) if number < len(sides) else Content())
