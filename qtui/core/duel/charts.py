"""Charts as SVG text: bars, intervals, and dots over rounds. All text in them is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, ROW, LEFT, RIGHT, TOP = 720, 26, 210, 200, 30
HEIGHT_DOTS = 240
LABEL = 25
"""Characters of a label that fit to the left of a chart."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    label: str
    value: float
    spread: float | None
    """Drawn to both sides of its end."""
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One value of a series."""

    place: int
    value: float


def bars(title: str, rows: Sequence[Bar], top: float | None = None) -> str:
    """Return a chart of bars from 0 to `top`, by default to the largest."""
    most = top or max((row.value + (row.spread or 0.0) for row in rows), default=0.0) or 1.0
    room = WIDTH - LEFT - RIGHT
    parts = []
    for place, row in enumerate(rows):
        y = TOP + place * ROW
        width = room * _share(row.value, most)
        kind = "b" if row.label.startswith("B ") or row.label.endswith(" B") else "a"
        parts.append(_label(row.label, y))
        parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y + 4}" width="{width:.1f}" height="{ROW - 10}"/>')
        if row.spread:
            low, high = (LEFT + room * _share(row.value + sign * row.spread, most) for sign in (-1, 1))
            parts.append(_whisker(low, high, y + ROW / 2 - 1))
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 17}">{escape(row.text)}</text>')
    return _svg(title, parts, TOP + len(rows) * ROW + 6)


def intervals(title: str, rows: Sequence[tuple[str, float, float, float, str]], middle: float) -> str:
    """Return a chart of (label, value, low, high, text) around a line at `middle`."""
    reach = max((max(abs(low - middle), abs(high - middle)) for _, _, low, high, _ in rows), default=0.0) or 1.0
    room = WIDTH - LEFT - RIGHT

    def at(value: float) -> float:
        return LEFT + room * (0.5 + 0.5 * max(-1.0, min(1.0, (value - middle) / reach)))

    bottom = TOP + len(rows) * ROW + 6
    centre = at(middle)
    ends = ((at(middle - reach), middle - reach), (centre, middle), (at(middle + reach), middle + reach))
    parts = [f'<line class="axis" x1="{centre:.1f}" y1="{TOP - 4}" x2="{centre:.1f}" y2="{bottom - 4}"/>']
    for place, (label, value, low, high, text) in enumerate(rows):
        y = TOP + place * ROW
        parts.append(_label(label, y))
        parts.append(_whisker(at(low), at(high), y + ROW / 2 - 1))
        parts.append(f'<circle class="a" cx="{at(value):.1f}" cy="{y + ROW / 2 - 1}" r="4.5"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 17}">{escape(text)}</text>')
    parts += [f'<text x="{x:.1f}" y="{bottom + 12}" text-anchor="middle">{value:.3g}</text>' for x, value in ends]
    return _svg(title, parts, bottom + 20)


def dots(title: str, series: Mapping[str, Sequence[Dot]]) -> str:
    """Return a chart of values over places; series are told apart by form and by the legend."""
    values = [dot.value for row in series.values() for dot in row if math.isfinite(dot.value)]
    places = max((dot.place for row in series.values() for dot in row), default=0) or 1
    most = max(values, default=1.0) or 1.0
    top = TOP + 8
    room, height = WIDTH - 90, HEIGHT_DOTS - top - 20
    legend_top = HEIGHT_DOTS + 6
    parts = [
        f'<line class="axis" x1="70" y1="{top + height}" x2="{70 + room}" y2="{top + height}"/>',
        f'<text x="64" y="{top + 5}" text-anchor="end">{most:.4g}</text>',
        f'<text x="64" y="{top + height + 4}" text-anchor="end">0</text>',
    ]
    for number, (name, row) in enumerate(series.items()):
        for dot in row:
            x, y = 70 + room * dot.place / places, top + height * (1 - _share(dot.value, most))
            parts.append(_form(number, x, y))
        parts.append(_form(number, 76, legend_top + number * 20))
        parts.append(f'<text x="90" y="{legend_top + number * 20 + 4}">{escape(name)}</text>')
    return _svg(title, parts, legend_top + len(series) * 20)


def _form(number: int, x: float, y: float) -> str:
    kind = "ab"[number % 2]
    if number % 2:
        return f'<rect class="{kind}" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _share(value: float, most: float) -> float:
    return max(0.0, min(1.0, value / most)) if math.isfinite(value) else 0.0


def _label(text: str, y: float) -> str:
    # The end of a name tells variants of one model apart.
    shown = text if len(text) <= LABEL else f"{text[: LABEL - 13]}…{text[-12:]}"
    return f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end">{escape(shown)}</text>'


def _whisker(low: float, high: float, y: float) -> str:
    ends = "".join(
        f'<line class="whisker" x1="{x:.1f}" y1="{y - 4:.1f}" x2="{x:.1f}" y2="{y + 4:.1f}"/>' for x in (low, high)
    )
    return f'<line class="whisker" x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>{ends}'


def _svg(title: str, parts: Sequence[str], height: float) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><text x="0" y="16" font-weight="bold">{escape(title)}</text>'
        f"{''.join(parts)}</svg>"
    )
