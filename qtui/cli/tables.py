"""Plain tables for the terminal: aligned columns, cut to its width where there is one."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from qtui.core.origin import Origin
from qtui.core.text import GIB, clean_name, gib

GAP = "  "
NARROWEST = 8
OVERFLOWING = 24
"""What is left of a name in a table that is too wide whatever is cut."""


@dataclass(slots=True)
class Table:
    """Rows under heads; a head that begins with `>` sets its column to the right."""

    heads: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    flexible: int = 0
    """The column that gives way when the terminal is too narrow."""

    def add(self, *cells: str) -> None:
        """Add a row; cells are cleaned."""
        assert len(cells) == len(self.heads)
        self.rows.append(tuple(clean_name(cell, 10_000) for cell in cells))

    def _fitted(self, row: Sequence[str], width: int) -> Sequence[str]:
        """Return a row whose flexible cell is cut to a width: what ends a name tells it from others."""
        at = self.flexible
        return (*row[:at], cut_inside(row[at], width), *row[at + 1 :])

    def lines(self, width: int | None = None) -> list[str]:
        """Return the lines, heads first; with a `width` no line is wider than it, so far as one column can give."""
        right = [head.startswith(">") for head in self.heads]
        table: list[Sequence[str]] = [tuple(head.removeprefix(">") for head in self.heads), *self.rows]
        widths = [max(cell_width(row[i]) for row in table) for i in range(len(self.heads))]
        if width is not None:
            over = sum(widths) + len(GAP) * (len(widths) - 1) - width
            least = NARROWEST if widths[self.flexible] - over >= NARROWEST else OVERFLOWING
            widths[self.flexible] = max(min(widths[self.flexible], least), widths[self.flexible] - max(0, over))
            table = [self._fitted(row, widths[self.flexible]) for row in table]
        return [GAP.join(_pad(cell, widths[i], right[i]) for i, cell in enumerate(row)).rstrip() for row in table]


def cell_width(text: str) -> int:
    """Return the columns that text takes on a terminal: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )  # fmt: skip


def cut(text: str, width: int) -> str:
    """Return text that is at most `width` columns wide, with `…` where it was cut."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_width(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def cut_inside(text: str, width: int) -> str:
    """Return text that is at most `width` columns wide, cut a third of the way: `qtui-…Q4_K_M`."""
    if cell_width(text) <= width:
        return text
    head = cut(text, max(1, width // 3))
    tail = ""
    for character in reversed(text):
        if cell_width(character + tail) > width - cell_width(head):
            break
        tail = character + tail
    return head + tail


def gib_of(size_bytes: int | None, origin: Origin = Origin.DRY_RUN, digits: int = 2) -> str:
    """Return GiB with the sign of its origin."""
    return "?" if size_bytes is None else origin.sign + gib(size_bytes, digits)


def digits_for(*sizes_bytes: int | None) -> int:
    """Return the digits that a column of sizes in GiB needs, so that small ones do not all read 0.00."""
    return 2 if max((size for size in sizes_bytes if size is not None), default=0) >= GIB else 4


def _pad(text: str, width: int, right: bool) -> str:
    text = cut(text, width)
    space = " " * (width - cell_width(text))
    return space + text if right else text + space
