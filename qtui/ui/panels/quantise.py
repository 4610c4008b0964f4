"""The Quantise panel: what each type would be, to the byte; what helps it; and the making."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.types import CSSPathType
from textual.widgets import Input, Static
from textual.worker import Worker

from qtui.core.errors import Failure, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.measure.events import PassAdvanced, VariantFailed, VariantMeasured
from qtui.core.quantise.measuring import MadeMeasuring
from qtui.core.quantise.ports import Workshop
from qtui.core.quantise.recipe import Recipe, override
from qtui.core.quantise.run import Advanced, Foretold, Made, MatrixGathered, Order, make, predict
from qtui.core.quantise.types import OFFERED
from qtui.core.quantise.weighing import Weigh
from qtui.core.user_path import user_path
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.quantise import (
    COLUMNS,
    MARK_WIDTH,
    Choice,
    Work,
    about_text,
    default_target,
    notes_of,
    tensor_types,
    type_rows,
    waived,
    work_text,
)
from qtui.ui.present.words import name
from qtui.ui.quantise_messages import MadeMeasured, MakingHappened, TypeForetold
from qtui.ui.running import Running
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine
from qtui.ui.widgets.typed_line import TypedLine

FIRST = "Q4_K_M"
_PROMPTS = {
    "matrix": "the file of an importance matrix; empty: none",
    "text": "the text to gather a matrix over; empty: none",
    "into": "the file to make",
    "types": "REGEX=TYPE, several with spaces between; empty: none",
}


class QuantisePanel(TablePanel[bool]):
    """Makes a quant of one variant while it is open; its answer is whether anything was made."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "quantise.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.QUANTISE)

    def __init__(
        self, variant: Variant, workshop: Workshop, folder: Path, weigh: Weigh | None = None,
        measuring: MadeMeasuring | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._variant = variant
        self._workshop = workshop
        self._folder = folder
        self._weigh = weigh
        self._measuring = measuring
        self._recipe = Recipe(FIRST)
        self._text = ""
        self._named: Path | None = None
        """The result, where the user has named it."""
        self._told: dict[str, Foretold] = {}
        self._round = 0
        self._asked = ""
        """The target for which replacing was asked once."""
        self._typing = ""
        self._cut = False
        """The making has ended the asking."""
        self._work: Work | None = None
        self._making: Worker[None] | None = None
        self.made: Path | None = None  # the first file of what was made last

    def compose(self) -> ComposeResult:
        """Types, the chosen one in words, a line to type in; or how far the work is; keys."""
        with Vertical(classes="box") as box:
            box.border_title = name(f"Quantise {self._variant.title}", limit=80)
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            yield Static(classes="about")
            yield TypedLine()
            yield Static(classes="work")
            yield KeyLine()

    def on_mount(self) -> None:
        """Ask what every type would be."""
        table = self.query_one(GroupedTable)
        table.show(type_rows({}, matrix=False))
        table.move_to_key(FIRST)
        table.focus()
        self._ask()
        self.draw_keys()

    def running(self) -> Sequence[Running]:
        """Return what quitting would do to what is being made."""
        if self._work is None or (self._work.over and not self._work.measuring):
            return ()
        what = self._choice().target.name
        if self._work.measuring:
            return (
                Running(f"{what} is being measured", "what was measured is kept", "M in Models goes on from there"),
            )
        if self._text and self._work.gathered is None:
            return (Running(f"{what} is being made", "what was gathered is kept", "the same goes on from there"),)
        return (Running(f"{what} is being made", "nothing of it is left"),)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave letters to the line while it is open, and let nothing be chosen while something is made."""
        if action == "measure":
            return self._work is not None and self._work.measurable
        return not self._typing and (self._work is None or action == "leave")

    def draw_keys(self) -> None:
        """Show the keys of the moment."""
        if self._typing:
            commands = shown([Where.PLAN_FIELD])
        elif self._work is not None:
            wanted = {"quantise.close"} | ({"quantise.measure"} if self._work.measurable else set())
            commands = [command for command in shown([Where.QUANTISE]) if command.id in wanted]
            if not self._work.over or self._work.measuring:
                commands = [replace(command, label="stop") for command in commands]
        else:
            again = any(told.planned.requantised for told in self._told.values())
            commands = shown(
                [Where.QUANTISE], frozenset({"quantise.measure"} | (set() if again else {"quantise.again"}))
            )
        self.query_one(KeyLine).show_commands(commands)

    # What can be done

    def action_matrix(self) -> None:
        """Type the file of a matrix."""
        self._type("matrix", self._recipe.imatrix)

    def action_text(self) -> None:
        """Type the text that a matrix is gathered over."""
        self._type("text", self._text)

    def action_into(self) -> None:
        """Type where the result goes."""
        self._type("into", str(self._choice().target))

    def action_types(self) -> None:
        """Type the types of single tensors."""
        self._type("types", tensor_types(self._recipe))

    def action_pure(self) -> None:
        """Make all tensors of one type, or by the mixture again."""
        self._recipe = replace(self._recipe, pure=not self._recipe.pure)
        self._ask()

    def action_requantise(self) -> None:
        """Allow a source that is quantised, or not."""
        self._recipe = replace(self._recipe, allow_requantize=not self._recipe.allow_requantize)
        self._ask()

    def action_make(self) -> None:
        """Make the type under the cursor; ask once before a file is replaced."""
        choice, told = self._choice(), self._chosen()
        failure = waived(told, choice) if told is not None else None
        if told is None or failure is not None:
            why = "llama.cpp is still asked what it would be" if failure is None else failure.message
            self.notify(f"Not made: {why}", severity="warning", markup=False)
            return
        if os.path.lexists(choice.target) and self._asked != str(choice.target):
            self._asked = str(choice.target)
            self._draw()
            return
        order = Order(
            self._variant.path, choice.target, choice.recipe, overwrite=self._asked == str(choice.target),
            text=user_path(choice.text) if choice.text else None,
        )  # fmt: skip
        self._cut = True
        self.workers.cancel_group(self, "predict")
        self._work = Work()
        self.add_class("at-work")
        self._draw()
        self.draw_keys()
        self._making = self._make(order)

    def action_measure(self) -> None:
        """Measure what was made."""
        if self._work is not None and self._work.made is not None and self._work.measurable:
            made = Path(self._work.made.result.files[0])
            self._work = replace(self._work, measurable=False, measuring=True)
            self._making = self._measure(made)
            self._draw()
            self.draw_keys()

    def action_leave(self) -> None:
        """Stop what is made; else go back to the types; else close."""
        if self._work is None:
            self.dismiss(self.made is not None)
        elif not self._work.over:
            if self._making is not None:
                self._making.cancel()
            self.post_message(MakingHappened(None))
        elif self._work.measuring and self._making is not None:
            self._making.cancel()
            self.post_message(MadeMeasured(None))
        elif self.made is not None:
            self.dismiss(True)
        else:
            self._work, self._asked = None, ""
            self.remove_class("at-work")
            self.query_one(GroupedTable).focus()
            if self._cut and len(self._told) < len(OFFERED):
                self._ask()
            self._draw()
            self.draw_keys()

    @on(GroupedTable.Chosen)
    def make_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_make()

    @on(GroupedTable.Highlighted)
    def show_chosen(self) -> None:
        """Say more of the type under the cursor."""
        self._asked = ""
        self._draw()

    # What is typed

    def _type(self, what: str, text: str) -> None:
        self._typing = what
        self.query_one(TypedLine).open(text, _PROMPTS[what])
        self.draw_keys()

    @on(Input.Submitted)
    def take_typed(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        event.stop()
        text, what = event.value.strip(), self._typing
        try:
            if what == "types":
                self._recipe = replace(self._recipe, tensor_type=tuple(override(one) for one in text.split()))
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error", markup=False)
            return
        if what == "matrix":
            self._recipe = replace(self._recipe, imatrix=str(user_path(text)) if text else "")
            self._text = "" if text else self._text
        elif what == "text":
            self._text = text
            self._recipe = replace(self._recipe, imatrix="" if text else self._recipe.imatrix)
        elif what == "into":
            self._named = user_path(text) if text else None
        self.leave_typed()
        self._ask()

    @on(TypedLine.Left)
    def leave_typed(self) -> None:
        """Close the line."""
        self._typing = ""
        self.query_one(TypedLine).close()
        self.query_one(GroupedTable).focus()
        self.draw_keys()

    # What happens

    def _ask(self) -> None:
        """Ask anew what every type would be."""
        self._round += 1
        self._told = {}
        self._asked, self._cut = "", False
        folder = self._named.parent if self._named is not None else self._folder
        self._predict(self._round, [replace(self._recipe, kind=made.name) for made in OFFERED], folder)
        self._draw()

    @work(exclusive=True, group="predict")
    async def _predict(self, asked: int, recipes: Sequence[Recipe], folder: Path) -> None:
        try:
            async with aclosing(predict(self._variant.path, recipes, self._workshop, folder)) as events:
                async for told in events:
                    self.post_message(TypeForetold(asked, told))
        except QtuiError as error:
            self.post_message(TypeForetold(asked, Failure.of(error)))

    @on(TypeForetold)
    def take_foretold(self, event: TypeForetold) -> None:
        """Show what a type would be."""
        event.stop()
        if event.round != self._round or (self._work is not None and isinstance(event.told, Failure)):
            return
        if isinstance(event.told, Failure):
            self._work = Work(failure=event.told)
            self.add_class("at-work")
        else:
            self._told[event.told.planned.recipe.kind] = event.told
        self._draw()
        self.draw_keys()

    @work(group="make")
    async def _make(self, order: Order) -> None:
        try:
            async with aclosing(make(order, self._workshop, self._weigh)) as events:
                async for event in events:
                    self.post_message(MakingHappened(event))
        except QtuiError as error:
            self.post_message(MakingHappened(Failure.of(error)))

    @work(group="measure")
    async def _measure(self, made: Path) -> None:
        assert self._measuring is not None
        try:
            async with aclosing(self._measuring.run(made, self._variant)) as events:
                async for event in events:
                    self.post_message(MadeMeasured(event))
        except QtuiError as error:
            self.post_message(MadeMeasured(Failure.of(error)))
        self.post_message(MadeMeasured(None))

    @on(MadeMeasured)
    def take_measured(self, event: MadeMeasured) -> None:
        """Show how far the measuring is, and what it found."""
        event.stop()
        told = event.event
        if self._work is None or not self._work.measuring:
            return
        if told is None:
            self._work = replace(self._work, measuring=False)
        elif isinstance(told, Failure | VariantFailed):
            failure = told.failure if isinstance(told, VariantFailed) else told
            self._work = replace(self._work, unmeasured=failure)
        elif isinstance(told, PassAdvanced):
            self._work = replace(self._work, pace=told)
        elif isinstance(told, VariantMeasured):
            self._work = replace(self._work, measured=told.record)
        self._draw()
        self.draw_keys()

    @on(MakingHappened)
    def take_happened(self, event: MakingHappened) -> None:
        """Show how far the work is."""
        event.stop()
        if self._work is None or self._work.over:
            return
        self._work = self._next(self._work, event)
        if self._work.made is not None:
            self.made = Path(self._work.made.result.files[0])
        self._draw()
        self.draw_keys()

    def _next(self, done: Work, event: MakingHappened) -> Work:
        told = event.event
        if told is None:
            return replace(done, stopped=True)
        if isinstance(told, Failure):
            return replace(done, failure=told)
        if isinstance(told, Foretold):
            return replace(done, told=told)
        if isinstance(told, Advanced):
            return replace(done, step=told)
        if isinstance(told, MatrixGathered):
            return replace(done, gathered=told.gathered, step=None)
        if isinstance(told, Made):
            return replace(done, made=told, measurable=self._measuring is not None)
        return replace(done, notes=(*done.notes, *notes_of(told)))

    # Drawing

    def _chosen(self) -> Foretold | None:
        key = self.query_one(GroupedTable).key
        return self._told.get(key) if key else None

    def _choice(self) -> Choice:
        kind = self.query_one(GroupedTable).key or FIRST
        target = self._named or default_target(self._folder, self._variant.path, kind)
        return Choice(target, replace(self._recipe, kind=kind), self._text, self._asked == str(target))

    def _draw(self) -> None:
        choice = self._choice()
        if self._work is not None:
            self.query_one(".work", Static).update(work_text(self._work, choice))
            return
        rows = type_rows(self._told, matrix=bool(self._recipe.imatrix or self._text))
        table = self.query_one(GroupedTable)
        if rows != list(table.rows):
            table.show(rows)
        self.query_one(".about", Static).update(about_text(self._chosen(), choice))
