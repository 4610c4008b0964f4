"""Diff: the last answers of both sides next to each other, word by word."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.duel.degeneration import degeneration
from qtui.core.duel.report import answer_difference
from qtui.core.duel.run import RoundEnded
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.panels.panel import Panel
from qtui.ui.present.diff import columns, summary
from qtui.ui.present.words import name, prose


class DiffPanel(Panel[None]):
    """Shows where two answers part, and what may be wrong with each.

    Args:
        ended: a round that both sides answered.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "diff.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PANEL)

    def __init__(self, ended: RoundEnded) -> None:
        super().__init__()
        self._sides = [(side, side.answer) for side in ended.sides if side.answer]
        self._prompt = ended.prompt

    def compose(self) -> ComposeResult:
        """One line for both, then a column for each."""
        texts = [answer.text for _, answer in self._sides]
        with VerticalScroll(classes="box") as box:
            box.border_title = Content("Where the answers differ")
            box.border_subtitle = "esc closes"
            yield Static(summary(answer_difference(*(answer for _, answer in self._sides))), classes="both")
            with Horizontal(classes="columns"):
                for (side, answer), text in zip(self._sides, columns(*texts), strict=True):
                    head = Content.assemble((side.side, "bold $text-accent"), " ") + name(side.variant.title, "bold")
                    told = degeneration(answer.text, answer.finish_reason, self._prompt).sentence
                    remark = Content("\n\n") + prose(told, "$text-warning") if told else Content()
                    yield Static(head + Content("\n\n") + text + remark, classes="column")

    def on_mount(self) -> None:
        """Let the keys scroll."""
        self.query_one(VerticalScroll).focus()
