"""The Measure panel: which variants of a model, against which and on which text; then the measuring and its table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.types import CSSPathType
from textual.widgets import Input, Static
from textual.worker import Worker

from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.request import default_text
from qtui.core.measure.wished import Measures, Wished
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.measure_messages import MeasureHappened
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.measure import (
    COLUMNS,
    MARK_WIDTH,
    MeasureChoice,
    MeasureWork,
    choice_text,
    measure_rows,
    work_lines,
)
from qtui.ui.present.words import name
from qtui.ui.running import Running
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine
from qtui.ui.widgets.typed_line import TypedLine

_PROMPTS = {"text": "mixed, demo, or a text file; empty: what suits the model", "chunks": "at most; empty: all of it"}
MOST_CHUNKS = 1 << 20


class MeasurePanel(TablePanel[bool]):
    """Measures variants of one model while it is open; its answer is whether anything was measured.

    Args:
        variants: of one model, all that can be loaded.
        here: the one under the cursor.
        reference: what they are measured against at first.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "measure.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.MEASURE)

    def __init__(self, variants: Sequence[Variant], here: Variant, reference: Variant, measures: Measures) -> None:
        super().__init__()
        self._variants = tuple(variants)
        self._here = here
        self._measures = measures
        every = frozenset(one.path for one in variants)
        self._choice = MeasureChoice(every if here.path == reference.path else frozenset({here.path}), reference)
        self._typing = ""
        self._refused: Failure | None = None
        self._work: MeasureWork | None = None
        self._stop = asyncio.Event()
        self._worker: Worker[None] | None = None
        self._measured = False

    def compose(self) -> ComposeResult:
        """Variants, what is chosen or how far it is, a line to type in, keys."""
        with Vertical(classes="box") as box:
            box.border_title = name(f"Measure {self._here.model}", limit=80)
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            with VerticalScroll(classes="said", can_focus=False):
                yield Static(classes="words")
            yield TypedLine()
            yield KeyLine()

    def on_mount(self) -> None:
        """Show what can be chosen."""
        self._draw()
        table = self.query_one(GroupedTable)
        table.move_to_key(str(self._here.path))
        table.focus()

    def running(self) -> Sequence[Running]:
        """Return what quitting would do to what is being measured."""
        if self._work is None or self._work.over:
            return ()
        what = f"{self._here.model} is being measured"
        return (Running(what, "what was measured is kept", "the same, asked again (M in Models), goes on from there"),)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave letters to the line while it is open, and let nothing be chosen while something is measured."""
        if self._typing:
            return False
        return self._work is None or action in ("leave", "cursor", "edge")

    # What can be done

    def action_choose(self) -> None:
        """Measure the variant under the cursor, or leave it out."""
        self._choose(self._choice.chosen ^ {self._under().path})

    def action_all(self) -> None:
        """Measure all, or only the one under the cursor again."""
        every = frozenset(one.path for one in self._variants)
        self._choose(frozenset({self._under().path}) if self._choice.chosen >= every else every)

    def action_reference(self) -> None:
        """Measure against the variant under the cursor."""
        self._take(replace(self._choice, reference=self._under()))

    def action_text(self) -> None:
        """Type the text to measure on."""
        self._type("text", self._choice.text or default_text(self._choice.reference))

    def action_chunks(self) -> None:
        """Type how many chunks are measured at most."""
        self._type("chunks", str(self._choice.chunks or ""))

    def action_start(self) -> None:
        """Measure what is chosen."""
        choice = self._choice
        variants = choice.measured(self._variants)
        if not variants:
            why = "nothing is chosen but the reference, which is not measured against itself"
            self._refused = Failure.of(UsageError(why, "space chooses a variant, r makes another one the reference"))
            self._draw()
            return
        self._stop = asyncio.Event()
        self._work = MeasureWork()
        self._worker = self._measure(Wished(variants, choice.reference, choice.text, choice.chunks), self._stop)
        self._draw()

    def action_leave(self) -> None:
        """Stop what is measured, at once when it is given again; else go back to choosing; else close."""
        work = self._work
        if work is None:
            self.dismiss(self._measured)
        elif not work.over:
            if work.stopping and self._worker is not None:
                self._worker.cancel()
                self.post_message(MeasureHappened(None))
            self._stop.set()
            self._work = replace(work, stopping=True)
            self._draw()
        elif self._measured and work.failure is None:
            self.dismiss(True)
        else:
            self._work = None
            self._draw()

    @on(GroupedTable.Chosen)
    def choose_clicked(self) -> None:
        """A second click chooses, or leaves out."""
        if self._work is None:
            self.action_choose()

    @on(GroupedTable.Highlighted)
    def show_here(self) -> None:
        """Say more of the variant under the cursor."""
        self._draw_words()

    # What is typed

    def _type(self, what: str, text: str) -> None:
        self._typing = what
        self.query_one(TypedLine).open(text, _PROMPTS[what])
        self._draw_keys()

    @on(Input.Submitted)
    def take_typed(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        event.stop()
        text = event.value.strip()
        if self._typing == "text":
            choice = replace(self._choice, text=text)
        elif not text or (text.isascii() and text.isdigit() and 0 < int(text[:8]) <= MOST_CHUNKS):
            choice = replace(self._choice, chunks=int(text[:8] or 0))
        else:
            self.notify(f"Chunks are a whole number from 1 to {MOST_CHUNKS}.", severity="error")
            return
        self.leave_typed()
        self._take(choice)

    @on(TypedLine.Left)
    def leave_typed(self) -> None:
        """Close the line."""
        self._typing = ""
        self.query_one(TypedLine).close()
        self.query_one(GroupedTable).focus()
        self._draw_keys()

    # What happens

    @work(exclusive=True, group="measure")
    async def _measure(self, wished: Wished, stop: asyncio.Event) -> None:
        try:
            async with aclosing(self._measures.run(wished, stop)) as events:
                async for event in events:
                    self.post_message(MeasureHappened(event))
        except QtuiError as error:
            self.post_message(MeasureHappened(Failure.of(error)))
        self.post_message(MeasureHappened(None))

    @on(MeasureHappened)
    def take_happened(self, event: MeasureHappened) -> None:
        """Show how far it is."""
        event.stop()
        if self._work is None or self._work.over:
            return
        self._work = self._work.after(event.event)
        self._measured = self._measured or bool(self._work.records)
        self._draw()

    def _under(self) -> Variant:
        key = self.query_one(GroupedTable).key
        return next((one for one in self._variants if str(one.path) == key), self._here)

    def _choose(self, chosen: frozenset[Path]) -> None:
        self._take(replace(self._choice, chosen=chosen))

    def _take(self, choice: MeasureChoice) -> None:
        self._choice, self._refused = choice, None
        self._draw()

    # Drawing

    def _draw(self) -> None:
        table = self.query_one(GroupedTable)
        rows = tuple(measure_rows(self._variants, self._choice, self._work))
        if rows != table.rows:
            table.show(rows)
        self._draw_words()
        self._draw_keys()

    def _draw_words(self) -> None:
        told = (
            choice_text(self._variants, self._choice, self._refused)
            if self._work is None
            else work_lines(self._work, self._under().path)
        )
        self.query_one(".words", Static).update(told)

    def _draw_keys(self) -> None:
        commands = shown([Where.PLAN_FIELD if self._typing else Where.MEASURE])
        if self._work is not None:
            closes = self._measured and self._work.failure is None
            label = "stop" if not self._work.over else "close" if closes else "back"
            commands = [replace(one, label=label) for one in commands if one.id == "measure.close"]
        self.query_one(KeyLine).show_commands(commands)
