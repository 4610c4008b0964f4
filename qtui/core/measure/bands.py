"""What a KL divergence means, in words with limits.

The limits are this project's convention, not a standard: fitted to llama.cpp's published table of Llama-3-8B on
wikitext-2 (tools/perplexity/README.md), where Q8_0 to Q5_K_M lie below 0.015, Q5_K_S to Q4_K_S below 0.05, Q4_0 to
IQ3_S below 0.12, IQ3_XS to IQ2_M below 0.35, and Q2_K above. Below 0.015 no two are ranked: there divergence says
nothing about the results of benchmarks (arXiv 2606.19558).
"""

from __future__ import annotations

from enum import StrEnum

NO_DIFFERENCE = 0.015


class Band(StrEnum):
    """How far a variant is from its reference."""

    NONE = "no measurable difference"
    GOOD = "good"
    VISIBLE = "visible"
    STRONG = "strong loss"
    LAST = "only if nothing else fits"


LIMITS: tuple[tuple[float, Band], ...] = (
    (NO_DIFFERENCE, Band.NONE), (0.05, Band.GOOD), (0.12, Band.VISIBLE), (0.35, Band.STRONG),
)  # fmt: skip
"""Mean KL divergence in nats below which each holds."""


def band_of(kld: float) -> Band:
    """Return the band of a mean KL divergence."""
    return next((band for limit, band in LIMITS if kld < limit), Band.LAST)


def limits_text() -> str:
    """Return the limits as one sentence."""
    parts = [f"below {limit:g} {band.value}" for limit, band in LIMITS]
    return f"{', '.join(parts)}, else {Band.LAST.value} (a convention of qtui's)"
