"""A line of block elements for each series: its name, the last minute, and what it is now."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from qtui.core.monitor.history import blocks, cells
from qtui.core.monitor.series import Series
from qtui.core.text import clean_name

NAME_WIDTH = 6
WORDS_WIDTH = 42
NARROWEST, WIDEST = 16, 60
TALLEST = 4


def history_lines(lines: Sequence[Series], width: int, height: int) -> list[Content]:
    """Return the lines for a width and a height, each series as many rows high as all can be; at most four."""
    if not lines or height < 1:
        return []
    rows = max(1, min(TALLEST, height // len(lines)))
    shown = list(lines[: height // rows])
    if len(shown) < len(lines):
        shown = shown[:-1]
    result = [line for series in shown for line in _one(series, width, rows)]
    left = len(lines) - len(shown)
    if left:
        result.append(Content.styled(f"… and {left} more lines: this terminal is too low", "$foreground-muted"))
    return result


def _one(series: Series, width: int, rows: int) -> list[Content]:
    room = max(NARROWEST, min(WIDEST, width - NAME_WIDTH - 2 - WORDS_WIDTH))
    # Where lines are tall, one row stays empty: the next series would seem to go on in this one.
    drawn = blocks(cells(series.points, room), series.top, max(1, rows - 1) if rows > 2 else rows)
    drawn = [" " * room] * (rows - len(drawn)) + drawn
    last = len(drawn) - 1
    return [
        Content.assemble(
            (f"{clean_name(series.name, NAME_WIDTH - 1) if row == last else '':<{NAME_WIDTH}}", "$foreground-muted"),
            (line, "$text-accent"),
            "  ",
            clean_name(series.now, WORDS_WIDTH * 2) if row == last else "",
        )
        for row, line in enumerate(drawn)
    ]


class HistoryLines(Widget):
    """Shows series; as tall as it is let."""

    DEFAULT_CSS = """
    HistoryLines { width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._lines: tuple[Series, ...] = ()

    def show(self, lines: Sequence[Series]) -> None:
        """Show other series."""
        self._lines = tuple(lines)
        self.refresh()

    def render(self) -> Content:
        """Draw for the size of now."""
        size = self.content_size
        if not size:
            return Content()
        lines = history_lines(self._lines, size.width, size.height)
        return Content("\n").join(line.truncate(size.width, ellipsis=True) for line in lines)
