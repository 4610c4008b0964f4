"""History: the moments of the last minutes, oldest first, and their values put into the cells of a line."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the app paints before there are samples
    from qtui.core.hardware import MemorySample
    from qtui.core.sessions import SessionSeen

SPAN_S = 60.0
"""What a line shows, unless more is asked for."""
KEPT_S = 900.0
"""What is kept: alarms look back further than lines do."""
MOST = 4096
"""Moments that are kept at most, however fast they come."""
PATIENCE_S = 3.0
"""So long the last value stands for a moment that is missing."""
BLOCKS = "▁▂▃▄▅▆▇█"
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine and the sessions on it at one time."""

    sample: MemorySample
    sessions: tuple[SessionSeen, ...] = ()

    @property
    def time(self) -> float:
        """Return when that was, in seconds since the epoch."""
        return self.sample.time


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a series; None is unknown."""

    time: float
    value: float | None


@dataclass(frozen=True, slots=True)
class History:
    """The moments of the last `span_s` seconds, oldest first: a ring buffer as a value."""

    moments: tuple[Moment, ...] = ()
    span_s: float = KEPT_S

    @property
    def latest(self) -> Moment | None:
        """Return the newest moment, None before the first."""
        return self.moments[-1] if self.moments else None

    def last(self, seconds: float = SPAN_S) -> History:
        """Return the history of the last seconds only."""
        newest = self.latest
        if newest is None:
            return self
        return replace(self, moments=self.moments[self._index(newest.time - seconds) :])

    def add(self, moment: Moment) -> History:
        """Return the history with one more moment, without those that are too old now.

        Where the clock was set back, what seems to come from the future goes.
        """
        first = max(self._index(moment.time - self.span_s), len(self.moments) - MOST + 1)
        return replace(self, moments=(*self.moments[first : self._index(moment.time)], moment))

    def since(self, time: float) -> Moment | None:
        """Return the first moment at or after a time; None when there is none."""
        index = bisect_left(self.moments, time, key=_time)
        return self.moments[index] if index < len(self.moments) else None

    def _index(self, time: float) -> int:
        """Return how many moments are not later than a time; they stand in order, since `add` sees to that."""
        return bisect_right(self.moments, time, key=_time)


def _time(moment: Moment) -> float:
    return moment.sample.time


def cells(points: Sequence[Point], width: int, span_s: float = SPAN_S) -> list[float | str]:
    """Return what each of `width` cells shows: a value, `?` for unknown, a space where there is nothing yet.

    A cell stands for a fixed piece of time, so that values walk to the left and do not change on their way; of several
    values in one cell the highest is shown. The newest is in the last cell.
    """
    if not points or width < 1:
        return [" "] * max(0, width)
    piece = span_s / width
    last = floor(points[-1].time / piece)
    found: dict[int, list[float | None]] = {}
    for point in points:
        index = floor(point.time / piece) - last + width - 1
        if 0 <= index < width:
            found.setdefault(index, []).append(point.value)
    result: list[float | str] = []
    missing = 0
    for index in range(width):
        values = found.get(index)
        missing = 0 if values else missing + 1
        if values:
            known = [value for value in values if value is not None]
            result.append(max(known) if known else UNKNOWN)
        else:
            result.append(result[-1] if result and missing * piece <= PATIENCE_S else " ")
    return result


def blocks(values: Sequence[float | str], top: float, rows: int = 1) -> list[str]:
    """Draw cells as `rows` lines of block elements, the highest line first; `top` fills a column.

    A known value is at least the lowest block, zero too: nothing drawn means nothing known. `?` and spaces stand in
    the lowest line as they are.
    """
    lines = [[" "] * len(values) for _ in range(rows)]
    for column, value in enumerate(values):
        if isinstance(value, str):
            lines[-1][column] = value
            continue
        share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
        eighths = max(1, round(share * rows * 8))
        for row in range(rows):
            filled = min(8, eighths - row * 8)
            if filled > 0:
                lines[rows - 1 - row][column] = BLOCKS[filled - 1]
    return ["".join(line) for line in lines]
