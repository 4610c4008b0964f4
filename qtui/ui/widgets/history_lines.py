"""A line of block elements for each series: its name, the last minutes, and what it is now; or a chart of one."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from qtui.core.monitor.chart import span_words
from qtui.core.monitor.history import SPAN_S, blocks, cells
from qtui.core.monitor.series import Series
from qtui.core.text import clean_name
from qtui.ui.present.chart import chart_lines
from qtui.ui.present.monitor_heights import TALLEST

CURSOR = "›"
MARK_WIDTH = 1
NAME_WIDTH = 6
WORDS_WIDTH = 42
NARROWEST, WIDEST = 16, 60


def rows_each(count: int, height: int) -> int:
    """Return how many rows high each of so many series can be; at most four."""
    return max(1, min(TALLEST, height // max(1, count)))


def window(count: int, height: int, at: int = 0) -> range:
    """Return which of so many series are shown, so that one is among them; where some are not, a line says so."""
    rows = rows_each(count, height)
    room = max(1, height // rows)
    if room >= count:
        return range(count)
    room = max(1, room - 1)
    first = max(0, min(count - room, at - room + 1))
    return range(first, first + room)


def history_lines(
    lines: Sequence[Series], width: int, height: int, *, span_s: float = SPAN_S, at: int = 0, marked: bool = False
) -> list[Content]:
    """Return the lines for a width and a height, each series as many rows high as all can be.

    `at` is the one that the cursor stands on, which is always among them; a sign in the first column marks it.
    """
    if not lines or height < 1:
        return []
    rows = rows_each(len(lines), height)
    shown = window(len(lines), height, at)
    result = [
        line for index in shown for line in _one(lines[index], width, rows, span_s, marked=marked and index == at)
    ]
    left = len(lines) - len(shown)
    if left and len(result) < height:
        words = f" … and {left} more lines: this terminal is too low"
        result.append(Content.styled(words, "$foreground-muted"))
    return result


def _one(series: Series, width: int, rows: int, span_s: float, *, marked: bool) -> list[Content]:
    room = max(NARROWEST, min(WIDEST, width - MARK_WIDTH - NAME_WIDTH - 2 - WORDS_WIDTH))
    # Where lines are tall, one row stays empty: the next series would seem to go on in this one.
    drawn = blocks(cells(series.points, room, span_s), series.top, max(1, rows - 1) if rows > 2 else rows)
    drawn = [" " * room] * (rows - len(drawn)) + drawn
    last = len(drawn) - 1
    named = "bold $text-accent" if marked else "$foreground-muted"
    return [
        Content.assemble(
            (CURSOR if marked and row == last else " ", named),
            (f"{clean_name(series.name, NAME_WIDTH - 1) if row == last else '':<{NAME_WIDTH}}", named),
            (line, "$text-accent"),
            "  ",
            clean_name(series.now, WORDS_WIDTH * 2) if row == last else "",
        )
        for row, line in enumerate(drawn)
    ]


class HistoryLines(Widget, can_focus=True, inherit_bindings=False):
    """Shows series, as tall as it is let. The cursor stays with its series, and is shown while this has the focus."""

    DEFAULT_CSS = """
    HistoryLines { width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    class Highlighted(Message):
        """The cursor stands on another series."""

    class Chosen(Message):
        """The series under the cursor was clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._lines: tuple[Series, ...] = ()
        self._key = ""
        self._span_s = SPAN_S
        self._charted = False

    @property
    def current(self) -> Series | None:
        """Return the series under the cursor; None without any."""
        return self._lines[self._at] if self._lines else None

    @property
    def charted(self) -> bool:
        """Tell whether the series under the cursor is shown as a chart, and no other."""
        return self._charted

    def show(self, lines: Sequence[Series], span_s: float = SPAN_S) -> None:
        """Show other series; the cursor stays with its own. When that goes it takes the next, and a chart ends."""
        at = self._at
        self._lines, self._span_s = tuple(lines), span_s
        if self._key not in (line.key for line in self._lines):
            self._key = self._lines[min(at, len(self._lines) - 1)].key if self._lines else ""
            self._charted = False
        self._say_span()
        self.refresh()

    def show_chart(self, charted: bool) -> None:
        """Show the series under the cursor as a chart, or all as lines."""
        self._charted = charted and bool(self._lines)
        self._say_span()
        self.refresh()

    def move(self, step: int) -> bool:
        """Move the cursor by so many series; tell whether it stands elsewhere now."""
        return self._move_to(max(0, min(len(self._lines) - 1, self._at + step)))

    def render(self) -> Content:
        """Draw for the size of now."""
        size = self.content_size
        if not size:
            return Content()
        current = self.current
        if self._charted and current is not None:
            lines = [Content(" ") + line for line in chart_lines(current, self._span_s, size.width - 2, size.height)]
        else:
            lines = history_lines(
                self._lines, size.width, size.height, span_s=self._span_s, at=self._at, marked=self.has_focus
            )
        return Content("\n").join(line.truncate(size.width, ellipsis=True) for line in lines)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the series; a click on the cursor's series chooses it."""
        offset = event.get_content_offset(self)
        if self._charted or offset is None or not self._lines:
            return
        height = self.content_size.height
        shown = window(len(self._lines), height, self._at)
        index = offset.y // rows_each(len(self._lines), height)
        if index >= len(shown):
            return
        if not self._move_to(shown[index]):
            self.post_message(self.Chosen())

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()
        self.post_message(self.Highlighted())

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    @property
    def _at(self) -> int:
        """Return the index of the cursor's series."""
        return next((index for index, line in enumerate(self._lines) if line.key == self._key), 0)

    def _move_to(self, index: int) -> bool:
        if not self._lines or index == self._at:
            return False
        self._key = self._lines[index].key
        self._say_span()
        self.refresh()
        self.post_message(self.Highlighted())
        return True

    def _say_span(self) -> None:
        """Say above the lines which time they show."""
        self.border_title = span_words(self._span_s)
