from __future__ import annotations

from itertools import pairwise

import pytest

from qtui.core.monitor.chart import (
    SPANS_S,
    Summary,
    age_words,
    ages,
    axis_top,
    divisions,
    other_span,
    span_words,
    summary,
)
from qtui.core.monitor.history import KEPT_S, Point
from qtui.core.monitor.series import Series, Unit
from qtui.core.text import GIB


def points(*values: float | None) -> tuple[Point, ...]:
    return tuple(Point(1000.0 + second, value) for second, value in enumerate(values))


def line(*values: float | None, top: float = 100.0, unit: Unit = Unit.PERCENT) -> Series:
    return Series("x", points(*values), top, "", unit)


def test_unknown_counts_as_nothing_not_as_zero() -> None:
    assert summary(points(None, 4.0, None, 8.0, 6.0)) == Summary(4.0, 6.0, 8.0, 5, 2)
    assert summary(points(0.0, None)) == Summary(0.0, 0.0, 0.0, 2, 1)


def test_of_what_is_not_known_at_all_there_is_no_least_and_no_most() -> None:
    assert summary(points(None, float("nan"), float("inf"))) == Summary(None, None, None, 3, 3)
    assert summary(()) == Summary(None, None, None, 0, 0)


@pytest.mark.parametrize(
    ("series", "top"),
    [
        (line(20.0 * GIB, top=32.0 * GIB, unit=Unit.GIB), 32.0 * GIB),  # all there can be: what is left shows
        (line(0.3 * GIB, top=8.0 * GIB, unit=Unit.GIB), 0.5 * GIB),  # far below: else it would be a flat line
        (line(0.0, top=8.0 * GIB, unit=Unit.GIB), 8.0 * GIB),
        (line(0.0, top=0.0, unit=Unit.GIB), 1.0 * GIB),  # no swap here
        (line(90.0), 100.0),
        (line(3.0), 5.0),
        (line(None), 100.0),
        (line(41.2, top=41.2, unit=Unit.TOKENS), 50.0),  # nothing bounds it: round
        (line(250.0, top=250.0, unit=Unit.PAGES), 500.0),
        (line(30.0, top=100.0, unit=Unit.PAGES), 50.0),
        (line(40.0 * GIB, top=32.0 * GIB, unit=Unit.GIB), 40.0 * GIB),
    ],
)
def test_how_high_the_axis_reaches(series: Series, top: float) -> None:
    assert axis_top(series) == pytest.approx(top)


@pytest.mark.parametrize("rows", range(1, 60))
def test_the_axis_is_divided_into_whole_rows_and_few_are_lost(rows: int) -> None:
    parts = divisions(rows)
    assert parts in (1, 2, 4)
    assert rows % parts <= (3 if rows >= 16 else 1)
    assert rows >= parts


def test_times_begin_with_the_whole_span_and_end_now() -> None:
    assert [[age_words(age) for age in ages(span)] for span in SPANS_S] == [
        ["1 min", "45 s", "30 s", "15 s", "now"],
        ["5 min", "4 min", "3 min", "2 min", "1 min", "now"],
        ["15 min", "10 min", "5 min", "now"],
    ]


def test_spans_grow_as_far_as_the_history_is_kept() -> None:
    assert SPANS_S == (60.0, 300.0, 900.0) and SPANS_S[-1] <= KEPT_S
    assert [other_span(span, 1) for span in SPANS_S] == [300.0, 900.0, 900.0]
    assert [other_span(span, -1) for span in SPANS_S] == [60.0, 60.0, 300.0]
    assert all(shorter < longer for shorter, longer in pairwise(SPANS_S))
    assert [span_words(span) for span in SPANS_S] == ["the last minute", "the last 5 minutes", "the last 15 minutes"]
