"""What is measured, in words and figures that the terminal and the app share."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.duel.difference import quoted
from qtui.core.measure.events import ExchangeMeasured, MeasureEnded, PassAdvanced
from qtui.core.measure.records import MeasureRecord
from qtui.core.text import duration, rate

CLIPPED = 0.01
"""Relative difference of perplexities that is worth a warning."""


@dataclass(frozen=True, slots=True)
class MeasuredNumbers:
    """A row of a table of measurements, as text."""

    perplexity: str
    perplexity_error: str
    kld: str
    kld_error: str
    same_top: str
    rate: str
    verdict: str
    """How far that is, or what the row is."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Return all but the verdict."""
        return (self.perplexity, self.perplexity_error, self.kld, self.kld_error, self.same_top, self.rate)


def measured_numbers(record: MeasureRecord) -> MeasuredNumbers:
    """Return the numbers of a record; one without divergence is the reference itself."""
    scores = record.scores
    divergence, same, band = scores.kl_divergence, scores.same_top, record.band
    verdict = "the reference" if band is None else band.value
    return MeasuredNumbers(
        figure(scores.perplexity.value),
        figure(scores.perplexity.stderr),
        kld_text(divergence.mean) if divergence else "–",
        kld_text(divergence.stderr) if divergence else "–",
        f"{100 * same.value:.1f}" if same else "–",
        rate(record.rate),
        verdict if record.complete else f"{verdict}; stopped at chunk {record.chunks}",
    )


def progress_words(event: PassAdvanced) -> str:
    """Return how far a pass is, what it says so far, and how long all will take."""
    scores = event.scores
    told = f"PPL {figure(scores.perplexity.value)} ± {figure(scores.perplexity.stderr)}"
    if scores.kl_divergence is not None:
        told += f", KLD {kld_text(scores.kl_divergence.mean)} ± {kld_text(scores.kl_divergence.stderr)}"
    return f"chunk {event.done} of {event.chunks}, {told}, {duration(event.left)} left"


def exchange_words(event: ExchangeMeasured) -> tuple[str, ...]:
    """Return how far two sides are apart on one answer, the number first, then how to take it."""
    scores, one, other = event.scores, event.other, event.reference
    divergence, same = scores.kl_divergence, scores.same_top
    assert divergence is not None and same is not None
    tokens = f"{scores.tokens} token{'s' if scores.tokens > 1 else ''}"
    error = f" ± {kld_text(divergence.stderr)}" if divergence.stderr else ""
    text = f" ({quoted(event.widest_text)})" if event.widest_text else ""
    mean = f"{kld_text(divergence.mean)}{error}"
    return (
        f"KL divergence of {one} from {other}: {mean} over the {tokens} of {other}’s answer",
        f"same top token at {round(same.value * scores.tokens)} of {scores.tokens}, "
        f"furthest apart at token {event.widest}{text}: {kld_text(divergence.max)}",
        "one answer tells of this prompt only: M in Models measures over a text",
    )


def clipped_words(ended: MeasureEnded) -> tuple[str, ...]:
    """Return a warning where stored logits do not give the reference's perplexity: then a ratio to it is off too."""
    first = next((record.scores.reference_perplexity for record in ended.records), None)
    if ended.reference is None or first is None:
        return ()
    own = ended.reference.scores.perplexity.value
    if abs(first.value - own) <= CLIPPED * own:
        return ()
    return (
        f"llama.cpp's stored logits are cut off 16 below the highest: by them the reference's perplexity would be "
        f"{figure(first.value)}, not {figure(own)}, since it takes some tokens of this text for next to "
        "impossible; log_ratio is off by that, KL divergence is not",
    )


def figure(value: float) -> str:
    """Return a perplexity with about four significant digits."""
    return f"{value:.4g}" if value >= 1000 else f"{value:.3f}" if value < 100 else f"{value:.1f}"


def kld_text(value: float) -> str:
    """Return a KL divergence with as many digits as it deserves."""
    value = 0.0 if abs(value) < 0.00005 else value  # what the stored codes are coarse by may be below zero
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}" if value < 1 else f"{value:.2f}"
