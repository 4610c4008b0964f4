"""Rows and columns as values, and how columns share a width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Where there is no room, columns of the highest `drop` go first."""

    title: str
    width: int
    """Least width in cells."""
    right: bool = False
    """Numbers stand to the right."""
    grows: int = 0
    """Its share of the width that is left over."""
    drop: int = 0
    """0: never dropped."""
    at_least: int = 0
    """It is shown only from this width of the screen on."""
    lead: bool = False
    """Rows are sorted by it."""


Cells = tuple[Content | None, ...]


class Row:
    """One row: a heading over the whole width, or cells. A cell that is None is covered by the one before it.

    Cells may be given as a function that makes them when they are first seen: of thousands of rows few ever are.
    """

    __slots__ = ("_cells", "_make", "heading", "key", "mark")

    def __init__(
        self, key: str, cells: Cells | Callable[[], Cells] = (), *, heading: Content | None = None, mark: str = ""
    ) -> None:
        self.key = key
        self.heading = heading
        self.mark = mark
        """At most two cells before the row."""
        self._cells: Cells = () if callable(cells) else cells
        self._make = cells if callable(cells) else None

    @property
    def cells(self) -> Cells:
        """Return the cells, none for a heading."""
        if self._make is not None:
            self._cells, self._make = self._make(), None
        return self._cells

    def __eq__(self, other: object) -> bool:
        """Tell whether two rows show the same; those whose cells were not made yet are compared by identity."""
        if self is other or not isinstance(other, Row):
            return self is other
        if self._make is not None or other._make is not None:
            return False
        mine, theirs = (self.key, self.mark, self.heading), (other.key, other.mark, other.heading)
        return mine == theirs and self._cells == other._cells

    __hash__ = None  # type: ignore[assignment]


def widths(columns: Sequence[Column], width: int, screen: int = 1 << 16) -> tuple[int, ...]:
    """Return each column's width in cells, 0 for one that is dropped; `screen` is the width of the whole screen."""
    kept = [index for index, column in enumerate(columns) if column.at_least <= screen]

    def least() -> int:
        return sum(columns[i].width for i in kept) + GAP * (len(kept) - 1)

    while least() > width and any(columns[i].drop for i in kept):
        kept.remove(max(kept, key=lambda i: columns[i].drop))
    left = max(0, width - least())
    shares = sum(columns[i].grows for i in kept)
    result = [0] * len(columns)
    for i in kept:
        extra = left * columns[i].grows // shares if shares else 0
        result[i] = columns[i].width + extra
    return tuple(result)


def lay_out(columns: Sequence[Column], sizes: Sequence[int], cells: Sequence[Content | None]) -> Content:
    """Return the cells of one row as one line, each cut and padded to its column."""
    parts: list[Content] = []
    index = 0
    while index < len(cells):
        cell = cells[index]
        span = 1
        while index + span < len(cells) and cells[index + span] is None:
            span += 1
        visible = [size for size in sizes[index : index + span] if size]
        if visible and cell is not None:
            room = sum(visible) + GAP * (len(visible) - 1)
            text = cell.truncate(room, ellipsis=True)
            spaces = room - text.cell_length
            parts.append(text.pad_left(spaces) if columns[index].right and span == 1 else text.pad_right(spaces))
        index += span
    return Content(" " * GAP).join(parts)


def titles(columns: Sequence[Column], sizes: Sequence[int]) -> Content:
    """Return the line of column titles."""
    cells = [Content.styled(column.title, "$text-accent" if column.lead else "") for column in columns]
    return lay_out(columns, sizes, cells)
