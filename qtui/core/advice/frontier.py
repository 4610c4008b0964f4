"""The frontier: variants by what they need against how far their answers are from the reference's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtui.core.advice.candidate import Candidate
from qtui.core.measure.words import kld_text
from qtui.core.origin import Origin
from qtui.core.text import rate, size

AS_MUCH = 0.01
"""Needs that differ by less than this share are as much."""
AS_FAST = 0.05
"""Rates that differ by less than this share are as fast."""


@dataclass(frozen=True, slots=True)
class Point:
    """A variant on the frontier's map."""

    candidate: Candidate
    sign: str
    """The letter that stands for it in the chart."""
    dominated_by: str = ""
    """The quant that is better in everything that is known; empty: none is."""
    reason: str = ""
    """Why nobody would take it, or what is not known of it."""

    @property
    def needs(self) -> int | None:
        """Return what must stay resident, in bytes."""
        return self.candidate.needs

    @property
    def level(self) -> float | None:
        """Return its KL divergence."""
        return self.candidate.quality.kl_divergence

    @property
    def drawn(self) -> bool:
        """Tell whether it has a place in a chart."""
        return self.needs is not None and self.level is not None

    def as_json(self) -> dict[str, Any]:
        """Return one of `frontier[]`."""
        candidate = self.candidate
        return {
            "file": candidate.variant.file, "quant": candidate.variant.quant, "total": self.needs,
            "quality": candidate.quality.as_json(), "speed": candidate.speed.as_json(),
            "verdict": candidate.fit.value, "dominated_by": self.dominated_by or None, "reason": self.reason,
        }  # fmt: skip


def frontier(candidates: Sequence[Candidate]) -> tuple[Point, ...]:
    """Return every variant as a point, by what it needs, with what dominates it.

    One dominates another that needs at least as much, is worse and not faster. Losses are compared only where they
    were measured in one way: what was measured here says nothing about a figure that was published for another model.
    """
    order = sorted(candidates, key=lambda candidate: (candidate.needs is None, candidate.needs or 0))
    points = [Point(candidate, _sign(number)) for number, candidate in enumerate(order)]
    return tuple(_judged(point, points) for point in points)


def _sign(number: int) -> str:
    """Return a letter for the number of a point; after z capitals, after those a plus sign."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[number] if number < len(letters) else "+"


def _judged(point: Point, points: Sequence[Point]) -> Point:
    if point.level is None:
        return replace(point, reason=point.candidate.quality.note or "its quality is not known")
    if point.needs is None:
        return replace(point, reason="what it needs is not known")
    better = [other for other in points if other is not point and dominates(other.candidate, point.candidate)]
    if not better:
        return point
    best = min(better, key=lambda other: (other.level or 0.0, other.needs or 0))
    return replace(
        point, dominated_by=best.candidate.label.text, reason=_reason(point.candidate, best.candidate)
    )  # fmt: skip


def dominates(one: Candidate, other: Candidate) -> bool:
    """Tell whether nothing that is known speaks for `other`."""
    mine, its = one.quality, other.quality
    if one.needs is None or other.needs is None or mine.kl_divergence is None or its.kl_divergence is None:
        return False
    if mine.origin is not its.origin or mine.against != its.against:
        return False
    doubt = 2 * ((mine.stderr or 0.0) ** 2 + (its.stderr or 0.0) ** 2) ** 0.5
    if its.kl_divergence - mine.kl_divergence <= doubt:
        return False
    if one.needs > other.needs * (1 + AS_MUCH):
        return False
    rates = one.speed.rate, other.speed.rate
    return rates[0] is None or rates[1] is None or rates[1] <= rates[0] * (1 + AS_FAST)


def _reason(point: Candidate, best: Candidate) -> str:
    """Return why a dominated variant is dominated: `needs as much as Q4_K_S (within 1 %) and is worse by 0.040`."""
    assert point.needs is not None and best.needs is not None
    assert point.quality.kl_divergence is not None and best.quality.kl_divergence is not None
    more = point.needs - best.needs
    alike = more <= point.needs * AS_MUCH
    much = f"as much as {best.label.text} (within {AS_MUCH * 100:.0f} %)" if alike else (
        f"{size(more)} more than {best.label.text}"
    )  # fmt: skip
    worse = kld_text(point.quality.kl_divergence - best.quality.kl_divergence)
    words = f"needs {much} and is worse by {point.quality.origin.sign}{worse}"
    if point.speed.rate is None or best.speed.rate is None:
        return f"{words}; which is faster is not known"
    return f"{words}, at {rate(point.speed.rate)} against {rate(best.speed.rate)} t/s"


def apart(points: Sequence[Point]) -> str:
    """Return what keeps points from being compared; empty: all stand on one footing."""
    origins = {point.candidate.quality.origin for point in points if point.drawn}
    if {Origin.MEASURED, Origin.PUBLISHED} <= origins:
        return "measured and published (°) points are not compared with each other: those were measured on other models"
    ways = {point.candidate.quality.against for point in points if point.drawn}
    return "points that were measured in different ways are not compared with each other" if len(ways) > 1 else ""
