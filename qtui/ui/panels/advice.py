"""The Advice panel: what it is for in four fields, then a ranking with the reason of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.advice.loss import ReadLosses
from qtui.core.advice.ranking import Advice
from qtui.core.advice.run import AdviceGiven, Considering, Sources, advise
from qtui.core.advice.wishes import Prefer, Use, Wishes
from qtui.core.errors import QtuiError
from qtui.core.forecast import Forecast
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard
from qtui.core.memory.ladder import rungs
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Library
from qtui.core.text import GIB
from qtui.ui.advice_messages import AdviceTold, WishesChanged
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.advice import (
    COLUMNS,
    MARK_WIDTH,
    advice_rows,
    advised,
    advised_text,
    verdict_line,
    wish_lines,
)
from qtui.ui.present.words import name
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine

FREE_STEPS = (None, GIB // 2, GIB, 2 * GIB, 4 * GIB, 8 * GIB, 16 * GIB)
SMALL, LARGE = 512, 1 << 20
"""Contexts between which is chosen."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What advice is asked about, and by whom it is given."""

    variants: Sequence[Variant]
    title: str
    here: Variant | None
    plan: LoadPlan
    wishes: Wishes
    guard: Guard
    library: Library
    losses: ReadLosses
    forecast: Forecast | None


class Advisory(TablePanel[Variant]):
    """A panel over a run of advice."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "advice.tcss"]

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked
        self.wishes = asked.wishes
        self.advice: Advice | None = None
        self.progress = ""
        self._asking = 0

    def draw(self) -> None:
        """Show what is known now."""
        raise NotImplementedError

    def ask(self) -> None:
        """Ask anew, for what is wished for now."""
        self._asking += 1
        self._advise(self._asking, self.wishes)

    @property
    def ctx_size(self) -> int | None:
        """Return the context that was weighed."""
        every = (*self.advice.ranking, *self.advice.left) if self.advice is not None else ()
        return next((each.candidate.weighing.plan.ctx_size for each in every), None)

    @on(AdviceTold)
    def take_advice(self, event: AdviceTold) -> None:
        """Show what can be advised by now."""
        if event.asking != self._asking:
            return
        for problem in event.problems:
            self.notify(f"A file of figures: {problem.text}", severity="warning", markup=False)
        self.advice = event.advice or self.advice
        self.progress = "" if event.settled else event.progress or self.progress
        self.draw()

    @work(exclusive=True, group="advise")
    async def _advise(self, number: int, wishes: Wishes) -> None:
        asked = self.asked
        losses, problems = await asyncio.to_thread(asked.losses)
        self.post_message(AdviceTold(number, progress="weighing…", problems=problems if number == 1 else ()))
        sources = Sources(asked.guard, asked.library, losses, asked.forecast)
        try:
            async with aclosing(advise(sources, asked.variants, asked.plan, wishes)) as events:
                async for event in events:
                    if isinstance(event, AdviceGiven):
                        self.post_message(AdviceTold(number, event.advice, settled=event.settled))
                    elif isinstance(event, Considering):
                        words = f"{event.what} {event.done} of {event.total}…"
                        self.post_message(AdviceTold(number, progress=words))
        except QtuiError as error:
            self.notify(f"{error.message}. {error.hint}", severity="error", markup=False)
        if losses.problem and number == 1:
            self.notify(losses.problem, severity="warning", markup=False)


class AdvicePanel(Advisory):
    """Asks for four things, and ranks."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.ADVICE)

    def compose(self) -> ComposeResult:
        """Fields, answer, ranking, the reason of one, keys."""
        with Vertical(classes="box") as box:
            box.border_title = name(f"Advice: which of {self.asked.title}?", limit=70)
            yield Static(classes="wishes")
            yield Static(classes="verdict")
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            with VerticalScroll(classes="reason", can_focus=False):
                yield Static(classes="said")
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin to ask."""
        self.query_one(GroupedTable).focus()
        self.query_one(KeyLine).show_commands(shown([Where.ADVICE]))
        self.draw()
        self.ask()

    # What can be done

    def action_use(self) -> None:
        """Ask for the next use."""
        uses = list(Use)
        self._wish(replace(self.wishes, use=uses[(uses.index(self.wishes.use) + 1) % len(uses)]))

    def action_prefer(self) -> None:
        """Let the other of quality and speed go first."""
        other = Prefer.SPEED if self.wishes.prefer is Prefer.QUALITY else Prefer.QUALITY
        self._wish(replace(self.wishes, prefer=other))

    def action_context(self, step: int) -> None:
        """Ask for a smaller or a larger context."""
        now = self.wishes.ctx_size or self.ctx_size or 8192
        highest = max(rungs([variant for variant in self.asked.variants if variant.loadable]), default=LARGE)
        wanted = now // 2 if step < 0 else now * 2
        self._wish(replace(self.wishes, ctx_size=max(SMALL, min(wanted, highest))))

    def action_free(self) -> None:
        """Leave the next amount of memory to other programs."""
        known = self.wishes.keep_free in FREE_STEPS
        at = FREE_STEPS.index(self.wishes.keep_free) if known else 0
        self._wish(replace(self.wishes, keep_free=FREE_STEPS[(at + 1) % len(FREE_STEPS)]))

    def action_go(self) -> None:
        """Go to the variant under the cursor."""
        each = advised(self.advice, self.query_one(GroupedTable).key)
        self.dismiss(each.candidate.variant if each is not None else None)

    def action_read(self, step: int) -> None:
        """Scroll what is said of the variant."""
        self.query_one(".reason").scroll_relative(y=step * 3, animate=False)

    @on(GroupedTable.Highlighted)
    def show_reason(self) -> None:
        """Show what is said of the variant under the cursor."""
        self._draw_reason()

    @on(GroupedTable.Chosen)
    def go_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_go()

    def _wish(self, wishes: Wishes) -> None:
        if wishes != self.wishes:
            self.wishes = wishes
            self.post_message(WishesChanged(wishes))
            self.progress = "weighing…"
            self.ask()
            self.draw()

    # Drawing

    def draw(self) -> None:
        """Show what is known now."""
        if not self.is_mounted:
            return
        self.query_one(".wishes", Static).update(Content("\n").join(wish_lines(self.wishes, self.ctx_size)))
        self.query_one(".verdict", Static).update(verdict_line(self.advice, self.progress))
        table = self.query_one(GroupedTable)
        rows = advice_rows(self.advice)
        if rows != table.rows:
            table.show(rows)
        self._draw_reason()

    def _draw_reason(self) -> None:
        each = advised(self.advice, self.query_one(GroupedTable).key)
        self.query_one(".said", Static).update(advised_text(each))
