"""The field that prompts are typed into."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from qtui.core.text import clean
from qtui.ui.commands import Where, bindings


class PromptField(TextArea):
    """A text area in which `enter` sends and `ctrl+j` begins a new line."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.FIELD)

    class Sent(Message):
        """The prompt shall be sent. The field keeps its text until the place has taken it."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Escaped(Message):
        """The escape key was pressed in the field."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, highlight_cursor_line=False, tab_behavior="focus")

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Sent(self.text))
            return
        await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        """Take pasted text without what a terminal would act on."""
        event.stop()
        event.prevent_default()
        if not self.read_only:
            self.insert(clean(event.text))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_escape(self) -> None:
        """Let the place decide what the escape key ends."""
        self.post_message(self.Escaped())
