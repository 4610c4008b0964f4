"""The log of a session: what its engine said last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from qtui.core.errors import QtuiError
from qtui.core.text import clean_name
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.present.words import prose

LOOK_S = 1.0
NOTHING = "There is no log, or nothing is in it yet."


class LogPanel(ModalScreen[None]):
    """Shows the last lines, and those that come while it is open; it follows the end until it is scrolled."""

    CSS_PATH = "log.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PANEL)

    def __init__(self, title: str, read: Callable[[], Awaitable[Sequence[str]]]) -> None:
        super().__init__()
        self._title = clean_name(title, 60)
        self._read = read
        self._shown: tuple[str, ...] | None = None

    def compose(self) -> ComposeResult:
        """Show the text in a box."""
        with VerticalScroll() as box:
            box.border_title = Content(f"Log of {self._title}")
            box.border_subtitle = "esc closes"
            yield Static(Content("reading…"), classes="lines")

    def on_mount(self) -> None:
        """Begin to read."""
        box = self.query_one(VerticalScroll)
        box.focus()
        box.anchor()
        self._look()
        self.set_interval(LOOK_S, self._look)

    @work(exclusive=True, group="log")
    async def _look(self) -> None:
        try:
            lines = tuple(await self._read())
        except QtuiError as error:
            lines = (f"{error.message} {error.hint}",)
        if lines != self._shown:
            self._shown = lines
            self.query_one(".lines", Static).update(prose("\n".join(lines) or NOTHING))
