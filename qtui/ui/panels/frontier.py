"""The Frontier panel: what variants need against what they lose, as a chart and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qtui.core.advice.frontier import Point, frontier
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.panels.advice import Advisory
from qtui.ui.present.frontier import COLUMNS, MARK_WIDTH, chart_text, frontier_rows, point_text
from qtui.ui.present.words import name
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine


class FrontierPanel(Advisory):
    """Draws the frontier as it becomes known."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.FRONTIER)

    def compose(self) -> ComposeResult:
        """Chart, table, what is said of one point, keys."""
        with Vertical(classes="box") as box:
            box.border_title = name(f"Frontier of {self.asked.title}: needs against loss", limit=70)
            yield Fitted(self._chart_lines, classes="chart")
            yield GroupedTable(COLUMNS, MARK_WIDTH)
            with VerticalScroll(classes="point", can_focus=False):
                yield Static(classes="said")
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin to ask."""
        self.query_one(GroupedTable).focus()
        self.query_one(KeyLine).show_commands(shown([Where.FRONTIER]))
        self.ask()

    @property
    def points(self) -> Sequence[Point]:
        """Return the points that are known now."""
        advice = self.advice
        return frontier([each.candidate for each in (*advice.ranking, *advice.left)]) if advice is not None else ()

    def action_go(self) -> None:
        """Go to the variant under the cursor."""
        point = self._point(self.points)
        self.dismiss(point.candidate.variant if point is not None else None)

    @on(GroupedTable.Highlighted)
    def show_point(self) -> None:
        """Show what is said of the variant under the cursor."""
        self._draw_point(self.points)

    @on(GroupedTable.Chosen)
    def go_clicked(self) -> None:
        """A second click is `enter`."""
        self.action_go()

    def draw(self) -> None:
        """Show what is known now."""
        if not self.is_mounted:
            return
        points = self.points
        table = self.query_one(GroupedTable)
        rows = frontier_rows(points)
        if rows != table.rows:
            first = not table.rows
            table.show(rows)
            if first and self.asked.here is not None:
                table.move_to_key(str(self.asked.here.path))
        self.query_one(".chart", Fitted).refresh()
        self.query_one(".box").border_subtitle = Content(self.progress or "esc closes")
        self._draw_point(points)

    def _draw_point(self, points: Sequence[Point]) -> None:
        self.query_one(".said", Static).update(point_text(self._point(points), points))

    def _point(self, points: Sequence[Point]) -> Point | None:
        key = self.query_one(GroupedTable).key
        return next((point for point in points if str(point.candidate.variant.path) == key), None)

    def _chart_lines(self, width: int) -> Sequence[Content]:
        if self.advice is None:
            return (Content.styled(self.progress or "weighing…", "$foreground-muted"),)
        height = self.query_one(".chart", Fitted).content_size.height
        return chart_text(self.points, width, height).split("\n", allow_blank=True)
