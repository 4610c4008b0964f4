"""The Details panel: what the header of a variant says."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qtui.core.errors import Failure, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.ports import Library
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.messages import FactsRead
from qtui.ui.panels.panel import Panel
from qtui.ui.present.arena import failure_text
from qtui.ui.present.facts import fact_lines
from qtui.ui.present.words import name


class DetailsPanel(Panel[None]):
    """Shows facts; scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.DETAILS)

    def __init__(self, variant: Variant, library: Library) -> None:
        super().__init__()
        self._variant = variant
        self._library = library

    def compose(self) -> ComposeResult:
        """Show a box that says that the header is being read."""
        with VerticalScroll(classes="box") as box:
            box.border_title = name(self._variant.title, limit=60)
            box.border_subtitle = "esc closes"
            yield Static(Content.styled("reading the header…", "$foreground-muted"), classes="nowrap")

    def on_mount(self) -> None:
        """Read the header."""
        self.query_one(VerticalScroll).focus()
        self._read()

    @work
    async def _read(self) -> None:
        try:
            self.post_message(FactsRead(self._variant, await self._library.facts(self._variant)))
        except QtuiError as error:
            self.post_message(FactsRead(self._variant, None, Failure.of(error)))

    @on(FactsRead)
    def show_read(self, event: FactsRead) -> None:
        """Show what was read, or why it could not be."""
        if event.facts is not None:
            self.query_one(Static).update(Content("\n").join(fact_lines(self._variant, event.facts)))
        elif event.failure is not None:
            self.query_one(Static).update(failure_text(event.failure))
