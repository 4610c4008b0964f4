"""Repeated measurements: their middle, their spread, and those that stand out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtui.core.duel.statistics import LEVEL, Interval

FEWEST_FOR_OUTLIERS = 5
OUTLYING = 3.5
"""Modified z-scores beyond it stand out (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993)."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Measurements of one thing, in the order they were taken. None of them is left out of any figure."""

    samples: tuple[float, ...] = ()

    @property
    def median(self) -> float | None:
        """Return the middle, None without samples."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def mean(self) -> float | None:
        """Return the mean, None without samples."""
        return statistics.fmean(self.samples) if self.samples else None

    @property
    def stdev(self) -> float | None:
        """Return the sample standard deviation (n - 1), None below two samples."""
        return statistics.stdev(self.samples) if len(self.samples) > 1 else None

    @property
    def outliers(self) -> tuple[int, ...]:
        """Return which samples stand out, counted from 0; none are looked for among fewer than five.

        The modified z-score is (x - median) / (1.4826 median absolute deviation), or where that is 0,
        / (1.2533 mean absolute deviation).
        """
        if len(self.samples) < FEWEST_FOR_OUTLIERS:
            return ()
        middle = statistics.median(self.samples)
        apart = [abs(sample - middle) for sample in self.samples]
        scale = 1.4826 * statistics.median(apart) or 1.2533 * statistics.fmean(apart)
        return tuple(place for place, distance in enumerate(apart) if scale and distance / scale > OUTLYING)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "median": self.median, "mean": self.mean, "stdev": self.stdev, "samples": list(self.samples),
            "outliers": list(self.outliers),
        }  # fmt: skip


def median_interval(values: Sequence[float]) -> Interval | None:
    """Return a 95 % interval of the median, None below six values.

    Distribution-free, from order statistics: the k-th smallest to the k-th largest, with the largest k for which the
    sign test still refuses what lies outside (Conover, Practical Nonparametric Statistics, 3.2).
    """
    total, ordered = len(values), sorted(values)
    tail, cut = 0.0, 0
    while cut < total // 2:
        tail += math.comb(total, cut) / 2**total
        if 2 * tail >= LEVEL:
            break
        cut += 1
    return Interval(ordered[cut - 1], ordered[total - cut]) if cut else None
