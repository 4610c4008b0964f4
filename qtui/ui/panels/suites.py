"""The Suites panel: the suites that there are, one of them run on both sides of the Arena, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.duel.past import PastRounds
from qtui.core.duel.records import SuiteRecord
from qtui.core.duel.suite.shelf import Listed, SuiteShelf, list_suites
from qtui.core.errors import QtuiError
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.suites import (
    COLUMNS,
    COVERED,
    MARK_WIDTH,
    NO_SIDES,
    about_text,
    past_text,
    run_text,
    suite_rows,
)
from qtui.ui.suite_messages import StartSuite, StopSuite, SuitesListed
from qtui.ui.suite_state import SuiteState
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine


class SuitesPanel(TablePanel[None]):
    """Lists suites, and shows the run of one.

    Args:
        titles: what stands on the sides, by label; a run needs two.
        past: what was kept of runs; None: nothing.
        covered: names are hidden, and nothing may be run.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "suites.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.SUITES)

    def __init__(
        self, shelf: SuiteShelf, titles: Mapping[str, str], state: SuiteState | None, past: PastRounds | None = None,
        *, covered: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self._shelf = shelf
        self._titles = titles
        self._state = state
        self._past = past
        self._covered = covered
        self._listed: tuple[Listed, ...] = ()
        self._records: tuple[SuiteRecord, ...] = ()

    def compose(self) -> ComposeResult:
        """Suites, the one under the cursor, the run, keys."""
        with Vertical(classes="box") as box:
            box.border_title = "Suites"
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            with VerticalScroll(classes="reading", can_focus=False):
                yield Static(Content.styled("reading…", "$foreground-muted"), classes="about")
                yield Static(classes="run")
            yield KeyLine()

    def on_mount(self) -> None:
        """Read the suites."""
        self.query_one(GroupedTable).focus()
        self._draw_keys()
        self._read()

    def show_state(self, state: SuiteState) -> None:
        """Show how far the run is."""
        changed = self._state is None or self._state.running != state.running
        self._state = state
        if changed:
            self.query_one(GroupedTable).show(suite_rows(self._listed, state))
            self._draw_keys()
        self._draw()

    # What can be done

    def action_start(self) -> None:
        """Run the suite under the cursor on both sides, or say why that cannot be."""
        chosen = self._chosen()
        if chosen is None:
            return
        if self._state is not None and self._state.running:
            self.notify(f"{self._state.suite.name} is being run: x stops it.", severity="warning", markup=False)
        elif self._covered:
            self.notify(COVERED, severity="warning")
        elif len(self._titles) < 2:
            self.notify(NO_SIDES, severity="warning")
        elif chosen.suite is None or not chosen.suite.tasks:
            self.notify(f"{chosen.name} has no task that can be used.", severity="warning", markup=False)
        else:
            self.post_message(StartSuite(chosen.suite))

    def action_stop(self) -> None:
        """Stop the run."""
        if self._state is not None and self._state.running:
            self.post_message(StopSuite())

    @on(GroupedTable.Chosen)
    def start_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_start()

    # What happens

    @work(exclusive=True, group="read")
    async def _read(self) -> None:
        listed = await list_suites(self._shelf)
        try:
            past = await self._past.suites() if self._past is not None else ()
        except QtuiError:
            past = ()  # the History panel says what is wrong with it
        self.post_message(SuitesListed(listed, past))

    @on(SuitesListed)
    def show_listed(self, event: SuitesListed) -> None:
        """Show the suites; the cursor begins with the one that runs or ran last."""
        self._listed, self._records = tuple(event.listed), tuple(event.past)
        table = self.query_one(GroupedTable)
        table.show(suite_rows(self._listed, self._state))
        if self._state is not None:
            table.move_to_key(self._state.suite.name)
        self._draw()

    @on(GroupedTable.Highlighted)
    def show_chosen(self) -> None:
        """Show the suite under the cursor from its beginning."""
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self._draw()

    @on(Resize)
    def draw_again(self) -> None:
        """Lay the lines out for another width."""
        self.call_after_refresh(self._draw)

    # Drawing

    def _chosen(self) -> Listed | None:
        key = self.query_one(GroupedTable).key
        return next((one for one in self._listed if one.name == key), None)

    def _draw_keys(self) -> None:
        running = self._state is not None and self._state.running
        hidden = frozenset({"suites.start"} if running else {"suites.stop"})
        self.query_one(KeyLine).show_commands(shown([Where.SUITES], hidden))

    def _draw(self) -> None:
        chosen = self._chosen()
        if self._listed:
            self.query_one(".about", Static).update(about_text(chosen, self._shelf.place))
        self.query_one(".run", Static).update(self._run_text(chosen))

    def _run_text(self, chosen: Listed | None) -> Content:
        width = max(40, self.query_one(VerticalScroll).size.width - 1)
        state = self._state
        if state is not None and (state.running or (chosen is not None and chosen.name == state.suite.name)):
            return run_text(state, width)
        kept = next((one for one in self._records if chosen is not None and one.suite == chosen.name), None)
        if kept is not None:
            return past_text(kept, width)
        if len(self._titles) < 2:
            return Content(NO_SIDES)
        sides = " and ".join(self._titles.values())
        return Content.styled("not run yet: ", "$foreground-muted") + Content(f"enter puts its tasks to {sides}")
