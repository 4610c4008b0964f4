"""Make tests/data/statistics.tsv: what SciPy says of the same counts.

SciPy is no dependency, not even of the tests: it would be the largest of them, for four functions. Run this where it
is installed: `python -m tests.benchmarks.statistics_table > tests/data/statistics.tsv`.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator
from typing import Any


def rows() -> Iterator[str]:
    """Yield the table, a line a call, with as many digits as a double has."""
    import scipy
    from scipy.stats import binomtest
    from scipy.stats.contingency import association

    yield f"# scipy {scipy.__version__}: function, counts, values"
    for a, b in itertools.product((0, 1, 2, 3, 5, 7, 9, 15, 40, 200), repeat=2):
        if a + b:
            yield f"sign\t{a} {b}\t{float(binomtest(a, a + b, 0.5).pvalue)!r}"
            limits = binomtest(a, a + b).proportion_ci(0.95, method="wilson")
            yield f"wilson\t{a} {b}\t{float(limits.low)!r} {float(limits.high)!r}"
    for counts in itertools.product((0, 1, 4, 9), (0, 2, 7), (0, 1, 6), (0, 3, 8)):
        yield f"paired\t{' '.join(map(str, counts))}\t{' '.join(map(repr, paired(counts, binomtest, association)))}"


def paired(counts: tuple[int, ...], binomtest: Any, association: Any) -> tuple[float, float]:
    """Return the limits of Newcombe's method 10, put together from SciPy's Wilson limits and its phi."""
    both, one, two, neither = counts
    total = sum(counts)
    if not total:
        return (-1.0, 1.0)
    first, second = binomtest(both + one, total), binomtest(both + two, total)
    a, b = (test.proportion_ci(0.95, method="wilson") for test in (first, second))
    p, q = (both + one) / total, (both + two) / total
    product = both * neither - one * two
    if min(both + one, two + neither, both + two, one + neither) == 0:
        phi = 0.0
    else:  # without correction phi is Cramér's V with the sign of the product
        plain = association([[both, one], [two, neither]], method="cramer") * math.copysign(1, product)
        phi = plain if product <= 0 else plain * max(product - total / 2, 0) / product
    low = math.sqrt((p - a.low) ** 2 - 2 * phi * (p - a.low) * (b.high - q) + (b.high - q) ** 2)
    high = math.sqrt((a.high - p) ** 2 - 2 * phi * (a.high - p) * (q - b.low) + (q - b.low) ** 2)
    return (float(max(-1.0, p - q - low)), float(min(1.0, p - q + high)))


if __name__ == "__main__":
    sys.stdout.writelines(f"{row}\n" for row in rows())
