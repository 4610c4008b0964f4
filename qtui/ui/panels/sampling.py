"""The sampling panel: how the next prompts are answered, and the system prompt before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from qtui.core.duel.sampling import FIELDS, Choice, SamplingField, defaults
from qtui.core.text import clean
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.widgets.clean_input import CleanInput
from qtui.ui.widgets.key_line import KeyLine
from qtui.ui.widgets.prompt_field import PromptField


def default_text(field: SamplingField, sides: int) -> str:
    """Return what holds where nothing is typed."""
    value = getattr(defaults(sides), field.name)
    if value is not None:
        return f"{value:g}"
    return "drawn anew" if field.name == "seed" else "no limit"


class SamplingPanel(ModalScreen[Choice | None]):
    """Lets the user set values; closes with what holds from the next prompt on, or None when nothing was changed."""

    CSS_PATH = "sampling.tcss"
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.SAMPLING)

    def __init__(self, choice: Choice, sides: int) -> None:
        super().__init__()
        self._choice = choice
        self._sides = sides

    def compose(self) -> ComposeResult:
        """One line for each value, the system prompt, what is wrong, the keys."""
        whose = "two sides: the likeliest token, one seed" if self._sides > 1 else "a chat: llama.cpp's own"
        with Vertical(classes="box") as box:
            box.border_title = "Sampling, from the next prompt on"
            with Vertical(classes="lines"):
                yield Static(Content(f"Empty: the default of {whose}."), classes="about")
                for field in FIELDS:
                    with Horizontal(classes="line"):
                        yield Label(Content(field.label), classes="label")
                        value = self._choice.values.get(field.name)
                        text = "" if value is None else f"{value:.10g}"
                        hint = default_text(field, self._sides)
                        yield CleanInput(text, placeholder=hint, compact=True, id=field.name)
                        yield Label(Content.styled(field.help, "$foreground-muted"), classes="help")
                yield Label(Content("system prompt"), classes="label")
                yield PromptField(id="system")
            yield Static(classes="wrong")
            yield KeyLine()

    def on_mount(self) -> None:
        """Show what is set."""
        self.query_one(PromptField).show(self._choice.system)
        self.query_one(KeyLine).show_commands(shown([Where.SAMPLING]))

    @on(Input.Submitted)
    @on(PromptField.Sent)
    def use(self) -> None:
        """Take the values, or say which cannot be used."""
        values: dict[str, float] = {}
        for field in FIELDS:
            entry = self.query_one(f"#{field.name}", Input)
            text = entry.value.strip()
            if not text:
                continue
            try:
                values[field.name] = field.parse(text)
            except ValueError as error:
                self._complain(field, str(error))
                entry.focus()
                return
        choice = Choice(values, clean(self.query_one(PromptField).prompt).strip())
        self.dismiss(choice if choice != self._choice else None)

    @on(PromptField.Escaped)
    def leave(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)

    @on(Input.Changed)
    def forgive(self) -> None:
        """Say nothing until it is tried again."""
        self.query_one(".wrong", Static).update(Content())

    def action_leave(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)

    def action_defaults(self) -> None:
        """Empty all values; the system prompt stays."""
        for field in FIELDS:
            self.query_one(f"#{field.name}", Input).clear()

    def action_step(self, direction: int) -> None:
        """Go to the line below or above."""
        stops: Sequence[Input | PromptField] = [*self.query(Input), self.query_one(PromptField)]
        here = next((index for index, stop in enumerate(stops) if stop.has_focus), 0)
        stops[(here + direction) % len(stops)].focus()

    def _complain(self, field: SamplingField, wanted: str) -> None:
        text = Content.assemble((field.label, "bold"), f" must be {wanted}, or empty for the default")
        self.query_one(".wrong", Static).update(text)
