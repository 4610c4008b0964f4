from __future__ import annotations

import pytest

from qtui.core.hardware import MemorySample
from qtui.core.monitor.history import MOST, History, Moment, Point, blocks, cells


def moment(time: float) -> Moment:
    return Moment(MemorySample(time, 100, 40, 0, 0))


def times(history: History) -> list[float]:
    return [m.time for m in history.moments]


def test_it_keeps_the_last_minutes_and_gives_the_last_of_them() -> None:
    assert History().last() == History()
    history = History()
    for second in range(1000):
        history = history.add(moment(1000.0 + second))
    assert times(history) == [1000.0 + second for second in range(100, 1000)]
    assert times(history.last(60.0)) == [1000.0 + second for second in range(940, 1000)]


def test_it_keeps_what_it_is_told_to_keep() -> None:
    history = History(span_s=60.0)
    assert history.latest is None
    for second in range(200):
        history = history.add(moment(1000.0 + second))
    assert times(history) == [1000.0 + second for second in range(140, 200)]
    assert history.latest == moment(1199.0)


def test_a_clock_that_is_set_back_or_stands_still_loses_nothing_new() -> None:
    history = History().add(moment(1000.0)).add(moment(1001.0)).add(moment(500.0))
    assert times(history) == [500.0]
    for _ in range(MOST + 10):
        history = history.add(moment(500.0))
    assert len(history.moments) == MOST


@pytest.mark.parametrize("width", [1, 7, 20, 30, 60, 90])
def test_every_cell_between_two_samples_is_filled(width: int) -> None:
    points = [Point(1000.3 + second * 1.004, float(second)) for second in range(60)]
    line = cells(points, width)
    assert len(line) == width
    assert line[-1] == 59.0
    assert " " not in line[2:]  # a minute of samples that each come a little late reaches back almost a minute
    known = [value for value in line if isinstance(value, float)]
    assert known == sorted(known)


def test_values_walk_to_the_left_without_changing() -> None:
    points = [Point(1000.0 + second, float(second * 37 % 11)) for second in range(40)]
    before = cells(points[:-2], 30)
    after = cells(points, 30)
    assert after[:-1] == before[1:]


def test_unknown_and_missing_are_told_apart() -> None:
    points = [Point(1000.0, 5.0), Point(1001.0, None), Point(1002.0, None), Point(1003.0, 0.0), Point(1010.0, 2.0)]
    assert cells(points, 60)[-12:] == [" ", 5.0, "?", "?", 0.0, 0.0, 0.0, 0.0, " ", " ", " ", 2.0]
    assert cells([], 4) == [" "] * 4
    assert cells(points, 0) == []


def test_of_several_values_in_a_cell_the_highest_is_shown() -> None:
    points = [Point(1200.0, 1.0), Point(1200.5, 9.0), Point(1201.0, None), Point(1201.5, 3.0)]
    assert cells(points, 30)[-1] == 9.0


def test_blocks_fill_up_to_the_top() -> None:
    assert blocks([0.0, 12.5, 50.0, 99.9, 100.0, 250.0, "?", " "], 100.0) == ["▁▁▄███? "]
    assert blocks([0.0, 5.0], 0.0) == ["▁▁"]


def test_blocks_over_several_lines() -> None:
    assert blocks([0.0, 50.0, 75.0, 100.0, "?"], 100.0, rows=4) == [
        "   █ ",
        "  ██ ",
        " ███ ",
        "▁███?",
    ]
