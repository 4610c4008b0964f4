from __future__ import annotations

import pytest

from qtui.core.monitor.history import Point
from qtui.core.monitor.series import Series
from qtui.ui.widgets.history_lines import TALLEST, history_lines

HALF = tuple(Point(1000.0 + second, 50.0) for second in range(60))


def series(count: int) -> list[Series]:
    return [Series(f"s{number}", HALF, 100.0, f"now {number}") for number in range(count)]


def plain(count: int, width: int, height: int) -> list[str]:
    return [line.plain for line in history_lines(series(count), width, height)]


@pytest.mark.parametrize(("width", "room"), [(40, 16), (80, 30), (120, 60), (300, 60)])
def test_a_line_has_name_history_and_words(width: int, room: int) -> None:
    (line,) = plain(1, width, 1)
    assert line.startswith("s0    ") and line.endswith("  now 0")
    assert line[6 : 6 + room].strip().strip("▄") == ""
    assert len(line) == 6 + room + 2 + len("now 0")


@pytest.mark.parametrize(("height", "rows"), [(3, 1), (5, 1), (6, 2), (9, 3), (12, 4), (100, TALLEST)])
def test_lines_share_the_height(height: int, rows: int) -> None:
    lines = plain(3, 80, height)
    assert len(lines) == 3 * rows
    assert [number for number, line in enumerate(lines) if line.startswith("s")] == [
        rows - 1, 2 * rows - 1, 3 * rows - 1
    ]  # fmt: skip


def test_tall_lines_do_not_touch() -> None:
    full = [Series("s", tuple(Point(1000.0, 100.0) for _ in range(3)), 100.0, "")] * 2
    lines = [line.plain for line in history_lines(full, 80, 8)]
    assert [("█" in line) for line in lines] == [False, True, True, True] * 2


def test_what_has_no_room_is_told() -> None:
    lines = plain(10, 80, 4)
    assert len(lines) == 4
    assert lines[-1] == "… and 7 more lines: this terminal is too low"
    assert plain(10, 80, 0) == plain(0, 80, 5) == []
