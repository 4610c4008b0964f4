"""A comparison as lines: a label, and as many variants as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.compare import Column
from qtui.core.compare_rows import compare_notes, compare_rows, heads
from qtui.core.text import clean_name

LABEL, CELL, WIDEST = 15, 16, 24
"""Cells of a label, and of a value at least and at most."""
LINES = 3
"""A value is broken over so many lines at most."""
NOTE = 2000
"""Characters of a note."""


def compare_lines(columns: Sequence[Column], chosen: int, width: int) -> list[Content]:
    """Return the lines; the first variant always stands there, and the chosen one is among the others.

    `chosen` is the index of the variant that has the mark.
    """
    shown = visible(len(columns), chosen, width)
    cell = max(CELL, min(WIDEST, (width - LABEL) // len(shown) - 1))
    titles = heads(columns)
    marked = [f"› {titles[i]}" if i == chosen else titles[i] for i in shown]
    styles = ["bold $text-accent" if i == chosen else "bold" for i in shown]
    lines = _row("", marked, styles, cell)
    for row in compare_rows(columns):
        style = "$foreground-muted" if row.change else ""
        lines += _row(row.label, [row.cells[i] for i in shown], [style] * len(shown), cell)
    more = len(columns) - len(shown)
    if more:
        lines.append(Content.styled(f"{more} more: left and right", "$foreground-muted"))
    lines.append(Content())
    for note in compare_notes(columns):
        lines += Content.styled(clean_name(note, NOTE), "$foreground-muted").wrap(max(20, width))
    return lines


def visible(count: int, chosen: int, width: int) -> list[int]:
    """Return the indices of the variants that are shown: the first, and those around the chosen one."""
    room = max(2, (width - LABEL) // (CELL + 1))
    if count <= room:
        return list(range(count))
    start = max(1, min(chosen - (room - 2), count - (room - 1)))
    return [0, *range(start, start + room - 1)]


def _row(label: str, cells: Sequence[str], styles: Sequence[str], width: int) -> list[Content]:
    """Return the lines of a row: values stand at the right, and are broken where they are wider than a cell."""
    broken = [_broken(cell, style, width) for cell, style in zip(cells, styles, strict=True)]
    head = Content.styled(clean_name(label), "$foreground-muted").truncate(LABEL, ellipsis=True).pad_right(LABEL)
    lines = []
    for number in range(max(map(len, broken))):
        parts = [head.truncate(LABEL) if number == 0 else Content(" " * LABEL)]
        for lines_of in broken:
            text = lines_of[number] if number < len(lines_of) else Content()
            parts.append(Content(" " * (width + 1 - text.cell_length)) + text)
        lines.append(Content("").join(parts))
    return lines


def _broken(cell: str, style: str, width: int) -> list[Content]:
    """Return a value in lines of a cell's width, the last one cut where there is more than fits into all."""
    lines = [line.rstrip() for line in Content.styled(clean_name(cell), style).wrap(width)]
    kept = lines[:LINES] or [Content()]
    if len(lines) > LINES:
        kept[-1] = (kept[-1] + "…").truncate(width, ellipsis=True)
    return [line.truncate(width, ellipsis=True) for line in kept]
