"""What all places have: the top line, the line of keys, and the notice of a terminal that is too small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.events import DescendantBlur, DescendantFocus
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from qtui.core.settings import Settings
from qtui.ui.command import Command, Where
from qtui.ui.commands import COMMANDS, shown
from qtui.ui.running import Running
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.key_line import KeyLine
from qtui.ui.widgets.top_line import TopLine

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.library.variant import Variant

TOO_SMALL = "This terminal is too small for qtui: it needs 60 columns and 15 lines.\nctrl+q quits."


class Place(Screen[None]):
    """A place of the app."""

    NAME: ClassVar[str] = ""
    COMPACT_TOP: ClassVar[bool] = False
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, vitals: Vitals) -> None:
        super().__init__()
        self.vitals = vitals
        self._commands: Sequence[Command] = COMMANDS

    def compose(self) -> ComposeResult:
        """Put the place's own widgets between top line and keys."""
        yield TopLine(self.NAME, self.vitals, compact=self.COMPACT_TOP)
        yield from self.compose_body()
        yield KeyLine(classes="keys")
        yield Static(Content(TOO_SMALL), classes="too-small")

    def compose_body(self) -> Iterable[Widget]:
        """Return the place's own widgets."""
        raise NotImplementedError

    def show_vitals(self, vitals: Vitals) -> None:
        """Show newer figures of machine and engine."""
        self.vitals = vitals
        for top in self.query(TopLine):
            top.show_vitals(vitals)

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Show the keys that the commands have by now."""
        self._commands = commands
        self.refresh_keys()

    def settings_changed(self, before: Settings, after: Settings) -> None:
        """Act on settings that the place depends on."""

    def subject(self) -> Variant | None:
        """Return the variant that the place is about now."""
        return None

    def running(self) -> Sequence[Running]:
        """Return what quitting would cut off."""
        return ()

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        return (Where.EVERYWHERE,)

    def hidden_commands(self) -> frozenset[str]:
        """Return the ids of commands that make no sense now."""
        return frozenset()

    @on(DescendantFocus)
    @on(DescendantBlur)
    def refresh_keys(self) -> None:
        """Show the keys of where the focus is."""
        for line in self.query(KeyLine):
            line.show_commands(self.worded(shown(self.spots(), self.hidden_commands(), self._commands)))

    def worded(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Return commands in the words that hold now."""
        return commands
