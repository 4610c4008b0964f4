"""A chart of one series: its axes, what is unknown in it, and that it fits wherever it is put."""

from __future__ import annotations

import pytest

from qtui.core.monitor.history import Point
from qtui.core.monitor.series import Series, Unit
from qtui.core.text import GIB
from qtui.ui.present.chart import chart_lines, series_lines
from tests.ui.test_hostile import HOSTILE

COLUMNS = "▁▂▃▄▅▆▇█"


def made(*values: float | None, top: float = 100.0, unit: Unit = Unit.PERCENT, now: str = "now") -> Series:
    return Series("CPU", tuple(Point(1000.0 + second, value) for second, value in enumerate(values)), top, now, unit)


def drawn(series: Series, width: int = 80, height: int = 12, span_s: float = 60.0) -> list[str]:
    return [line.plain for line in chart_lines(series, span_s, width, height)]


def test_it_has_a_head_a_summary_values_and_times() -> None:
    lines = drawn(made(*(float(second) for second in range(60))), width=80, height=12)
    assert lines[0] == "CPU  now"
    assert lines[1] == "min 0   median 29.5   max 59.0 %"
    assert [line[:6] for line in lines[2:]] == [
        " 100 ┤", "     │", "75.0 ┤", "     │", "50.0 ┤", "     │", "25.0 ┤", "     │", "   0 └", "      ",
    ]  # fmt: skip


def test_columns_stand_at_their_values() -> None:
    lines = drawn(made(*[50.0] * 61), height=12)
    full = [line.count("█") for line in lines if "┤" in line or "│" in line]
    assert full[:4] == [0, 0, 0, 0] and all(count > 60 for count in full[4:])


def test_unknown_is_a_gap_and_a_known_zero_is_a_column() -> None:
    values = [*[50.0] * 20, *[None] * 20, *[0.0] * 21]
    lines = drawn(made(*values), width=66)
    lowest = lines[-3]
    assert lowest.count("?") >= 18
    assert lowest.count("▁") >= 19  # zero that is known is drawn
    gap = slice(lowest.index("?"), lowest.rindex("?") + 1)
    assert all(not set(line[gap]) & set(COLUMNS) for line in lines)
    assert lines[1].startswith("min 0 ") and lines[1].endswith("? unknown in 20 of 61 samples")


def test_a_time_without_samples_is_a_gap_too() -> None:
    points = tuple(Point(1000.0 + second, 50.0) for second in (*range(20), *range(40, 61)))
    lines = drawn(Series("CPU", points, 100.0, ""), width=66)
    inside = lines[-3].rstrip()[6:]
    assert "     " in inside and "?" not in inside


def test_what_is_not_known_at_all_says_so() -> None:
    lines = drawn(made(None, None))
    assert lines[1] == "nothing of it is known"
    assert not set("".join(lines)) & set(COLUMNS)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (60.0, ["1 min ago", "45 s", "now"]),
        (300.0, ["5 min ago", "1 min", "now"]),
        (900.0, ["15 min ago", "10 min", "now"]),
    ],
)
def test_times_stand_below_the_axis(span: float, words: list[str]) -> None:
    *_, axis, times = drawn(made(50.0, 60.0), width=80, span_s=span)
    assert axis.count("┴") >= 4
    positions = [times.index(word) for word in words]
    assert positions == sorted(positions)
    assert times.endswith("now") and len(times) == 80


def test_sizes_are_in_gib() -> None:
    lines = drawn(made(*[6.0 * GIB] * 60, top=12.0 * GIB, unit=Unit.GIB))
    assert "max 6.0 GiB" in lines[1]
    assert lines[2].startswith("12.0 ┤")


@pytest.mark.parametrize("width", [20, 40, 58, 78, 118, 300])
@pytest.mark.parametrize("height", [1, 2, 4, 6, 11, 20, 60])
@pytest.mark.parametrize("kind", [*HOSTILE, "long"])
def test_it_fits_whatever_is_in_it(width: int, height: int, kind: str) -> None:
    now = HOSTILE.get(kind, "x" * 5000)
    for values in ((0.0, None, 55.0), (None,), (1e15, 0.0)):
        lines = chart_lines(made(*values, top=1e15, unit=Unit.GIB, now=now), 900.0, width, height)
        assert 1 <= len(lines) <= height
        for line in lines:
            assert line.cell_length <= width, line.plain
            assert not any(ord(character) < 32 or ord(character) == 127 for character in line.plain)


def test_the_strip_says_what_a_line_is() -> None:
    lines = [line.plain for line in series_lines(made(10.0, 20.0), 300.0, 78)]
    assert lines[0].startswith("CPU  now") and lines[0].endswith("over the last 5 minutes")
    assert lines[1] == "min 10.0   median 15.0   max 20.0 %"
    assert lines[2] == "of all cores together"
