"""RateMeter: how fast bytes come, and how long the rest will take."""

from __future__ import annotations

from collections import deque

from qtui.core.text import duration

RATE_S = 5.0
"""The rate shown is that of the last seconds, so that a change shows soon."""
TIME_LEFT_S = 20.0
"""The time left is told from a longer span, so that it does not jump."""
LEAST_S = 1.0
"""Nothing is said of less than this."""


def left_text(seconds: float | None) -> str:
    """Return a time left as nobody takes it for exact: `a few s`, `40 s`, `3 min 20 s`; empty when unknown."""
    if seconds is None:
        return ""
    return "a few s" if seconds < 10 else duration(round(seconds))


class RateMeter:
    """Takes byte counts with their times; all times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> None:
        """Take how many bytes are here now; fewer than before start anew."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and self._samples[1][0] <= now - TIME_LEFT_S:
            self._samples.popleft()

    def reset(self) -> None:
        """Forget what came: what follows comes from elsewhere (the disk, another connection)."""
        self._samples.clear()

    def rate(self) -> float | None:
        """Return bytes per second of late; None before that can be told."""
        return self._over(RATE_S)

    def time_left(self, remaining: int) -> float | None:
        """Return the seconds that so many bytes will take; None when nothing comes or it cannot be told."""
        rate = self._over(TIME_LEFT_S)
        return remaining / rate if rate else None

    def _over(self, span: float) -> float | None:
        if not self._samples:
            return None
        now, done = self._samples[-1]
        then, before = next(sample for sample in self._samples if sample[0] >= now - span)
        return (done - before) / (now - then) if now - then >= LEAST_S else None
