"""A line of a panel that a value is typed into; it is only there while it is needed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.widgets.clean_input import CleanInput


class TypedLine(CleanInput):
    """Opened with a text, closed by its panel. `enter` submits as any input does, `esc` leaves."""

    DEFAULT_CSS = """
    TypedLine { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
    TypedLine.open { display: block; }
    TypedLine:focus { border: none; border-left: outer $accent; background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PLAN_FIELD)

    class Left(Message):
        """The line was left without a value."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)

    def open(self, text: str, placeholder: str, *, begun: bool = False) -> None:
        """Take the focus; what is typed replaces the text, or goes on with it when it was `begun` by a key."""
        self.placeholder = placeholder
        self.value = text
        self.add_class("open")
        self.focus()
        self.cursor_position = len(text)
        if not begun:
            self.action_select_all()

    def close(self) -> None:
        """Go away."""
        self.remove_class("open")

    def action_back(self) -> None:
        """Leave without a value."""
        self.post_message(self.Left())
