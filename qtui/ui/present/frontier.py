"""The frontier as a chart and rows; dominated variants are dimmed."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.advice.frontier import Point, apart
from qtui.core.advice.scatter import legend, scatter
from qtui.ui.present.advice import fit_cell, needs_cell, rate_cell
from qtui.ui.present.models import loss_cell
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import name

MARK_WIDTH = 4
COLUMNS = (
    Column("VARIANT", 11, grows=1),
    Column("NEEDS", 6, right=True),
    Column("KLD", 7, right=True),
    Column("T/S", 6, right=True, drop=2),
    Column("FIT", 9, drop=1),
    Column("DOMINATED BY", 12, grows=1),
)
STYLES = {"axis": "$foreground-muted", "point": "bold $text-accent", "dominated": "$foreground-muted"}


def chart_text(points: Sequence[Point], width: int, height: int) -> Content:
    """Return the chart with what its axes are; a sentence where nothing has a place."""
    lines = [
        Content.assemble(*((piece.text, STYLES[piece.kind]) for piece in line))
        for line in scatter(points, width, height - 1)
    ]
    if not lines:
        return Content.styled("no variant has a place here: what they lose is not known", "$foreground-muted")
    return Content("\n").join([*lines, Content.styled(legend(), "$foreground-muted")])


def frontier_rows(points: Sequence[Point]) -> tuple[Row, ...]:
    """Return a row for every variant, with the letter that stands for it in the chart."""
    return tuple(_row(point) for point in points)


def point_text(point: Point | None, points: Sequence[Point]) -> Content:
    """Return why nobody would take the variant under the cursor, or what is not known of it."""
    if point is None:
        return Content()
    loss = point.candidate.quality
    words = point.reason if point.dominated_by else loss.sentence
    head = name(f"{point.sign} {point.candidate.variant.title}", "bold", 120)
    lines = [head + ": " + name(words, limit=500)]
    if not point.dominated_by and loss.kl_divergence is not None:
        lines[0] += "; nothing that is known here is better in everything"
    note = apart(points)
    if note:
        lines.append(Content.styled(note, "$foreground-muted"))
    if loss.source is not None:
        lines.append(name(loss.source.line, "$foreground-muted", 500))
    return Content("\n").join(lines)


def _row(point: Point) -> Row:
    candidate = point.candidate
    cells: tuple[Content, ...] = (
        name(candidate.variant.quant, limit=40), needs_cell(candidate), loss_cell(candidate.quality),
        rate_cell(candidate), fit_cell(candidate), name(point.dominated_by, limit=40),
    )  # fmt: skip
    if point.dominated_by:
        cells = tuple(Content.styled(cell.plain, "$foreground-muted") for cell in cells)
    return Row(str(candidate.variant.path), cells, mark=point.sign)
