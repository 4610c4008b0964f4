"""The Compare panel: variants as columns, differences to the first; `enter` puts two of them into the Arena."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qtui.core.advice.loss import ReadLosses
from qtui.core.compare import Column, Dated, Rate, compare, no_date, no_rate
from qtui.core.duel.tally import Votes
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Library
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.messages import PutOnSide, VariantsCompared
from qtui.ui.panels.panel import Panel
from qtui.ui.present.compare import compare_lines
from qtui.ui.present.words import name
from qtui.ui.widgets.key_line import KeyLine


class ComparePanel(Panel[None]):
    """Gathers what is known of the variants, and shows it side by side."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.COMPARE)

    def __init__(
        self, *, variants: Sequence[Variant], plan: Callable[[Variant], LoadPlan], guard: Guard, library: Library,
        rate: Rate = no_rate, dated: Dated = no_date, losses: ReadLosses | None = None,
        votes: Votes | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._variants = tuple(variants)
        self._plan = plan
        self._guard = guard
        self._library = library
        self._rate = rate
        self._dated = dated
        self._losses = losses
        self._votes = votes
        self._columns: Sequence[Column] = ()
        self._chosen = 1

    def compose(self) -> ComposeResult:
        """Show a box that says that the variants are being weighed."""
        with VerticalScroll(classes="box") as box:
            box.border_title = name(f"Compare: differences to {self._variants[0].title}", limit=60)
            yield Static(Content.styled("weighing…", "$foreground-muted"), classes="nowrap table")
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin to gather."""
        self.query_one(VerticalScroll).focus()
        self.query_one(KeyLine).show_commands(shown([Where.COMPARE]))
        self._gather()

    def on_resize(self) -> None:
        """Show as many variants as there is room for."""
        self.call_after_refresh(self._draw)

    # What can be done

    def action_choose(self, step: int) -> None:
        """Choose the variant that goes into the Arena beside the first."""
        self._chosen = max(1, min(len(self._variants) - 1, self._chosen + step))
        self._draw()

    def action_first(self) -> None:
        """Compare with the chosen variant from now on."""
        chosen = self._variants[self._chosen]
        self._variants = (chosen, *(variant for variant in self._variants if variant is not chosen))
        by_path = {column.variant.path: column for column in self._columns}
        self._columns = [by_path[variant.path] for variant in self._variants if variant.path in by_path]
        self._chosen = 1
        self.query_one(".box").border_title = name(f"Compare: differences to {chosen.title}", limit=60)
        self._draw()

    def action_put(self) -> None:
        """Put the first and the chosen variant into the Arena."""
        self.post_message(PutOnSide("A", self._variants[0]))
        self.post_message(PutOnSide("B", self._variants[self._chosen], then_open=True))
        self.dismiss()

    # Gathering

    @work(exclusive=True, group="gather")
    async def _gather(self) -> None:
        losses = (await asyncio.to_thread(self._losses))[0] if self._losses is not None else None
        columns = await compare(
            self._guard, self._library, self._variants, self._plan, rate=self._rate, dated=self._dated, losses=losses,
            votes=self._votes,
        )  # fmt: skip
        self.post_message(VariantsCompared(columns))

    @on(VariantsCompared)
    def show_compared(self, event: VariantsCompared) -> None:
        """Show what was gathered."""
        by_path = {column.variant.path: column for column in event.columns}
        self._columns = [by_path[variant.path] for variant in self._variants if variant.path in by_path]
        self._draw()

    def _draw(self) -> None:
        if self._columns:
            width = self.query_one(VerticalScroll).scrollable_content_region.width
            lines = compare_lines(self._columns, self._chosen, width)
            self.query_one(".table", Static).update(Content("\n").join(lines))
