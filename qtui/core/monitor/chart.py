"""Chart: what one series says over a span of time, how high its axis reaches, and where times stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from statistics import median

from qtui.core.monitor.history import KEPT_S, Point
from qtui.core.monitor.series import Series

SPANS_S = tuple(span for span in (60.0, 300.0, 900.0) if span <= KEPT_S)
"""The spans of time that can be shown, as far as the history reaches."""
_BETWEEN_MARKS_S = {60.0: 15.0, 300.0: 60.0, 900.0: 300.0}
LEAST_SHARE = 0.25
"""What stays below this share of the axis is drawn on a shorter one."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the values of a series were, over all that is shown of it. None: nothing of it is known."""

    least: float | None
    middle: float | None
    """The median."""
    most: float | None
    samples: int
    unknown: int
    """So many samples of them have no value; they count as nothing, not as zero."""


def summary(points: Sequence[Point]) -> Summary:
    """Return the least, the median and the highest of what is known."""
    known = _known(points)
    missing = len(points) - len(known)
    if not known:
        return Summary(None, None, None, len(points), missing)
    return Summary(min(known), median(known), max(known), len(points), missing)


def axis_top(series: Series) -> float:
    """Return what the axis of a chart reaches to, in the unit of the points; always above zero.

    All that there can be (the memory of a card, 100 %), so that a chart tells how much is left; where the series stays
    far below, and where nothing bounds it, the next round number above its highest value.
    """
    highest = max(_known(series.points), default=0.0)
    if highest <= 0:
        return series.top if series.top > 0 else series.unit.size
    if series.unit.capped and highest >= series.top * LEAST_SHARE:
        return max(series.top, highest)
    return _round_above(highest / series.unit.size) * series.unit.size


def divisions(rows: int) -> int:
    """Return into how many equal parts of whole rows the axis is divided, losing few rows to that."""
    if rows >= 16 or (rows >= 8 and rows % 4 < 2):
        return 4
    return 2 if rows >= 2 else 1


def ages(span_s: float) -> tuple[float, ...]:
    """Return the ages in seconds that the time axis names, the oldest first, now (0) the last."""
    step = _BETWEEN_MARKS_S.get(span_s, span_s / 4)
    return (*(span_s - step * index for index in range(ceil(span_s / step))), 0.0)


def age_words(age_s: float) -> str:
    """Return an age as an axis names it: `now`, `45 s`, `5 min`."""
    if age_s <= 0:
        return "now"
    return f"{age_s:.0f} s" if age_s < 60 or age_s % 60 else f"{age_s / 60:.0f} min"


def span_words(span_s: float) -> str:
    """Return a span as a title names it."""
    minutes = round(span_s / 60)
    return "the last minute" if minutes == 1 else f"the last {minutes} minutes"


def other_span(span_s: float, step: int) -> float:
    """Return the span that is longer (positive) or shorter by so many steps; the last one where there is none."""
    at = SPANS_S.index(span_s)
    return SPANS_S[max(0, min(len(SPANS_S) - 1, at + step))]


def _known(points: Sequence[Point]) -> list[float]:
    return [point.value for point in points if point.value is not None and isfinite(point.value)]


def _round_above(value: float) -> float:
    """Return the next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1.0, 2.0, 5.0) if step * power >= value), 10.0 * power)
