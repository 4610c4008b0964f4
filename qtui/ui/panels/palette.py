"""The palette: every command by what it does, with its key; typing filters, `enter` runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from qtui.ui.command import Command, Where
from qtui.ui.commands import bindings, shown
from qtui.ui.present.table import Column, Row
from qtui.ui.widgets.clean_input import CleanInput
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine

COLUMNS = (Column("KEY", 8), Column("COMMAND", 20, grows=1))


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, and whether it can be given right here."""

    command: Command
    here: bool

    def holds(self, words: Sequence[str]) -> bool:
        """Tell whether every word stands in what is known of it."""
        command = self.command
        text = f"{command.id} {command.label} {command.help} {command.where.value} {command.shown_keys}".lower()
        return all(word in text for word in words)


def palette_rows(entries: Sequence[Entry], words: Sequence[str]) -> tuple[Row, ...]:
    """Return the commands that hold all words: those of here, then those for everywhere, then those of elsewhere."""
    groups: dict[str, list[Command]] = {"Here": [], Where.EVERYWHERE.value: []}
    for entry in entries:
        if entry.holds(words):
            here = entry.here and entry.command.where is not Where.EVERYWHERE
            groups.setdefault("Here" if here else entry.command.where.value, []).append(entry.command)
    rows: list[Row] = []
    for title, commands in groups.items():
        if commands:
            rows.append(Row(f"group:{title}", heading=Content.styled(title, "bold")))
            rows += [
                Row(command.id, (Content.styled(command.shown_keys, "$text-accent"), Content(command.help)))
                for command in commands
            ]
    return tuple(rows)


class PalettePanel(ModalScreen[str]):
    """Asks for a command; ends with its id."""

    CSS_PATH = "palette.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PALETTE)

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._entries = tuple(entries)

    def compose(self) -> ComposeResult:
        """Show the field, the commands and the keys in a box."""
        with Vertical() as box:
            box.border_title = "Commands"
            yield CleanInput(placeholder="words of what you want to do", compact=True)
            table = GroupedTable(COLUMNS, 3)
            table.can_focus = False  # the field keeps the focus; arrows move the cursor all the same
            yield table
            keys = KeyLine()
            keys.show_commands(shown([Where.PALETTE]))
            yield keys

    def on_mount(self) -> None:
        """Begin with all of them."""
        self.query_one(Input).focus()
        self._show("")

    @on(Input.Changed)
    def show_matching(self, event: Input.Changed) -> None:
        """Show the commands that hold all words."""
        self._show(event.value)

    @on(Input.Submitted)
    @on(GroupedTable.Chosen)
    def run_chosen(self) -> None:
        """End with the command under the cursor."""
        if key := self.query_one(GroupedTable).key:
            self.dismiss(key)

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(GroupedTable).move(step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.query_one(GroupedTable).move_page(pages)

    def _show(self, text: str) -> None:
        table = self.query_one(GroupedTable)
        table.show(palette_rows(self._entries, text.lower().split()))
        table.move_edge(-1)
