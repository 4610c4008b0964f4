"""The field that prompts are typed into."""

from __future__ import annotations

import itertools
import re
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from qtui.core.text import clean
from qtui.ui.command import Where
from qtui.ui.commands import bindings

LONG = 10_000
"""Characters from which a text is not laid out in the field: a mark stands for it."""
KEPT = 8
"""Long texts that are remembered, the newest."""


class PromptField(TextArea):
    """A text area in which `enter` sends and `ctrl+j` begins a new line.

    A long text that is pasted, or shown again, is one mark in the field; when the prompt is sent, the text stands in
    its place. A megabyte would take seconds to wrap, and again with every key.
    """

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
        self._long: dict[str, str] = {}
        self._numbers = itertools.count(1)

    @property
    def prompt(self) -> str:
        """Return the whole text, with the long ones in the place of their marks."""
        if not self._long:
            return self.text
        marks = re.compile("|".join(re.escape(mark) for mark in self._long))
        return marks.sub(lambda found: self._long[found[0]], self.text)

    def show(self, prompt: str) -> None:
        """Show a prompt, the cursor behind it."""
        self.text = self._mark(clean(prompt))
        self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Sent(self.prompt))
            return
        await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        """Take pasted text without what a terminal would act on."""
        event.stop()
        event.prevent_default()
        if not self.read_only:
            # Terminals send the ends of pasted lines as the return key does: CR.
            lines = event.text.replace("\r\n", "\n").replace("\r", "\n")
            self.insert(self._mark(clean(lines)))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_escape(self) -> None:
        """Let the place decide what the escape key ends."""
        self.post_message(self.Escaped())

    def _mark(self, text: str) -> str:
        """Return a text, or the mark of one that is long."""
        if len(text) < LONG:
            return text
        mark = f"[text {next(self._numbers)}: {len(text)} characters]"
        self._long[mark] = text
        if len(self._long) > KEPT:
            del self._long[next(iter(self._long))]
        return mark
