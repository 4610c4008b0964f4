"""The help pages: topics to the left, the page of one to the right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.help_pages import HelpPage
from qtui.core.text import clean_name
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.panels.panel import Panel
from qtui.ui.widgets.answer_text import AnswerText
from qtui.ui.widgets.key_line import KeyLine

NO_BREAK = "\N{NO-BREAK SPACE}"


class HelpPanel(Panel[None]):
    """Shows one topic at a time; scrolls."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "help.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.HELP)

    def __init__(self, read: Callable[[], Sequence[HelpPage]], topic: str = "") -> None:
        super().__init__()
        self._read_pages = read
        self._topic = topic
        self._pages: Sequence[HelpPage] = ()
        self._shown = 0

    def compose(self) -> ComposeResult:
        """Topics, page, keys."""
        with Vertical(classes="box") as box:
            box.border_title = "Help"
            yield Static(classes="topics")
            yield VerticalScroll(classes="page")
            yield KeyLine()

    def on_mount(self) -> None:
        """Read the pages."""
        self.reading.focus()
        self.query_one(KeyLine).show_commands(shown([Where.HELP]))
        self._read()

    def action_topic(self, step: int) -> None:
        """Show the next topic, or the one before."""
        if self._pages:
            self._shown = (self._shown + step) % len(self._pages)
            self._draw()

    @work(exclusive=True, group="read")
    async def _read(self) -> None:
        self._pages = await asyncio.to_thread(self._read_pages)
        wanted = (at for at, page in enumerate(self._pages) if page.name == self._topic)
        self._shown = next(wanted, 0)
        self._draw()

    @work(exclusive=True, group="draw")
    async def _draw(self) -> None:
        titles = [f" {clean_name(page.title, 40)} ".replace(" ", NO_BREAK) for page in self._pages]
        styles = ["reverse" if at == self._shown else "$text-accent" for at in range(len(titles))]
        self.query_one(".topics", Static).update(
            Content(" ").join(map(Content.styled, titles, styles))
            if titles else Content("There are no help pages here.")
        )  # fmt: skip
        await self.reading.remove_children()
        if self._pages:
            text = AnswerText()
            await self.reading.mount(text)
            text.write(self._pages[self._shown].flowing)
            text.close()
            self.reading.scroll_home(animate=False)
