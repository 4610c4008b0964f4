"""The `?` panel: every key of here and of everywhere, and what is amiss with machine and engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from qtui.ui.command import Command, Where
from qtui.ui.commands import COMMANDS, bindings


def key_lines(first: Sequence[Where], advice: Sequence[str], commands: Sequence[Command] = COMMANDS) -> Content:
    """Return the whole text of the panel, what can be done here first."""
    lines: list[Content] = []
    if advice:
        lines.append(Content.styled("This machine", "bold $text-warning"))
        lines += [Content(f"  {line}") for line in advice]
        lines.append(Content())
    for where in sorted(Where, key=lambda w: (w not in first, list(Where).index(w))):
        lines.append(Content.styled(where.value, "bold"))
        for command in commands:
            if command.where is where:
                lines.append(Content.assemble("  ", (f"{command.shown_keys:<10} ", "$text-accent"), command.help))
        lines.append(Content())
    return Content("\n").join(lines[:-1])


class KeysPanel(ModalScreen[None]):
    """Shows the keys; scrolls."""

    CSS_PATH = "keys.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PANEL)

    def __init__(self, first: Sequence[Where], advice: Sequence[str], commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__()
        self._text = key_lines(first, advice, commands)

    def compose(self) -> ComposeResult:
        """Show the text in a box."""
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield Static(self._text)
