"""What a model thought before it answered, folded to one line."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.present.words import prose


class Thought(Static, can_focus=True):
    """Thinking, folded until it is asked for."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.THOUGHT)

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._open = False
        self._unfinished = True

    def write(self, text: str) -> None:
        """Add thinking."""
        self._text += text
        self._draw()

    @property
    def head(self) -> str:
        """Return its first line."""
        words = len(self._text.split())
        return f"{'-' if self._open else '+'} {'thinking…' if self._unfinished else 'thought'} {words} words"

    def finish(self) -> None:
        """Say that the thinking is over."""
        self._unfinished = False
        self._draw()

    def action_fold(self) -> None:
        """Unfold or fold it."""
        self._open = not self._open
        self._draw()

    def on_click(self) -> None:
        """Unfold or fold it."""
        self.action_fold()

    def _draw(self) -> None:
        self.update(Content(self.head) + ("\n" + prose(self._text.strip()) if self._open else Content()))
