"""Statistics against SciPy's values (tests/data/statistics.tsv), a published example, and what they claim."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from qtui.core.duel.statistics import (
    LEVEL,
    Interval,
    Pairs,
    levels,
    levels_with_sum,
    mcnemar,
    paired_interval,
    sign_test,
    wilson,
    wins_missing,
)

TABLE = Path(__file__).parent.parent.parent / "data" / "statistics.tsv"
ROWS = [
    (name, tuple(map(int, counts.split())), tuple(map(float, values.split())))
    for name, counts, values in (
        line.split("\t") for line in TABLE.read_text().splitlines() if not line.startswith("#")
    )
]


def ours(name: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    if name == "sign":
        return (sign_test(*counts),)
    interval = wilson(counts[0], sum(counts)) if name == "wilson" else paired_interval(Pairs(*counts))
    return (interval.low, interval.high)


@pytest.mark.parametrize("name", ["sign", "wilson", "paired"])
def test_they_are_scipys(name: str) -> None:
    rows = [(counts, values) for row, counts, values in ROWS if row == name]
    assert len(rows) > 90
    for counts, values in rows:
        assert ours(name, counts) == pytest.approx(values, rel=1e-11, abs=1e-12), counts


def test_mcnemar_is_the_sign_test_of_what_only_one_solved() -> None:
    assert mcnemar(2, 12) == sign_test(2, 12)
    assert Pairs(30, 12, 2, 6).p == mcnemar(12, 2)


def test_newcombes_published_example() -> None:
    """Statistics in Medicine 17 (1998), method 10 on the counts 36, 12, 2, 0: 0.0569 to 0.3404."""
    found = paired_interval(Pairs(36, 12, 2, 0))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0569, 0.3404)


def test_the_votes_that_are_needed() -> None:
    """The rows that papers on blind tests print."""
    known = {6: 6, 8: 8, 10: 9, 12: 10, 15: 12, 20: 15, 25: 18, 30: 21, 40: 27, 50: 33, 100: 61}
    for total, wins in known.items():
        assert sign_test(wins, total - wins) < 0.05 <= sign_test(wins - 1, total - wins + 1)
    assert sign_test(5, 0) >= 0.05


def test_the_votes_that_are_missing() -> None:
    assert [wins_missing(*votes) for votes in ((0, 0), (5, 0), (6, 0), (7, 2), (3, 3))] == [6, 1, 0, 3, 9]


def test_nothing_asked_tells_nothing() -> None:
    assert sign_test(0, 0) == 1.0
    assert wilson(0, 0) == Interval(0.0, 1.0)
    assert paired_interval(Pairs()) == Interval(-1.0, 1.0)


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.5), (0.9, 0.9), (0.8, 0.5)])
def test_the_paired_interval_covers_as_often_as_it_says(p: float, q: float) -> None:
    """The exact coverage for 12 tasks, over all outcomes, where the sides are independent."""
    tasks, covered = 12, 0.0
    cells = (p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q))
    for both, one, two in itertools.product(range(tasks + 1), repeat=3):
        neither = tasks - both - one - two
        if neither < 0:
            continue
        counts = (both, one, two, neither)
        chance = math.factorial(tasks) / math.prod(map(math.factorial, counts))
        chance *= math.prod(cell**count for cell, count in zip(cells, counts, strict=True))
        interval = paired_interval(Pairs(*counts))
        covered += chance * (interval.low <= p - q <= interval.high)
    assert covered > 0.93


def test_the_test_is_wrong_no_more_often_than_it_says() -> None:
    for total in range(1, 60):
        wrong = sum(math.comb(total, k) for k in range(total + 1) if sign_test(k, total - k) < LEVEL) / 2**total
        assert wrong < LEVEL


def wrong_at_once(totals: tuple[int, ...], really: int = 0) -> float:
    """Return the exact chance that any of several tests and the one of all their counts is wrong.

    The first `really` of them differ for certain; the others do not.
    """
    wrong = 0.0
    for wins in itertools.product(*(range(total + 1) for total in totals[really:])):
        counts = [(total, 0) for total in totals[:really]]
        counts += [(won, total - won) for won, total in zip(wins, totals[really:], strict=True)]
        limits, whole = levels_with_sum(counts)
        shown = [sign_test(*pair) < limit for pair, limit in zip(counts, limits, strict=True)]
        together = sign_test(sum(one for one, _ in counts), sum(other for _, other in counts)) < whole
        if any(shown[really:]) or (not really and together):
            ways = (math.comb(total, won) for won, total in zip(wins, totals[really:], strict=True))
            wrong += math.prod(ways) / 2 ** sum(totals[really:])
    return wrong


@pytest.mark.parametrize(
    "totals", [(10,), (10, 10), (6, 7, 8), (1, 2, 20), (9, 9, 9), (3, 3, 3, 3, 3), (8, 5, 0, 12), (20, 20), (0, 0)]
)
def test_several_tests_at_once_are_wrong_no_more_often_than_one(totals: tuple[int, ...]) -> None:
    assert wrong_at_once(totals) < LEVEL
    for really in range(1, len(totals)):
        assert wrong_at_once(totals, really) < LEVEL


def test_the_steps_of_several_tests() -> None:
    assert levels([]) == ()
    assert levels([(9, 3)]) == (LEVEL,)
    assert levels([(20, 20), (15, 15)]) == (LEVEL / 2,) * 2
    assert levels([(20, 0), (15, 15)]) == (LEVEL / 2, LEVEL)  # what is shown makes room
    assert levels([(2, 1), (3, 0), (15, 15)]) == (LEVEL,) * 3  # three and three can show nothing: they do not count
