from __future__ import annotations

import pytest

from qtui.core.monitor.history import Point
from qtui.core.monitor.series import Series
from qtui.ui.present.monitor_heights import TALLEST
from qtui.ui.widgets.history_lines import CURSOR, history_lines, window

HALF = tuple(Point(1000.0 + second, 50.0) for second in range(60))


def series(count: int) -> list[Series]:
    return [Series(f"s{number}", HALF, 100.0, f"now {number}") for number in range(count)]


def plain(count: int, width: int, height: int) -> list[str]:
    return [line.plain for line in history_lines(series(count), width, height)]


@pytest.mark.parametrize(("width", "room"), [(40, 16), (80, 29), (120, 60), (300, 60)])
def test_a_line_has_name_history_and_words(width: int, room: int) -> None:
    (line,) = plain(1, width, 1)
    assert line.startswith(" s0    ") and line.endswith("  now 0")
    assert line[7 : 7 + room].strip().strip("▄") == ""
    assert len(line) == 7 + room + 2 + len("now 0")


@pytest.mark.parametrize(("height", "rows"), [(3, 1), (5, 1), (6, 2), (9, 3), (12, 4), (100, TALLEST)])
def test_lines_share_the_height(height: int, rows: int) -> None:
    lines = plain(3, 80, height)
    assert len(lines) == 3 * rows
    assert [number for number, line in enumerate(lines) if line.startswith(" s")] == [
        rows - 1, 2 * rows - 1, 3 * rows - 1
    ]  # fmt: skip


def test_tall_lines_do_not_touch() -> None:
    full = [Series("s", tuple(Point(1000.0, 100.0) for _ in range(3)), 100.0, "")] * 2
    lines = [line.plain for line in history_lines(full, 80, 8)]
    assert [("█" in line) for line in lines] == [False, True, True, True] * 2


def test_what_has_no_room_is_told() -> None:
    lines = plain(10, 80, 4)
    assert len(lines) == 4
    assert lines[-1] == " … and 7 more lines: this terminal is too low"
    assert plain(10, 80, 0) == plain(0, 80, 5) == []


def test_the_cursor_is_marked_in_the_row_of_the_name_and_nowhere_else() -> None:
    lines = [line.plain for line in history_lines(series(3), 80, 6, at=1, marked=True)]
    assert [number for number, line in enumerate(lines) if CURSOR in line] == [3]
    assert lines[3].startswith(f"{CURSOR}s1 ")
    assert not any(CURSOR in line.plain for line in history_lines(series(3), 80, 6, at=1))


@pytest.mark.parametrize("height", [1, 2, 4, 9, 10, 40])
@pytest.mark.parametrize("at", [0, 4, 9])
def test_the_cursor_is_always_on_screen(height: int, at: int) -> None:
    shown = window(10, height, at)
    assert at in shown and shown.start >= 0 and shown.stop <= 10
    lines = [line.plain for line in history_lines(series(10), 80, height, at=at, marked=True)]
    assert len(lines) <= height
    assert sum(CURSOR in line for line in lines) == 1


def test_a_longer_span_takes_more_of_the_past_into_the_line() -> None:
    points = tuple(Point(1000.0 + second, 100.0) for second in range(60))
    (short,) = history_lines([Series("s", points, 100.0, "")], 80, 1)
    (long,) = history_lines([Series("s", points, 100.0, "")], 80, 1, span_s=300.0)
    assert short.plain.count("█") > 4 * long.plain.count("█") > 0
