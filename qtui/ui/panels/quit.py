"""The question before quitting, asked once if something runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from qtui.core.text import clean_name
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.running import Running
from qtui.ui.widgets.key_line import KeyLine


def question(running: Sequence[Running]) -> Content:
    """Return what runs, what quitting does to it, and what goes on at the next start."""
    lines: list[Content] = []
    for one in running:
        lines.append(Content.styled(clean_name(one.what, 300), "bold"))
        lines.append(Content(f"  stops: {one.stops}"))
        if one.resumes:
            lines.append(Content(f"  resumes: {one.resumes}"))
    if not any(one.resumes for one in running):
        lines.append(Content("Nothing of it resumes at the next start. Files stay as they are."))
    return Content("\n").join(lines)


class QuitPanel(ModalScreen[bool]):
    """Says what runs, and asks."""

    CSS_PATH = "quit.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.QUIT)

    def __init__(self, running: Sequence[Running]) -> None:
        super().__init__()
        self._at_stake = tuple(running)

    def compose(self) -> ComposeResult:
        """Show the question in a box."""
        with Vertical() as box:
            box.border_title = "Quit qtui?"
            yield Static(question(self._at_stake))
            keys = KeyLine()
            keys.show_commands(shown([Where.QUIT]))
            yield keys

    def action_answer(self, wanted: bool) -> None:
        """Quit, or stay."""
        self.dismiss(wanted)
