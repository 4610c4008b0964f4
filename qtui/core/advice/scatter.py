"""A chart of points in a terminal: what they need to the right, the KL divergence upwards on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from qtui.core.advice.frontier import Point
from qtui.core.text import GIB

LEAST = 1e-5
"""What is below is drawn here: a logarithm has no zero."""
MARK_EVERY = 14
"""Columns between two marks of the axis, about."""
SHARED = "*"
"""Stands where several points fall on one cell."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters of a line."""

    text: str
    kind: str = "axis"
    """`axis`, `point`, or `dominated`."""


Line = tuple[Piece, ...]


def scatter(points: Sequence[Point], width: int, height: int) -> list[Line]:
    """Return the lines of a chart of the points that have a place; none where there is no room, or no point."""
    shown = [point for point in points if point.drawn]
    margin = 7
    columns, rows = width - margin - 1, height - 2
    if not shown or columns < 12 or rows < 3:
        return []
    needs = [(point.needs or 0) / GIB for point in shown]
    levels = [log10(max(point.level or 0.0, LEAST)) for point in shown]
    left, right = _range(min(needs), max(needs))
    low, high = floor(min(levels)), max(ceil(max(levels)), floor(min(levels)) + 1)
    grid: list[list[tuple[str, str]]] = [[(" ", "axis")] * columns for _ in range(rows)]
    for point, need, level in sorted(
        zip(shown, needs, levels, strict=True), key=lambda each: not each[0].dominated_by
    ):  # the undominated last, so that they are seen
        column = round((need - left) / (right - left) * (columns - 1))
        row = round((high - level) / (high - low) * (rows - 1))
        taken = grid[row][column][1] != "axis"
        grid[row][column] = (SHARED if taken else point.sign, "dominated" if point.dominated_by else "point")
    marks = {round((high - power) / (high - low) * (rows - 1)): power for power in range(low, high + 1)}
    lines = [
        (Piece(f"{_power(marks[row]) if row in marks else '':>{margin}}{'┤' if row in marks else '│'}"), *_runs(cells))
        for row, cells in enumerate(grid)
    ]
    return [*lines, *_axis(left, right, columns, margin)]


def legend() -> str:
    """Return what the axes are."""
    return "up: KL divergence, logarithmic; right: what it needs, GiB; * several points"


def _runs(cells: Sequence[tuple[str, str]]) -> list[Piece]:
    pieces: list[Piece] = []
    for text, kind in cells:
        if pieces and pieces[-1].kind == kind:
            pieces[-1] = Piece(pieces[-1].text + text, kind)
        else:
            pieces.append(Piece(text, kind))
    return pieces


def _range(least: float, most: float) -> tuple[float, float]:
    """Return a range with some room at both ends."""
    room = (most - least) * 0.04 or max(most * 0.1, 0.001)
    return max(0.0, least - room), most + room


def _power(power: int) -> str:
    return f"{10.0**power:g}"


def _axis(left: float, right: float, columns: int, margin: int) -> list[Line]:
    count = max(2, columns // MARK_EVERY)
    spots = [round(index * (columns - 1) / (count - 1)) for index in range(count)]
    line = "".join("┴" if column in spots else "─" for column in range(columns))
    digits = 1 if right - left >= count / 2 else 2 if right - left >= 0.05 * count else 4
    names = ""
    for index, spot in enumerate(spots):
        text = f"{left + (right - left) * index / (count - 1):.{digits}f}"
        start = min(max(0, spot - len(text) // 2), columns - len(text))
        names = names.ljust(start) + text if start >= len(names) else names
    return [(Piece(" " * margin + "└" + line),), (Piece(" " * (margin + 1) + names),)]
