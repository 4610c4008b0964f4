"""The run of advice: weighs variants, gathers what is known of them, and ranks them as more becomes known."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qtui.core.advice.candidate import LOADS, Candidate
from qtui.core.advice.loss import Losses
from qtui.core.advice.ranking import Advice, advise_on
from qtui.core.advice.wishes import Prefer, Wishes
from qtui.core.errors import QtuiError
from qtui.core.forecast import Forecast
from qtui.core.gguf.facts import Facts
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.search import largest_context
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit
from qtui.core.origin import Origin
from qtui.core.ports import Library

TOLD_EVERY = 5
"""Rates after which the ranking is told anew."""
SIMULATED = "the speed of simulated cards is not known"


@dataclass(frozen=True, slots=True)
class Considering:
    """One more variant was looked at."""

    what: str
    """`weighing`, `reading` or `timing`."""
    variant: Variant
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class AdviceGiven:
    """What can be advised by now."""

    advice: Advice
    settled: bool
    """Nothing more becomes known."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a run of advice asks."""

    guard: Guard
    library: Library
    losses: Losses
    forecast: Forecast | None = None
    """None: rates are not told."""


def wished_plan(plan: LoadPlan, wishes: Wishes) -> LoadPlan:
    """Return a plan with the context that is wished for."""
    return replace(plan, ctx_size=wishes.ctx_size, preset="") if wishes.ctx_size else plan


async def advise(
    sources: Sources, variants: Sequence[Variant], plan: LoadPlan, wishes: Wishes
) -> AsyncGenerator[Considering | AdviceGiven, None]:
    """Advise on variants under a plan that is not resolved: by the closed form, by llama.cpp, then with rates.

    Variants that cannot be loaded are left out. Ends with an AdviceGiven that is settled.
    """
    known = [variant for variant in variants if variant.loadable]
    asked = wished_plan(plan, wishes)
    guard = sources.guard if wishes.keep_free is None else sources.guard.keeping(wishes.keep_free)
    facts: dict[Path, Facts] = {}
    for number, variant in enumerate(known, 1):
        yield Considering("reading", variant, number, len(known))
        try:
            facts[variant.path] = await sources.library.facts(variant)
        except QtuiError:
            continue
    losses = await sources.losses.of(known)
    candidates: list[Candidate] = []
    for weigh in (guard.estimate, guard.weigh):
        candidates = []
        for number, variant in enumerate(known, 1):
            weighing = await weigh(variant, asked, fresh=False)
            candidates.append(
                Candidate(variant, weighing, facts.get(variant.path), losses[variant.path])
            )  # fmt: skip
            yield Considering("weighing", variant, number, len(known))
        yield AdviceGiven(advise_on(candidates, wishes), settled=False)
    candidates = [await _with_context(guard, candidate) for candidate in candidates]
    running = [at for at, candidate in enumerate(candidates) if candidate.fit in LOADS]
    for number, at in enumerate(running, 1):
        yield Considering("timing", candidates[at].variant, number, len(running))
        speed = await _speed(sources.forecast, candidates[at].variant, candidates[at].weighing)
        candidates[at] = replace(candidates[at], speed=speed)
        if number % TOLD_EVERY == 0 and wishes.prefer is Prefer.QUALITY:  # by half the rates nothing can be sorted
            yield AdviceGiven(advise_on(candidates, wishes), settled=False)
    yield AdviceGiven(advise_on(candidates, wishes), settled=True)


async def _with_context(guard: Guard, candidate: Candidate) -> Candidate:
    """Return a candidate that does not fit with the context at which it would."""
    weighing = candidate.weighing
    if candidate.fit not in (Fit.TOO_BIG, Fit.FROM_DISK) or weighing.footprint is None:
        return candidate
    scale = await guard.scale(candidate.variant, weighing.plan, weighing.headroom)
    if scale is None:
        return candidate
    return replace(candidate, largest_context=largest_context(scale, weighing.plan, weighing.plan.ctx_size) or 0)


async def _speed(forecast: Forecast | None, variant: Variant, weighing: Weighing) -> Speed:
    if forecast is None:
        return Speed(None, Origin.UNKNOWN)
    if weighing.headroom.simulated and weighing.headroom.vram:
        return Speed(None, Origin.UNKNOWN, note=SIMULATED)
    return await forecast.of(variant, weighing)
