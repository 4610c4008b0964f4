"""The ladder: what variants need at growing contexts and with smaller cache types, against what is free."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.turns import Urgency
from qtui.core.memory.verdict import Fit, Headroom

RUNGS = 6
LOWEST, USUAL = 256, 1 << 17
CACHE_TYPES = ("f16", "q8_0", "q4_0")
LETTERS = {Fit.FITS: "", Fit.TIGHT: "t", Fit.PARTIAL: "p", Fit.FROM_DISK: "d", Fit.TOO_BIG: "x", Fit.UNKNOWN: "?"}
"""What stands behind a number; nothing behind one that fits."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant at one context with one cache type."""

    variant: Variant
    context: int
    cache: tuple[str, str]
    """The types of K and V."""
    weighing: Weighing

    def as_json(self) -> dict[str, Any]:
        """Return one of `cells[]`."""
        footprint, verdict = self.weighing.footprint, self.weighing.verdict
        return {
            "ctx_size": self.context,
            "cache_type_k": self.cache[0],
            "cache_type_v": self.cache[1],
            "total": footprint.total if footprint is not None else None,
            "pools": footprint.pools.as_json() if footprint is not None else {},
            "origin": footprint.origin.value if footprint is not None else "unknown",
            "verdict": verdict.fit.value,
            "pool": verdict.pool,
            "short_by": verdict.short_by if footprint is not None else None,
            "reason": verdict.reason,
        }


def rungs(variants: Sequence[Variant], highest: int = 0) -> tuple[int, ...]:
    """Return at most six contexts, each twice the one before, up to `highest`.

    0: up to what the variant with the most was trained to; where nothing tells, up to 131072.
    """
    top = highest or max((variant.context_length or 0 for variant in variants), default=0) or USUAL
    powers = [1 << power for power in range(24) if LOWEST <= 1 << power < top and (1 << power <= USUAL or top <= USUAL)]
    return (*powers[-(RUNGS - 1) :], top)


def cache_types(plan: LoadPlan) -> tuple[tuple[str, str], ...]:
    """Return the cache types of a ladder: f16, q8_0, q4_0; where the plan asks for others, only those."""
    asked = (plan.cache_type_k, plan.cache_type_v)
    default = LoadPlan()
    if asked == (default.cache_type_k, default.cache_type_v):
        return tuple((name, name) for name in CACHE_TYPES)
    return (asked,)


async def climb(
    guard: Guard,
    variants: Sequence[Variant],
    plan: LoadPlan,
    contexts: Sequence[int],
    caches: Sequence[tuple[str, str]],
    *,
    of: Callable[[Variant, LoadPlan], LoadPlan] = lambda _variant, plan: plan,
    exact: bool = True,
) -> AsyncIterator[Cell]:
    """Weigh every variant at every context with every cache type: all by the closed form, then by llama.cpp.

    The first cache type of all variants comes before the others, which come variant by variant: it is what a panel
    shows. A context beyond what a variant was trained to is left out.

    Args:
        guard: weighs.
        variants: the rows.
        plan: not resolved; all but context and cache types stays.
        contexts: in tokens.
        caches: types of K and V.
        of: what becomes of the plan for a variant that has a preset of its own.
        exact: ask llama.cpp once everything was computed.
    """
    cells = [
        (variant, context, cache)
        for shown in (caches[:1], caches[1:]) for variant in variants for cache in shown for context in contexts
        if variant.context_length is None or context <= variant.context_length
    ]  # fmt: skip
    ask = partial(guard.weigh, urgency=Urgency.SCREEN)
    for weigh in (guard.estimate, ask) if exact else (guard.estimate,):
        for variant, context, (k, v) in cells:
            asked = replace(of(variant, plan), ctx_size=context, cache_type_k=k, cache_type_v=v)
            yield Cell(variant, context, (k, v), await weigh(variant, asked, fresh=False))


def largest_fitting(cells: Sequence[Cell]) -> Cell | None:
    """Return the cell with the largest context that fits, the first of equals; None: none fits."""
    fitting = [cell for cell in cells if cell.weighing.verdict.fit is Fit.FITS]
    return max(fitting, key=lambda cell: cell.context, default=None)


def ladder_report(
    variants: Sequence[Variant], contexts: Sequence[int], cells: Sequence[Cell], room: Headroom
) -> dict[str, Any]:
    """Return the object of `qtui fit --ladder --json`."""
    return {
        "contexts": list(contexts),
        "headroom": {"ram": room.ram, "vram": list(room.vram)},
        "margin": {"ram": room.margin_ram, "vram": list(room.margin_vram)},
        "simulated": room.simulated,
        "variants": [_variant_report(variant, cells) for variant in variants],
    }


def _variant_report(variant: Variant, cells: Sequence[Cell]) -> dict[str, Any]:
    own = [cell for cell in cells if cell.variant == variant]
    return {
        "file": variant.file,
        "model": variant.model,
        "quant": variant.quant,
        "size": variant.size,
        "context_length": variant.context_length,
        "cells": [cell.as_json() for cell in own],
    }
