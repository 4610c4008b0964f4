"""Blocks of Markdown, each of which can be laid out as lines for any width.

Textual's own widget makes a widget of every paragraph, list item and cell; two answers that stream into it keep the
whole screen busy with arranging them. Lines cost what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from textual.content import Content
from textual.highlight import highlight

NARROW = 12
"""Cells below which nothing is indented any more."""
RULE = "─"
CODE = "on $surface"


class Block(Protocol):
    """A block: a paragraph, a list, a table."""

    def lines(self, width: int) -> list[Content]:
        """Return its lines, none wider than `width` cells."""
        ...


@dataclass(frozen=True, slots=True)
class Flow:
    """Running text with its own line breaks: a paragraph, a heading."""

    text: Content

    def lines(self, width: int) -> list[Content]:
        """Wrap at words."""
        return self.text.wrap(max(1, width))


@dataclass(frozen=True, slots=True)
class Code:
    """Code; lines that are too long are folded, so that nothing of them is hidden."""

    text: str
    language: str = ""
    """Empty, or unknown: in one colour."""

    def lines(self, width: int) -> list[Content]:
        """Fold at the edge, on a ground of its own."""
        plain = self.text.expandtabs(4)
        whole = highlight(plain, language=self.language) if self.language else Content(plain)
        edge = 1 if width >= NARROW else 0
        inner = max(2, width - 2 * edge)
        folded = [part for line in whole.split("\n", allow_blank=True) for part in line.fold(inner)]
        return [line.pad(edge, max(0, width - edge - line.cell_length)).stylize_before(CODE) for line in folded]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""

    def lines(self, width: int) -> list[Content]:
        """Return one line."""
        return [Content.styled(RULE * width, "$foreground-muted")]


@dataclass(frozen=True, slots=True)
class Nested:
    """Blocks behind a sign: a list item, a quotation."""

    blocks: tuple[Block, ...]
    first: Content
    """Before the first line."""
    rest: Content
    """Before the other lines; as wide as `first`."""
    tight: bool = True

    def lines(self, width: int) -> list[Content]:
        """Indent."""
        indent = self.rest.cell_length
        if width - indent < NARROW:
            return stacked(self.blocks, width, tight=self.tight)
        inner = stacked(self.blocks, width - indent, tight=self.tight) or [Content()]
        return [(self.rest if index else self.first) + line for index, line in enumerate(inner)]


@dataclass(frozen=True, slots=True)
class Items:
    """A list, or a piece of one that is so long that it was cut between two items."""

    items: tuple[Block, ...]
    tight: bool
    goes_on: bool = False
    """The next block is its next piece."""

    def lines(self, width: int) -> list[Content]:
        """Put one item below the other."""
        return stacked(self.items, width, tight=self.tight)


@dataclass(frozen=True, slots=True)
class Stack:
    """Blocks below each other, with an empty line before some of them."""

    blocks: tuple[Block, ...]
    gaps: tuple[int, ...] = ()
    """The indices of those."""
    style: str = ""
    """Over everything."""

    def lines(self, width: int) -> list[Content]:
        """Put one below the other."""
        lines: list[Content] = []
        for index, block in enumerate(self.blocks):
            lines += [Content()] * (index in self.gaps) + block.lines(width)
        return [line.stylize(self.style) for line in lines] if self.style else lines


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first row is its head."""

    rows: tuple[tuple[Content, ...], ...]

    def lines(self, width: int) -> list[Content]:
        """Give each column what it needs, or its share of what there is."""
        columns = max(len(row) for row in self.rows)
        widths = _shares([max(_natural(row, index) for row in self.rows) for index in range(columns)], width)
        if widths is None:
            return [line for row in self.rows for cell in row for line in cell.wrap(max(1, width))]
        lines: list[Content] = []
        for number, row in enumerate(self.rows):
            lines += _row_lines(row, widths, "bold" if number == 0 else "")
            if number == 0:
                lines.append(Content.styled("─┼─".join(RULE * w for w in widths), "$foreground-muted"))
        return lines


def _natural(row: tuple[Content, ...], index: int) -> int:
    return row[index].cell_length if index < len(row) else 0


def _shares(natural: Sequence[int], width: int) -> list[int] | None:
    """Return the columns' widths, None where there are too many for this width."""
    room = width - 3 * (len(natural) - 1)
    if room < 2 * len(natural):
        return None
    if sum(natural) <= room:
        return [max(1, n) for n in natural]
    widths, left, rest = [0] * len(natural), room, len(natural)
    for index in sorted(range(len(natural)), key=lambda i: natural[i]):  # the narrow ones whole, the wide ones share
        widths[index] = max(2, min(natural[index], left // rest))
        left, rest = left - widths[index], rest - 1
    return widths


def _row_lines(row: tuple[Content, ...], widths: Sequence[int], style: str) -> list[Content]:
    cells = [
        (row[index].stylize_before(style) if style else row[index]).wrap(width) if index < len(row) else []
        for index, width in enumerate(widths)
    ]
    separator = Content.styled(" │ ", "$foreground-muted")
    lines = []
    for number in range(max(1, *(len(cell) for cell in cells))):
        parts = [cell[number] if number < len(cell) else Content() for cell in cells]
        padded = [part.pad_right(max(0, w - part.cell_length)) for part, w in zip(parts, widths, strict=True)]
        lines.append(separator.join(padded))
    return lines


def stacked(blocks: Sequence[Block], width: int, *, tight: bool = False) -> list[Content]:
    """Return blocks below each other, with a line between them unless they are tight."""
    lines: list[Content] = []
    for index, block in enumerate(blocks):
        if index and not tight:
            lines.append(Content())
        lines += block.lines(width)
    return lines
