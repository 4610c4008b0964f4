"""A comparison as lines: a label, and as many variants as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.compare import Column
from qtui.core.compare_rows import compare_notes, compare_rows, heads
from qtui.core.text import clean_name

LABEL, CELL = 15, 16


def compare_lines(columns: Sequence[Column], chosen: int, width: int) -> list[Content]:
    """Return the lines; the first variant always stands there, and the chosen one is among the others.

    `chosen` is the index of the variant that has the mark.
    """
    shown = visible(len(columns), chosen, width)
    titles = heads(columns)
    marked = [f"› {titles[i]}" if i == chosen else titles[i] for i in shown]
    styles = ["bold $text-accent" if i == chosen else "bold" for i in shown]
    lines = [_line("", marked, styles)]
    for row in compare_rows(columns):
        style = "$foreground-muted" if row.change else ""
        lines.append(_line(row.label, [row.cells[i] for i in shown], [style] * len(shown)))
    more = len(columns) - len(shown)
    if more:
        lines.append(Content.styled(f"{more} more: left and right", "$foreground-muted"))
    lines.append(Content())
    lines += [Content.styled(clean_name(note, 400), "$foreground-muted") for note in compare_notes(columns)]
    return lines


def visible(count: int, chosen: int, width: int) -> list[int]:
    """Return the indices of the variants that are shown: the first, and those around the chosen one."""
    room = max(2, (width - LABEL) // (CELL + 1))
    if count <= room:
        return list(range(count))
    start = max(1, min(chosen - (room - 2), count - (room - 1)))
    return [0, *range(start, start + room - 1)]


def _line(label: str, cells: Sequence[str], styles: Sequence[str]) -> Content:
    parts = [Content.styled(clean_name(label), "$foreground-muted").truncate(LABEL, ellipsis=True).pad_right(LABEL)]
    parts[0] = parts[0].truncate(LABEL)
    for cell, style in zip(cells, styles, strict=True):
        text = Content.styled(clean_name(cell), style).truncate(CELL, ellipsis=True)
        parts.append(Content(" " * (CELL + 1 - text.cell_length)) + text)
    return Content("").join(parts)
