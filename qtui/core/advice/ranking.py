"""The ranking: candidates in the order in which to take them, each with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

from qtui.core.advice.candidate import LOADS, Candidate
from qtui.core.advice.loss import BANDS, worse
from qtui.core.advice.rules import STEPS, Effect, Rule, Situation, rules_of
from qtui.core.advice.sentence import fit_words, missing_words, next_words, reason
from qtui.core.advice.wishes import Prefer, Wishes
from qtui.core.measure.bands import LIMITS, Band
from qtui.core.memory.verdict import Fit

BY_BITS = "it stands here by its bits per weight alone"
MISSING = (Fit.FROM_DISK, Fit.TOO_BIG)
"""Verdicts under which memory is missing."""
AS_FAST = 1.1
"""Rates of one step are as fast as each other: predictions are no better than that."""
ACCEPTED = Band.GOOD
"""Up to here a loss is accepted where speed goes before quality."""


@dataclass(frozen=True, slots=True)
class Advised:
    """A candidate with its place."""

    candidate: Candidate
    rules: tuple[Rule, ...]
    band: Band | None
    """With what the rules say; None: nothing tells."""
    beside: str = ""
    """Where its own band is not known: the quant beside which it stands by its bits per weight."""
    level: float | None = None
    """The KL divergence by which it is sorted within its band: its own, or that of the one beside."""
    reason: str = ""
    """One sentence: whether it fits, what it costs, how fast it is, what the next larger would need."""

    @property
    def said(self) -> tuple[str, ...]:
        """Return what the rules say of it."""
        return tuple(rule.said(self.candidate) for rule in self.rules)

    @property
    def loses(self) -> tuple[int, float]:
        """Return what it loses, for comparing: its band from the best, and the level within it."""
        return (BANDS.index(self.band) if self.band is not None else len(BANDS), self.level or 0.0)

    @property
    def out(self) -> bool:
        """Tell whether it is no option at all."""
        return any(rule.effect is Effect.OUT for rule in self.rules)

    def moved(self, effect: Effect) -> bool:
        """Tell whether any rule has this effect on it."""
        return any(rule.effect is effect for rule in self.rules)

    def as_json(self) -> dict[str, Any]:
        """Return one of `ranking[]`."""
        candidate = self.candidate
        variant, verdict, footprint = candidate.variant, candidate.weighing.verdict, candidate.weighing.footprint
        return {
            "file": variant.file, "model": variant.model, "quant": variant.quant, "size": variant.size,
            "bits_per_weight": candidate.bits, "total": candidate.needs,
            "origin": footprint.origin.value if footprint is not None else "unknown",
            "verdict": verdict.fit.value, "pool": verdict.pool,
            "short_by": verdict.short_by if footprint is not None else None,
            "largest_context": candidate.largest_context,
            "quality": candidate.quality.as_json(), "band": self.band.value if self.band is not None else None,
            "beside": self.beside or None, "speed": candidate.speed.as_json(), "reason": self.reason,
            "rules": [
                {
                    "name": rule.name, "effect": rule.effect.value, "sentence": rule.said(candidate),
                    "source": rule.source,
                }
                for rule in self.rules
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Advice:
    """What to take."""

    wishes: Wishes
    ranking: tuple[Advised, ...]
    """What runs, the best first."""
    left: tuple[Advised, ...]
    """What does not fit, what cannot be loaded, and what is not known, the nearest first."""
    verdict: str
    """The answer in one sentence."""
    simulated: bool = False

    @property
    def best(self) -> Advised | None:
        """Return what to take; None: none of these."""
        return next((each for each in self.ranking if each.candidate.fit in (Fit.FITS, Fit.TIGHT, Fit.PARTIAL)), None)

    def as_json(self) -> dict[str, Any]:
        """Return the object of `qtui advise --json`, but for what was asked."""
        best = self.best
        return {
            "wishes": self.wishes.as_json(),
            "best": best.candidate.variant.file if best is not None else None,
            "verdict": self.verdict,
            "ranking": [each.as_json() for each in self.ranking],
            "left": [each.as_json() for each in self.left],
            "simulated": self.simulated,
        }


def advise_on(candidates: Sequence[Candidate], wishes: Wishes) -> Advice:
    """Rank candidates by the rules."""
    situation = Situation(wishes, tuple(candidates))
    judged = [_judged(candidate, situation) for candidate in candidates]
    placed = [_beside(each, judged) for each in judged]
    comparable = len({each.candidate.quality.against for each in judged if each.band is not None}) <= 1
    # A rate with a note was measured while something else computed: then none of them sorts.
    steady = not any(candidate.speed.rate and candidate.speed.note for candidate in candidates)
    running = sorted(
        (each for each in placed if not each.out and each.candidate.fit in LOADS),
        key=lambda each: _key(each, wishes, comparable=comparable, steady=steady),
    )
    others = sorted((each for each in placed if each not in running), key=_nearness)
    told = tuple(_told(each, placed) for each in running)
    left = tuple(replace(each, reason=missing_words(each.candidate)) for each in others)
    simulated = any(candidate.weighing.headroom.simulated for candidate in candidates)
    return Advice(wishes, told, left, _verdict(told, left, placed), simulated)


def _judged(candidate: Candidate, situation: Situation) -> Advised:
    rules = rules_of(candidate, situation)
    band = candidate.quality.band
    return Advised(
        candidate, rules, None if band is None else _lower(band, rules), level=candidate.quality.kl_divergence
    )


def _lower(band: Band, rules: Sequence[Rule]) -> Band:
    """Return a band after what the rules take off it."""
    return worse(band, sum(STEPS.get(rule.effect, 0) for rule in rules))


def _beside(each: Advised, judged: Sequence[Advised]) -> Advised:
    """Return a candidate of unknown quality beside the best known one that has no more bits per weight.

    A whole model, and a native MXFP4 file, are as they were trained. Of others with more bits than any known one
    nothing better is assumed than of the best known; with fewer, the worst.
    """
    bits = each.candidate.bits
    if each.band is not None:
        return each
    if each.candidate.label.whole or (each.candidate.native and each.candidate.mxfp4):
        return replace(each, band=_lower(Band.NONE, each.rules))
    if bits is None:
        return each
    known = [
        (other.candidate.bits, other) for other in judged
        if other.candidate.quality.band is not None and other.candidate.bits is not None
        and other.candidate.variant.model == each.candidate.variant.model
    ]  # fmt: skip
    below = [pair for pair in known if pair[0] <= bits]
    if below:
        nearest = min(below, key=lambda pair: (pair[1].level or 0.0, -pair[0]))[1]
        band = nearest.candidate.quality.band
        assert band is not None
        return replace(
            each, band=_lower(band, each.rules), beside=nearest.candidate.label.text,
            level=nearest.candidate.quality.kl_divergence,
        )  # fmt: skip
    return replace(each, band=Band.LAST) if known else each


def _key(each: Advised, wishes: Wishes, *, comparable: bool, steady: bool) -> tuple[float, ...]:
    """Return what candidates that run are sorted by, the best first.

    `comparable`: their qualities were measured in one way, and tell within a band too. `steady`: their rates tell.
    """
    candidate = each.candidate
    fit = LOADS.index(candidate.fit)
    band = BANDS.index(each.band if each.band is not None else _guessed(candidate))
    ahead = -int(each.moved(Effect.AHEAD)) + int(each.moved(Effect.BEHIND))
    size = float(candidate.needs or candidate.variant.size)
    level = each.level if comparable and each.level is not None else 0.0
    if candidate.fit is Fit.FROM_DISK:  # the disk decides, and less of it is better
        return (fit, candidate.short_by, size)
    if wishes.prefer is Prefer.SPEED:
        refused = max(0, band - BANDS.index(ACCEPTED))
        rate = candidate.speed.rate if steady else None
        return (fit, refused, *_pace(rate, size, slower=each.moved(Effect.SLOWER)), ahead, level, size)
    larger = -int(any(rule.name == "larger model first" for rule in each.rules))
    if band == 0:
        return (fit, larger, band, ahead, size)
    return (fit, larger, band, ahead, level, -size)


def _pace(rate: float | None, size: float, *, slower: bool) -> tuple[float, ...]:
    """Return what a rate counts for: those within a step are as fast.

    Unknown ones come last, and among them the smaller first: of about one size those that no rule calls slower.
    """
    if rate:
        return (0.0, -_step(rate), 0.0)
    return (1.0, _step(max(1.0, size)), float(slower))


def _step(value: float) -> float:
    """Return the number of a step of a tenth, in which values are as good as equal."""
    return float(round(log(value) / log(AS_FAST)))


def _guessed(candidate: Candidate) -> Band:
    """Return a band by bits per weight alone, where of a whole list nothing is known: it only sorts."""
    bits = candidate.bits
    if bits is None:
        return Band.LAST
    steps = (5.6, 4.4, 3.8, 3.0)
    assert len(steps) == len(LIMITS)
    return next((BANDS[at] for at, least in enumerate(steps) if bits >= least), Band.LAST)


def _nearness(each: Advised) -> tuple[float, ...]:
    candidate = each.candidate
    unknown = candidate.fit is Fit.UNKNOWN
    return (float(each.out), float(unknown), float(candidate.short_by), float(candidate.variant.size))


def _told(each: Advised, placed: Sequence[Advised]) -> Advised:
    """Return a candidate with its sentence."""
    said = reason(each.candidate, each.beside, _next_better(each, placed))
    return replace(each, reason=said if each.band is not None else f"{said}; {BY_BITS}")


def _next_better(each: Advised, placed: Sequence[Advised]) -> Candidate | None:
    """Return the smallest candidate of the same model that needs more and loses less; None: there is none."""
    needs, candidate = each.candidate.needs, each.candidate
    if needs is None or each.band is None:
        return None
    better = [
        other.candidate for other in placed
        if not other.out and other.band is not None and other.candidate.variant.model == candidate.variant.model
        and (other.candidate.needs or 0) > needs and other.loses < each.loses
    ]  # fmt: skip
    return min(better, key=lambda other: other.needs or 0, default=None)


def _but(each: Advised, placed: Sequence[Advised]) -> str:
    """Return what is to be said of one that loses more than is accepted: how much, and what the next better needs."""
    if each.band is None or BANDS.index(each.band) <= BANDS.index(ACCEPTED):
        return ""
    better = _next_better(each, placed)
    words = f"; {next_words(each.candidate, better)}" if better is not None else ""
    return f", and counts as {each.band.value}{words}"


def _verdict(ranking: Sequence[Advised], left: Sequence[Advised], placed: Sequence[Advised]) -> str:
    """Return the whole answer in one sentence."""
    for each in ranking:
        if each.candidate.fit in (Fit.FITS, Fit.TIGHT, Fit.PARTIAL):
            return f"take {each.candidate.variant.title}: it {fit_words(each.candidate)}{_but(each, placed)}"
    missing = [each.candidate for each in (*ranking, *left) if each.candidate.fit in MISSING and not each.out]
    if not missing:
        return (
            "none of these: what they need is not known" if left else "none of these: there is nothing to choose from"
        )
    least = min(missing, key=lambda candidate: candidate.short_by)
    return f"none of these: take a smaller model. {least.variant.title}, the nearest, {missing_words(least)}"
