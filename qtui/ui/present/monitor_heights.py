"""How the Monitor shares the height of the screen between sessions, the strip about one of them, and the lines."""

from __future__ import annotations

FRAME = 2 + 1
"""Lines of the screen that belong to the top line and the keys."""
BORDER = 1
STRIP = 3 + BORDER
LEAST_ROWS, MOST_ROWS, EMPTY_ROWS = 3, 12, 5
"""Lines that the sessions keep at least, that they take before the series grow taller, and without any session."""
MOST_ROWS_BESIDE = 5
"""Lines that the sessions keep at most beside a chart."""
TALLEST = 4
"""Rows that a line of history has at most."""


def strip_height(*, asking: bool, low: bool, charted: bool) -> int:
    """Return the lines of the strip: on a low screen, and beside a chart, it is there only for a question."""
    if low:
        return int(asking)
    return STRIP if asking or not charted else 0


def history_height(free: int, *, rows: int, lines: int, charted: bool) -> int:
    """Return the lines of history or chart, with their border; `free` is the screen without alarms and strip.

    Lines get what the rows of the table leave, but no more than they can use; a chart can use all.
    """
    free -= FRAME + BORDER
    if charted:
        table = max(LEAST_ROWS, min(rows + 1, MOST_ROWS_BESIDE)) if rows else 0
        return BORDER + max(1, free - table)
    table = min(rows + 1, MOST_ROWS) if rows else EMPTY_ROWS
    lines = max(1, lines)
    each = max(1, min(TALLEST, (free - table) // lines))
    return BORDER + max(1, min(each * lines, free - LEAST_ROWS))
