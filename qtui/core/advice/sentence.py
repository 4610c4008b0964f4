"""What is said of a candidate, in one sentence."""

from __future__ import annotations

from qtui.core.advice.candidate import Candidate
from qtui.core.memory.verdict import Fit, Headroom
from qtui.core.text import count, rate, size

TYPICAL_BITS = 4.89
"""Bits per weight of Q4_K_M on Llama 3.1 8B (llama.cpp, tools/quantize/README.md)."""
LEAST_MODEL = 100_000_000
"""Parameters below which no smaller model is named."""


def reason(candidate: Candidate, beside: str, following: Candidate | None) -> str:
    """Return one sentence: whether it fits, what it costs by which evidence, how fast it is, what the next needs.

    Args:
        candidate: of which it is said.
        beside: the quant beside which it stands, where its own quality is not known.
        following: the next larger one that loses less; None: there is none.
    """
    parts = [fit_words(candidate), quality_words(candidate, beside), speed_words(candidate)]
    if following is not None:
        parts.append(next_words(candidate, following))
    return "; ".join(part for part in parts if part)


def fit_words(candidate: Candidate) -> str:
    """Return whether it fits, and by how much."""
    verdict = candidate.weighing.verdict
    context = candidate.weighing.plan.ctx_size
    if candidate.fit is Fit.FITS:
        spare = _spare(candidate)
        return f"fits at context {context}" + (f" with {size(spare)} to spare" if spare is not None else "")
    if candidate.fit is Fit.TIGHT:
        return f"fits at context {context} only by taking {size(verdict.short_by)} of what is to be left free"
    if candidate.fit is Fit.PARTIAL:
        return f"fits at context {context} in part: {_readable(verdict.reason)}"
    if candidate.fit is Fit.FROM_DISK:
        return f"finds no room for {size(verdict.short_by)} of its weights: they are read from disk while it answers"
    return _readable(verdict.reason)


def quality_words(candidate: Candidate, beside: str) -> str:
    """Return what it costs, and by which evidence."""
    quality = candidate.quality
    if candidate.native and candidate.mxfp4 and quality.kl_divergence is None:
        return "its experts are as they were trained"
    said = quality.brief
    return f"{said}; by its bits per weight it stands beside {beside}" if beside else said


def speed_words(candidate: Candidate) -> str:
    """Return how fast it is, with its origin."""
    speed = candidate.speed
    if speed.rate is None:
        return "how fast is not known"
    note = f" ({speed.note})" if speed.note else ""
    return f"{speed.origin.sign}{rate(speed.rate)} t/s {speed.origin.value}{note}"


def next_words(candidate: Candidate, following: Candidate) -> str:
    """Return what the next larger one would need."""
    if candidate.needs is None or following.needs is None:
        return ""
    more = size(following.needs - candidate.needs)
    if following.fit is Fit.FITS:
        return f"the next better, {following.label.text}, needs {more} more and fits too"
    words = {Fit.TIGHT: "fits only tightly", Fit.PARTIAL: "fits in part", Fit.FROM_DISK: "would be read from disk"}
    end = words.get(following.fit, f"does not fit by {size(following.short_by)}")
    return f"the next better, {following.label.text}, needs {more} more and {end}"


def missing_words(candidate: Candidate) -> str:
    """Return how much is missing, and what would fit instead."""
    if candidate.unreadable:
        return candidate.unreadable
    if candidate.fit not in (Fit.TOO_BIG, Fit.FROM_DISK):
        return _readable(candidate.weighing.verdict.reason)
    words = (
        f"is {size(candidate.short_by)} short of {size(candidate.needs)} at context {candidate.weighing.plan.ctx_size}"
    )
    if candidate.largest_context:
        words += f", and fits up to context {candidate.largest_context}"
    smaller = smaller_model(candidate)
    return words + (f"; a model of about {count(smaller)} in Q4_K_M would fit" if smaller is not None else "")


def smaller_model(candidate: Candidate) -> int | None:
    """Return about how many parameters would fit in Q4_K_M beside a context like the candidate's; None: none worth it.

    Of what may be used, the share that context and compute take here is kept for them: smaller models need less.
    """
    footprint = candidate.weighing.footprint
    room = _room(candidate.weighing.headroom)
    if footprint is None or room is None or not footprint.total:
        return None
    rest = footprint.total - footprint.kind_bytes("weights")
    found = int((room - min(rest, room // 2)) * 8 / TYPICAL_BITS)
    if candidate.parameters is not None and found >= candidate.parameters:
        return None
    digits = len(str(found)) - 2
    return found // 10**digits * 10**digits if found >= LEAST_MODEL else None


def _room(headroom: Headroom) -> int | None:
    """Return what may be used: of the cards where there are any, else of RAM."""
    cards = [card for card in headroom.vram if card is not None]
    return sum(cards) if cards else headroom.ram


def _spare(candidate: Candidate) -> int | None:
    """Return what is left in the fullest pool."""
    footprint, headroom = candidate.weighing.footprint, candidate.weighing.headroom
    if footprint is None:
        return None
    pools = zip((footprint.pools.ram, *footprint.pools.vram), (headroom.ram, *headroom.vram), strict=False)
    left = [room - need for need, room in pools if room is not None and need]
    return min(left, default=None)


def _readable(words: str) -> str:
    """Return a verdict's reason as readers know the pools."""
    return words.replace("vram", "GPU").replace(" ram", " RAM")
