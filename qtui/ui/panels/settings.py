"""Settings: what qtui remembers of how you want it, changed here or in the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from qtui.core.errors import UsageError
from qtui.core.settings import Problem, Settings, with_setting
from qtui.core.text import clean_name
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.messages import ChangeSetting, ShowTheme
from qtui.ui.present.settings import (
    COLUMNS,
    FOLDERS,
    MARK_WIDTH,
    Change,
    Line,
    choice_rows,
    line_rows,
    problem_lines,
    removed_value,
    setting_lines,
    typed_text,
    typed_value,
)
from qtui.ui.present.table import Column
from qtui.ui.widgets.clean_input import CleanInput
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine


class SettingsPanel(ModalScreen[None]):
    """Shows the settings line by line; what is changed goes to the app, which saves it."""

    CSS_PATH = "settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.SETTINGS), *bindings(Where.SETTING)]

    def __init__(self, settings: Settings, problems: Sequence[Problem], themes: Sequence[str], path: Path) -> None:
        super().__init__()
        self._settings = settings
        self._problems = tuple(problems)
        self._themes = tuple(themes)
        self._path = path
        self._changing: Line | None = None
        """The line that is being changed."""
        self._wrong = ""

    def compose(self) -> ComposeResult:
        """Show the lines, what is typed or chosen for one of them, what it means, and what is wrong with the file."""
        with Vertical() as box:
            box.border_title = "Settings"
            yield GroupedTable(COLUMNS, MARK_WIDTH, id="lines")
            with Container(classes="choices"):
                yield GroupedTable((Column("ONE OF", 20, grows=1),), 4, id="choices")
            yield CleanInput(compact=True)
            yield Static(classes="about")
            with VerticalScroll(classes="problems", can_focus=False):
                yield Static()
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin on the first line."""
        self.query_one(Vertical).border_subtitle = Content(clean_name(str(self._path), 300)).markup
        self._draw()
        self._leave()

    def show_settings(self, settings: Settings, problems: Sequence[Problem]) -> None:
        """Show other settings; what is being typed or chosen stays."""
        self._settings, self._problems = settings, tuple(problems)
        self._draw()

    # What can be done

    def action_change(self) -> None:
        """Begin to change the line under the cursor, or take what was chosen for it."""
        if self._changing is not None:
            self._take_choice()
            return
        line = self._line()
        if line is None or line.change is Change.IN_FILE:
            return
        self._changing = line
        self._wrong = ""
        self.set_class(line.change is Change.TYPED, "typing")
        self.set_class(line.change is Change.CHOSEN, "choosing")
        if line.change is Change.TYPED:
            field = self.query_one(Input)
            field.value = typed_text(self._settings, line)
            field.placeholder = "the path of a folder" if line.key == FOLDERS else "the default"
            field.focus()
        else:
            choices = self._choices
            rows = choice_rows(line)
            choices.show(rows)
            choices.move_to(next((i for i, row in enumerate(rows) if row.key == line.value), 0))
            choices.focus()
        self._draw_about()

    def action_remove(self) -> None:
        """Put the line back to its default, or take the folder off the list."""
        line = self._line()
        if self._changing is None and line and line.change is not Change.IN_FILE and line.id != FOLDERS:
            self.post_message(ChangeSetting(line.key, removed_value(self._settings, line)))

    def action_back(self) -> None:
        """Leave what is being changed as it was; else close."""
        if self._changing is None:
            self.dismiss()
            return
        self.post_message(ShowTheme())
        self._leave()

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self._table.move(step)

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or last line."""
        self._table.move_edge(direction)

    # What happened

    @on(Input.Submitted)
    def take_typed(self, event: Input.Submitted) -> None:
        """Save what was typed, if it can be used."""
        line = self._changing
        if line is None:
            return
        value = typed_value(self._settings, line, event.value)
        try:
            with_setting(self._settings, line.key, value)
        except UsageError as error:
            self._wrong = error.message
            self._draw_about()
            return
        self.post_message(ChangeSetting(line.key, value))
        self._leave()

    @on(GroupedTable.Highlighted, "#choices")
    def show_choice(self, event: GroupedTable.Highlighted) -> None:
        """Show a theme while the cursor stands on it."""
        if self._changing and self._changing.key == "theme" and event.key:
            self.post_message(ShowTheme(event.key))

    @on(GroupedTable.Highlighted, "#lines")
    def show_about(self) -> None:
        """Say what the line under the cursor means."""
        self._draw_about()

    @on(GroupedTable.Chosen)
    def change_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_change()

    # Drawing

    @property
    def _choices(self) -> GroupedTable:
        return self.query_one("#choices", GroupedTable)

    @property
    def _lines(self) -> GroupedTable:
        return self.query_one("#lines", GroupedTable)

    @property
    def _table(self) -> GroupedTable:
        return self._choices if self.has_class("choosing") else self._lines

    def _line(self) -> Line | None:
        lines = setting_lines(self._settings, self._themes)
        return next((line for line in lines if line.id == self._lines.key), None)

    def _take_choice(self) -> None:
        line, choice = self._changing, self._choices.key
        if line is not None and choice:
            self.post_message(ChangeSetting(line.key, choice))
        self._leave()

    def _leave(self) -> None:
        self._changing = None
        self._wrong = ""
        self.remove_class("typing", "choosing")
        self._lines.focus()
        self._draw_about()

    def _draw(self) -> None:
        self._lines.show(line_rows(setting_lines(self._settings, self._themes)))
        self.query_one(".problems Static", Static).update(problem_lines(self._problems))
        self.set_class(bool(self._problems), "troubled")
        self._draw_about()

    def _draw_about(self) -> None:
        line = self._changing or self._line()
        about = Content(line.about) if line else Content()
        if self._wrong:
            about = Content.styled(clean_name(self._wrong, 300), "$text-error")
        self.query_one(".about", Static).update(about)
        typing = self.has_class("typing")
        self.query_one(KeyLine).show_commands(shown([Where.SETTING if typing else Where.SETTINGS]))
