"""The Downloads panel: the queue, how fast it goes, and what can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import aclosing
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.downloads.download import WANTED, Download, State
from qtui.core.downloads.run import DownloadRun
from qtui.core.errors import QtuiError
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.messages import DownloadsHappened
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.downloads import COLUMNS, LEGEND, MARK_WIDTH, download_lines, download_rows
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine

DRAW_S = 0.1
"""What happens is gathered so long before it is drawn."""


class DownloadsPanel(TablePanel[None]):
    """Shows the queue of this qtui while it is worked off, and changes it."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "downloads.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.DOWNLOADS)

    def __init__(self, run: DownloadRun) -> None:
        super().__init__()
        self._run = run
        self._doomed = ""
        """The download for which cancelling was asked once."""
        self._drawing = False

    def compose(self) -> ComposeResult:
        """The queue, the chosen download in words, the legend, keys."""
        with Vertical(classes="box") as box:
            box.border_title = "Downloads"
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            yield Static(classes="about")
            yield Static(LEGEND, classes="legend", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Show the queue and follow it."""
        self.query_one(GroupedTable).focus()
        self._draw()
        self._follow()

    # What can be done

    def action_pause(self) -> None:
        """Pause the download, or let it go on."""
        one = self._chosen()
        if one is not None and one.state is not State.DONE:
            self._change(self._run.pause(one.id) if one.state in WANTED else self._run.resume(one.id))

    def action_retry(self) -> None:
        """Try the download again."""
        one = self._chosen()
        if one is not None:
            self._change(self._run.resume(one.id))

    def action_shift(self, by: int) -> None:
        """Move the download in the queue."""
        one = self._chosen()
        if one is not None:
            self._change(self._run.move(one.id, by))

    def action_cancel(self) -> None:
        """Ask once, then take the download off; what is done is only taken off the list."""
        one = self._chosen()
        if one is None:
            return
        if one.state is State.DONE or self._doomed == one.id:
            self._doomed = ""
            self._change(self._run.cancel(one.id))
        else:
            self._doomed = one.id
            self._draw_about()

    @on(GroupedTable.Highlighted)
    def show_about(self) -> None:
        """Say more of the download under the cursor."""
        if self._doomed != self.query_one(GroupedTable).key:
            self._doomed = ""
        self._draw_about()

    @on(GroupedTable.Chosen)
    def pause_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_pause()

    # What happens

    @work(group="follow")
    async def _follow(self) -> None:
        async with aclosing(self._run.events()) as events:
            async for event in events:
                self.post_message(DownloadsHappened(event))

    @work(group="change")
    async def _change(self, change: Awaitable[object]) -> None:
        try:
            await change
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error", markup=False)

    @on(DownloadsHappened)
    def draw_soon(self) -> None:
        """Show what happened soon, together with what happens at the same time."""
        if not self._drawing:
            self._drawing = True
            self.set_timer(DRAW_S, self._draw)

    # Drawing

    def _chosen(self) -> Download | None:
        key = self.query_one(GroupedTable).key
        return next((one for one in self._run.queue.downloads if one.id == key), None)

    def _draw(self) -> None:
        self._drawing = False
        downloads = self._run.queue.downloads
        self.query_one(GroupedTable).show(download_rows(downloads))
        keys = [one for one in shown([Where.DOWNLOADS]) if downloads or one.id == "downloads.close"]
        self.query_one(KeyLine).show_commands(keys)
        self._draw_about()

    def _draw_about(self) -> None:
        one = self._chosen()
        doomed = one is not None and one.id == self._doomed
        self.query_one(".about", Static).update(download_lines(one, doomed, self._run.problem))
