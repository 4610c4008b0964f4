"""What a chunk of text says of a model, and what many say together, as llama-perplexity computes it.

Sources: llama.cpp tools/perplexity/perplexity.cpp, `perplexity` and `kl_divergence`: sums over the scored tokens, then
mean and standard error (n - 1), covariance of the two log-likelihoods, percentiles interpolated on n - 1. The errors
take tokens to be independent, which they are not quite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_TOKENS = 100
"""llama-perplexity gives no statistics of fewer scored tokens."""


@dataclass(frozen=True, slots=True)
class ChunkScores:
    """Sums over the scored tokens of one chunk; natural logarithms. Without a reference only the first four count."""

    count: int
    """Tokens scored."""
    nll: float
    """Sum of -ln p(token)."""
    nll2: float
    """Sum of its squares; so are the others that end in 2."""
    seconds: float = 0.0
    """What computing the chunk took."""
    nll_base: float = 0.0
    """Of the reference."""
    nll_base2: float = 0.0
    nll_nll_base: float = 0.0
    kld: float = 0.0
    kld2: float = 0.0
    p_diff2: float = 0.0
    """Sum of (p(token) - p_reference(token))^2."""
    p_diff4: float = 0.0
    same_top: int = 0
    """Tokens where both find the same token likeliest."""
    klds: tuple[float, ...] = ()
    """The divergence of each token; empty: there was no reference."""
    peak: int | None = None
    """Bytes resident at most by the end of the chunk."""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A number and its standard error."""

    value: float
    stderr: float

    def as_json(self) -> dict[str, float]:
        """Return `{"value", "stderr"}`."""
        return {"value": self.value, "stderr": self.stderr}


@dataclass(frozen=True, slots=True)
class Divergence:
    """KL divergence from the reference, over tokens, in nats."""

    mean: float
    stderr: float
    median: float
    p99: float
    """99 of 100 tokens have less."""
    p999: float
    max: float

    def as_json(self) -> dict[str, float]:
        """Return `{"mean", "stderr", "median", "p99", "p999", "max"}`."""
        return {
            "mean": self.mean, "stderr": self.stderr, "median": self.median, "p99": self.p99, "p999": self.p999,
            "max": self.max,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured of one variant."""

    tokens: int
    """Tokens scored: the second half of each chunk."""
    perplexity: Uncertain
    reference_perplexity: Uncertain | None = None
    """On the same tokens, from the reference's stored logits; None and so are those below: there was no reference."""
    log_ratio: Uncertain | None = None
    """ln(perplexity / reference's), paired: what both find hard counts in neither's favour."""
    kl_divergence: Divergence | None = None
    same_top: Uncertain | None = None
    """Share of tokens, from 0 to 1, with the binomial error."""
    rms_p: Uncertain | None = None
    """Root mean square of the change of the right token's probability, from 0 to 1."""

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under the names of `qtui measure --json`."""
        named: dict[str, Uncertain | Divergence | None] = {
            "perplexity": self.perplexity, "reference_perplexity": self.reference_perplexity,
            "log_ratio": self.log_ratio, "kl_divergence": self.kl_divergence, "same_top_token": self.same_top,
            "rms_probability_change": self.rms_p,
        }  # fmt: skip
        return {"tokens": self.tokens, **{key: it.as_json() if it else None for key, it in named.items()}}


def scores_of(chunks: Sequence[ChunkScores]) -> Scores | None:
    """Return what chunks say together; None of none."""
    count = sum(chunk.count for chunk in chunks)
    if not count:
        return None

    def total(name: str) -> float:
        return math.fsum(getattr(chunk, name) for chunk in chunks)

    nll, nll2 = total("nll"), total("nll2")
    log_ppl = _mean(nll, nll2, count)
    perplexity = _exp(log_ppl)
    values = sorted(value for chunk in chunks for value in chunk.klds)
    if not values:
        return Scores(count, perplexity)
    base, base2 = total("nll_base"), total("nll_base2")
    log_base = _mean(base, base2, count)
    covariance = _covariance(nll, base, total("nll_nll_base"), count)
    variance = log_ppl.stderr**2 + log_base.stderr**2 - 2 * covariance
    ratio = Uncertain(log_ppl.value - log_base.value, math.sqrt(max(0.0, variance)))
    kld = _mean(total("kld"), total("kld2"), count)
    square = _mean(total("p_diff2"), total("p_diff4"), count)
    rms = math.sqrt(square.value)
    same = sum(chunk.same_top for chunk in chunks) / count
    return Scores(
        count, perplexity, _exp(log_base), ratio,
        Divergence(
            kld.value, kld.stderr, _median(values), percentile(values, 0.99), percentile(values, 0.999), values[-1]
        ),
        Uncertain(same, math.sqrt(same * (1 - same) / (count - 1)) if count > 1 else 0.0),
        Uncertain(rms, 0.5 / rms * square.stderr if rms else 0.0),
    )  # fmt: skip


def rate_of(chunks: Iterable[ChunkScores], n_ctx: int) -> float | None:
    """Return tokens per second at which the text was computed; None without a time."""
    kept = list(chunks)
    seconds = sum(chunk.seconds for chunk in kept)
    return len(kept) * n_ctx / seconds if seconds > 0 else None


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Return a percentile of values in order, interpolated on n - 1."""
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return (1 - (place - below)) * ordered[below] + (place - below) * ordered[above]


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle] + ordered[middle - 1])


def _mean(total: float, squares: float, count: int) -> Uncertain:
    mean = total / count
    variance = squares / count - mean * mean
    return Uncertain(mean, math.sqrt(variance / (count - 1)) if variance > 0 and count > 10 else 0.0)


def _covariance(first: float, second: float, products: float, count: int) -> float:
    return (products / count - first / count * (second / count)) / (count - 1) if count >= 10 else 0.0


def _exp(log: Uncertain) -> Uncertain:
    value = math.exp(min(log.value, 700.0))
    return Uncertain(value, value * log.stderr)
