"""Statistics of paired comparisons: exact where counts are small, which they are.

All of it works on counts, so it needs no library. Sources: the sign test and McNemar's exact test are the two-sided
binomial test with p = 1/2 (Siegel 1956; McNemar 1947); the interval of a proportion is Wilson's (1927); the interval of
a difference of paired proportions is method 10 of Newcombe, Statistics in Medicine 17 (1998), 2635-2650; several
tests at once are Holm's (Scandinavian Journal of Statistics 6, 1979) with Tarone's correction (Biometrics 46, 1990).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.05
"""A difference that chance alone brings less often than this is shown as one."""
SUM_LEVEL = 0.04
"""Of the test over several groups together; what is left of `LEVEL` is for the groups."""
Z = 1.959963984540054
"""The standard normal's 97.5 % point."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float

    def as_json(self) -> list[float]:
        """Return `[low, high]`."""
        return [self.low, self.high]


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p of so many wins and losses where each is as likely; 1.0 for none.

    Exact: twice the tail of Binomial(n, 1/2), at most 1.
    """
    total = wins + losses
    tail = sum(math.comb(total, k) for k in range(min(wins, losses) + 1))
    return min(1.0, tail / (1 << (total - 1))) if total else 1.0


def mcnemar(only_first: int, only_second: int) -> float:
    """Return McNemar's exact two-sided p: tasks that only one of two solved are as likely to be either's."""
    return sign_test(only_first, only_second)


def levels(counts: Sequence[tuple[int, int]], level: float = LEVEL) -> tuple[float, ...]:
    """Return the p below which each of several sign tests shows a difference; the chance of any wrong one is `level`.

    Holm's steps: what is shown makes room for the rest. A test whose counts are so few that not even a clean sweep
    could show anything cannot be wrong, and takes nothing from the others (Tarone). Each has the level of the step in
    which it was shown, those that are not shown that of the last one. `counts` are wins and losses of each.
    """
    ps = [sign_test(*pair) for pair in counts]
    found: dict[int, float] = {}
    while True:
        left = [place for place in range(len(counts)) if place not in found]
        step = _tarone([sum(counts[place]) for place in left], level)
        shown = [place for place in left if ps[place] < step]
        if not shown:
            return tuple(found.get(place, step) for place in range(len(counts)))
        found.update(dict.fromkeys(shown, step))


def levels_with_sum(counts: Sequence[tuple[int, int]]) -> tuple[tuple[float, ...], float]:
    """Return the levels of several sign tests, and that of the one over their sum; all together are wrong at `LEVEL`.

    The sum is what is asked for, and has most of it: `SUM_LEVEL`. The parts share the rest, or all of it once the sum
    shows a difference (Bretz and others, Statistics in Medicine 28, 2009). Where all counts are in one part, that and
    the sum are one test.
    """
    if sum(pair != (0, 0) for pair in counts) <= 1:
        return (LEVEL,) * len(counts), LEVEL
    shown = sign_test(sum(wins for wins, _ in counts), sum(losses for _, losses in counts)) < SUM_LEVEL
    return levels(counts, LEVEL if shown else LEVEL - SUM_LEVEL), SUM_LEVEL


def _tarone(totals: Sequence[int], level: float) -> float:
    """Return level / k, with the smallest k for which no more than k tests could come below that."""
    for k in range(1, len(totals) + 1):
        if sum(sign_test(total, 0) < level / k for total in totals) <= k:
            return level / k
    return level


def wins_missing(wins: int, losses: int) -> int:
    """Return the fewest further wins, with no loss between, after which the sign test shows a difference."""
    return next(more for more in itertools.count() if sign_test(wins + more, losses) < LEVEL)


def wilson(successes: int, total: int) -> Interval:
    """Return Wilson's score interval of a proportion, from 0 to 1; all of it for a total of 0."""
    if total == 0:
        return Interval(0.0, 1.0)
    share, square = successes / total, Z * Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True, slots=True)
class Pairs:
    """How two sides did on the same tasks."""

    both: int = 0
    only_first: int = 0
    only_second: int = 0
    neither: int = 0

    @property
    def total(self) -> int:
        """Return the number of tasks."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def first(self) -> int:
        """Return how many the first solved."""
        return self.both + self.only_first

    @property
    def second(self) -> int:
        """Return how many the second solved."""
        return self.both + self.only_second

    @property
    def p(self) -> float:
        """Return McNemar's exact p."""
        return mcnemar(self.only_first, self.only_second)

    @property
    def shown(self) -> bool:
        """Tell whether a difference is shown."""
        return self.p < LEVEL

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            self.both + other.both, self.only_first + other.only_first, self.only_second + other.only_second,
            self.neither + other.neither,
        )  # fmt: skip


def paired_interval(pairs: Pairs) -> Interval:
    """Return the interval of (share of the first) - (share of the second), from -1 to 1; all of it without tasks.

    Newcombe's method 10: Wilson's limits of both shares, combined with their correlation phi, whose numerator is
    reduced by n/2 (at least to 0) when positive.
    """
    total = pairs.total
    if total == 0:
        return Interval(-1.0, 1.0)
    first, second = pairs.first / total, pairs.second / total
    one, two = wilson(pairs.first, total), wilson(pairs.second, total)
    phi = _phi(pairs)
    below = (first - one.low, two.high - second)
    above = (one.high - first, second - two.low)
    apart = first - second
    return Interval(max(-1.0, apart - _hypotenuse(*below, phi)), min(1.0, apart + _hypotenuse(*above, phi)))


def _phi(pairs: Pairs) -> float:
    """Return the correlation of the two sides, corrected for continuity."""
    first, second, total = pairs.first, pairs.second, pairs.total
    margins = first * (total - first) * second * (total - second)
    if margins == 0:
        return 0.0
    product = float(pairs.both * pairs.neither - pairs.only_first * pairs.only_second)
    if product > 0:
        product = max(product - total / 2, 0.0)
    return product / math.sqrt(margins)


def _hypotenuse(one: float, two: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * two + two * two))
