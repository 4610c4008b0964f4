"""What Monitor says of one series: its strip, and a chart of it with an axis of values and one of times."""

from __future__ import annotations

from textual.content import Content

from qtui.core.monitor.chart import age_words, ages, axis_top, divisions, span_words, summary
from qtui.core.monitor.history import UNKNOWN, blocks, cells
from qtui.core.monitor.series import Series
from qtui.core.text import clean_name
from qtui.ui.present.words import between

LONGEST = 200
HEAD, FOOT = 2, 2
"""Lines above the columns (what it is, its summary) and below them (the axis, its times)."""
LEAST_ROWS = 2
"""With less room for columns than that, head and times give way."""
ABOUT = {
    "RAM": "what is in use and would not be given; files that are only cached are not in it",
    "cache": "pages of files in RAM, mapped weights too: dropped when room is needed",
    "swap": "memory that was moved to disk; moving it while a model answers makes it slow",
    "disk": "pages that are waited for from disk, or read back after they were dropped",
    "wait": "the share of time in which something waited for memory",
    "CPU": "of all cores together",
    "GPU": "memory of the card that is held, by whomever",
    "t/s": "tokens per second; 0 while it does something else",
}


def series_lines(series: Series, span_s: float, width: int) -> list[Content]:
    """Return what stands in the strip for a line of history: its name, what it was, what it means."""
    about = ABOUT.get(series.name.rstrip("0123456789"), "")
    return [
        between(_title(series), Content.styled(f"over {span_words(span_s)}", "$foreground-muted"), width),
        _summary(series, width),
        Content.styled(about, "$foreground-muted"),
    ]


def chart_lines(series: Series, span_s: float, width: int, height: int) -> list[Content]:
    """Return a chart that fills width and height: columns of block elements over time, the newest on the right.

    What is unknown is a gap, with a `?` on the axis where that was sampled; a known zero is the lowest block.
    """
    full = height >= HEAD + LEAST_ROWS + FOOT
    head = [_title(series).truncate(width, ellipsis=True), _summary(series, width)] if full else []
    room = height - len(head) - (FOOT if full else 1)
    if room < 1:
        return [_title(series).truncate(width, ellipsis=True)][:height]
    parts = divisions(room)
    rows = room - room % parts
    top = axis_top(series)
    marks = {row * rows // parts: series.unit.said(top * (parts - row) / parts) for row in range(parts)}
    margin = max(len(mark) for mark in marks.values())
    columns = max(1, width - margin - 2)
    drawn = blocks(cells(series.points, columns, span_s), top, rows)
    lines = [
        Content.assemble(
            (f"{marks.get(row, ''):>{margin}} {'┤' if row in marks else '│'}", "$foreground-muted"),
            *_coloured(line, lowest=row == rows - 1),
        )
        for row, line in enumerate(drawn)
    ]
    spots = _spots(span_s, columns)
    axis = "".join("┴" if column in spots else "─" for column in range(columns))
    lines.append(Content.styled(f"{'0':>{margin}} └{axis}", "$foreground-muted"))
    if full:
        lines.append(Content.styled(" " * (margin + 2) + _times(spots, columns), "$foreground-muted"))
    return [*head, *[Content("")] * (room - rows), *lines]


def _title(series: Series) -> Content:
    return Content.assemble((clean_name(series.name, 10), "bold"), "  ", clean_name(series.now, LONGEST))


def _summary(series: Series, width: int) -> Content:
    """Return the least, the median and the highest, and how many samples are unknown."""
    found, said = summary(series.points), series.unit.said
    if found.most is None:
        return Content("nothing of it is known").truncate(width, ellipsis=True)
    words = f"min {said(found.least)}   median {said(found.middle)}   max {said(found.most)} {series.unit.value}"
    missing = f"{UNKNOWN} unknown in {found.unknown} of {found.samples} samples" if found.unknown else ""
    return between(Content(words), Content.styled(missing, "$text-warning"), width)


def _coloured(line: str, *, lowest: bool) -> list[tuple[str, str]]:
    """Return a row of columns, with what is unknown in another colour."""
    if not lowest or UNKNOWN not in line:
        return [(line, "$text-accent")]
    parts: list[tuple[str, str]] = []
    for piece in line.split(UNKNOWN):
        parts += [(piece, "$text-accent"), (UNKNOWN, "$text-warning")]
    return parts[:-1]


def _spots(span_s: float, columns: int) -> dict[int, str]:
    """Return the columns of the time axis that are named, from the left."""
    return {
        max(0, columns - 1 - round(age * columns / span_s)): age_words(age) for age in ages(span_s)
    }  # fmt: skip


def _times(spots: dict[int, str], columns: int) -> str:
    """Return the names below the axis; the first says that they are ages, and none runs into another."""
    line, after = "", columns
    named: list[tuple[int, str]] = []
    for index, (column, words) in enumerate(sorted(spots.items(), reverse=True)):
        text = f"{words} ago" if index == len(spots) - 1 else words
        start = min(column, columns - len(text))
        if start >= 0 and start + len(text) < after + (index == 0):
            named.insert(0, (start, text))
            after = start
    for start, text in named:
        line = line.ljust(start) + text
    return line
