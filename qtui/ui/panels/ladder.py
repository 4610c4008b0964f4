"""The Ladder panel: what the variants of a model need at growing contexts, by cache type, against what is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.current_plan import CurrentPlan
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard
from qtui.core.memory.ladder import Cell, cache_types, climb, rungs
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.steady import STEP
from qtui.core.memory.verdict import Headroom
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.messages import LadderClimbed, UsePlan
from qtui.ui.panels.panel import TablePanel
from qtui.ui.present.ladder import LEGEND, MARK_WIDTH, Key, cell_line, ladder_columns, ladder_rows, room_line
from qtui.ui.present.words import name
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine

DRAW_S = 0.05
"""Cells are gathered so long before they are drawn."""
LOOK_S = 3.0
"""How often is looked whether free memory has moved."""


class LadderPanel(TablePanel[None]):
    """Weighs the variants on every rung: at once by the closed form, then by llama.cpp; again when memory moves."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "ladder.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.LADDER)

    def __init__(self, *, variants: Sequence[Variant], here: Variant, current: CurrentPlan, guard: Guard) -> None:
        super().__init__()
        self._variants = tuple(variants)
        self._here = here
        self._current = current
        self._guard = guard
        self._contexts = rungs(self._variants)
        self._caches = cache_types(current.plan)
        self._chosen = self._nearest(current.of(here).ctx_size)
        self._cells: dict[Key, Cell] = {}
        self._room: Headroom | None = None
        self._drawing = False

    def compose(self) -> ComposeResult:
        """The table, the chosen cell in words, headroom, letters, keys."""
        with Vertical(classes="box") as box:
            box.border_title = name(f"Ladder of {self._here.model}: context by cache type", limit=60)
            yield GroupedTable(ladder_columns(self._contexts, self._chosen), MARK_WIDTH)
            yield Static(classes="cell")
            yield Static(classes="room")
            yield Static(LEGEND, classes="legend", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin to climb."""
        table = self.query_one(GroupedTable)
        table.focus()
        self._draw()
        table.move_to_key(str(self._here.path))
        self._climb()
        self.set_interval(LOOK_S, self._look)
        self.query_one(KeyLine).show_commands(shown([Where.LADDER]))

    # What can be done

    def action_context(self, step: int) -> None:
        """Choose a smaller or larger context."""
        index = self._contexts.index(self._chosen) + step
        self._chosen = self._contexts[max(0, min(len(self._contexts) - 1, index))]
        self._draw()

    def action_cache(self) -> None:
        """Show the next cache type, and ask for it first."""
        self._caches = (*self._caches[1:], self._caches[0])
        self._draw()
        self._climb()

    def action_use(self) -> None:
        """Make the chosen context and cache type the plan's."""
        k, v = self._caches[0]
        plan = replace(self._current.plan, ctx_size=self._chosen, cache_type_k=k, cache_type_v=v, preset="")
        self.post_message(UsePlan(plan))
        self.dismiss()

    @on(GroupedTable.Highlighted)
    def show_cell(self) -> None:
        """Say what stands in the chosen cell."""
        self._draw_foot()

    @on(GroupedTable.Chosen)
    def choose_clicked(self) -> None:
        """Take the row that was clicked twice."""
        self.action_use()

    # Climbing

    @work(exclusive=True, group="climb")
    async def _climb(self) -> None:
        def of(variant: Variant, plan: LoadPlan) -> LoadPlan:
            return replace(self._current, plan=plan).of(variant)

        steps = climb(self._guard, self._variants, self._current.plan, self._contexts, self._caches, of=of)
        async for cell in steps:
            self.post_message(LadderClimbed(cell))

    @on(LadderClimbed)
    def take_cell(self, event: LadderClimbed) -> None:
        """Show a cell soon, together with those that come at the same time."""
        cell = event.cell
        self._cells[cell.variant.path, cell.context, cell.cache] = cell
        self._room = cell.weighing.headroom
        if not self._drawing:
            self._drawing = True
            self.set_timer(DRAW_S, self._draw)

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        room = await self._guard.headroom(fresh=False)
        if self._room is not None and _moved(self._room, room):
            self._climb()

    # Drawing

    def _nearest(self, context: int) -> int:
        wanted = context or min(8192, self._contexts[-1])
        return min(self._contexts, key=lambda rung: abs(rung - wanted))

    def _draw(self) -> None:
        self._drawing = False
        table = self.query_one(GroupedTable)
        table.show_columns(ladder_columns(self._contexts, self._chosen))
        table.show(ladder_rows(self._variants, self._contexts, self._caches[0], self._cells))
        self.query_one(".box").border_subtitle = Content(f"KV cache {'/'.join(dict.fromkeys(self._caches[0]))}")
        self._draw_foot()

    def _draw_foot(self) -> None:
        key = self.query_one(GroupedTable).key
        here = next((variant for variant in self._variants if str(variant.path) == key), self._here)
        cell = self._cells.get((here.path, self._chosen, self._caches[0]))
        self.query_one(".cell", Static).update(cell_line(cell, self._caches[0], self._chosen))
        self.query_one(".room", Static).update(room_line(self._room))


def _moved(before: Headroom, now: Headroom) -> bool:
    """Tell whether what may be used has moved by a step in any pool."""
    pairs = zip((before.ram, *before.vram), (now.ram, *now.vram), strict=False)
    return any(a is not None and b is not None and abs(a - b) >= STEP for a, b in pairs)
