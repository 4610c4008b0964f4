"""Statistics of chunks against the textbook's formulas, and the limits of the bands."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from qtui.core.measure.bands import LIMITS, Band, band_of, limits_text
from qtui.core.measure.scores import ChunkScores, percentile, rate_of, scores_of
from tests.core.measure.samples import chunk_of


def drawn(seed: int, count: int) -> tuple[list[float], list[float], list[float]]:
    chance = random.Random(seed)
    bases = [chance.gammavariate(2, 1.2) for _ in range(count)]
    return [base + chance.gauss(0.02, 0.1) for base in bases], bases, [chance.expovariate(30) for _ in range(count)]


def test_means_errors_and_percentiles_are_those_of_the_tokens() -> None:
    parts = [drawn(1, 255), drawn(2, 255)]
    told = scores_of([chunk_of(*part, same=240) for part in parts])
    nlls, bases, klds = ([x for part in parts for x in part[i]] for i in range(3))
    assert told is not None and told.kl_divergence and told.log_ratio and told.same_top and told.rms_p
    assert told.tokens == 510
    error = statistics.pstdev(nlls) / math.sqrt(509)
    assert told.perplexity.value == pytest.approx(math.exp(statistics.fmean(nlls)))
    assert told.perplexity.stderr == pytest.approx(told.perplexity.value * error)
    assert told.reference_perplexity and told.reference_perplexity.value == pytest.approx(
        math.exp(statistics.fmean(bases))
    )
    # Paired: the error of the mean of the differences, far below that of either mean.
    apart = [a - b for a, b in zip(nlls, bases, strict=True)]
    assert told.log_ratio.value == pytest.approx(statistics.fmean(apart))
    assert told.log_ratio.stderr == pytest.approx(statistics.pstdev(apart) / math.sqrt(509))
    assert told.log_ratio.stderr < error / 5
    divergence = told.kl_divergence
    assert divergence.mean == pytest.approx(statistics.fmean(klds))
    assert divergence.stderr == pytest.approx(statistics.pstdev(klds) / math.sqrt(509))
    assert divergence.median == pytest.approx(statistics.median(klds))
    assert divergence.p99 == pytest.approx(statistics.quantiles(klds, n=100, method="inclusive")[98])
    assert divergence.max == max(klds)
    share = 480 / 510
    assert (told.same_top.value, told.same_top.stderr) == pytest.approx((share, math.sqrt(share * (1 - share) / 509)))
    assert told.rms_p.value == pytest.approx(0.1)


def test_without_a_reference_there_is_a_perplexity_only() -> None:
    told = scores_of([ChunkScores(255, 255 * 2.0, 255 * 4.5)])
    assert told is not None and told.perplexity.value == pytest.approx(math.exp(2.0))
    assert told.kl_divergence is None and told.log_ratio is None and told.as_json()["kl_divergence"] is None
    assert scores_of([]) is None


def test_rates_and_percentiles_of_little() -> None:
    assert rate_of([ChunkScores(255, 1, 1, 0.25), ChunkScores(255, 1, 1, 0.75)], 512) == pytest.approx(1024)
    assert rate_of([], 512) is None
    assert percentile([3.0], 0.99) == 3.0
    one = scores_of([chunk_of([700.5], [1.0], [2.0], same=1)])
    assert one is not None and math.isfinite(one.perplexity.value)


@pytest.mark.parametrize(("kld", "band"), [(0.0, Band.NONE), (0.0149, Band.NONE), (0.015, Band.GOOD),
                                           (0.05, Band.VISIBLE), (0.2, Band.STRONG), (0.35, Band.LAST)])  # fmt: skip
def test_bands_begin_at_their_limits(kld: float, band: Band) -> None:
    assert band_of(kld) is band


def test_the_limits_are_said() -> None:
    text = limits_text()
    assert all(f"{limit:g} {band.value}" in text for limit, band in LIMITS)
    assert Band.LAST.value in text
