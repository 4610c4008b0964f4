"""The best plan that fits: the largest context up to the one asked, then layers, experts, cache types."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtui.core.gguf.types import TYPE_IDS, tensor_type
from qtui.core.memory.fit.placing import Test, most, place, rank
from qtui.core.memory.fit.reasons import Choice, choices_of
from qtui.core.memory.fit.scale import Scale
from qtui.core.memory.plan import LoadPlan

STEP = 256
"""llama.cpp rounds a context up to so many tokens."""
SMALLEST_CONTEXT = 512
SMALLER_TYPES = ("f16", "q8_0", "q4_0")
COARSE = frozenset({"q4_0"})
"""Costs quality: taken for a larger context, never for more layers on cards."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plan that fits, with one reason per choice."""

    plan: LoadPlan
    """Resolved."""
    choices: tuple[Choice, ...]


def best_plan(scale: Scale, asked: LoadPlan, smallest: int = SMALLEST_CONTEXT) -> Found | None:
    """Return the best plan that fits, None where none does at any context from `smallest` on.

    In this order: the largest context up to the one asked; the most layers on cards; the fewest experts in RAM; the
    best cache types. A later choice gives way to an earlier one. All else stays as asked.
    """
    fitting = _with_context(scale, asked, smallest)
    if fitting is None:
        return None
    return Found(fitting, choices_of(scale, asked, fitting, STEP))


def largest_context(scale: Scale, asked: LoadPlan, highest: int, smallest: int = SMALLEST_CONTEXT) -> int | None:
    """Return the largest context up to `highest` at which the plan fits as it is otherwise, None: at none."""
    return _largest(smallest, highest, lambda context: scale.fits(replace(asked, ctx_size=context)))


def _with_context(scale: Scale, asked: LoadPlan, smallest: int) -> LoadPlan | None:
    pairs = cache_pairs(asked)

    def placed(context: int, types: tuple[str, str]) -> LoadPlan | None:
        return place(scale, replace(asked, ctx_size=context, cache_type_k=types[0], cache_type_v=types[1]))

    context = _largest(
        smallest, asked.ctx_size, lambda number: any(placed(number, types) is not None for types in reversed(pairs))
    )
    if context is None:
        return None
    fine = [plan for types in pairs if not COARSE & {*types} and (plan := placed(context, types)) is not None]
    if not fine:
        fine = [plan for types in pairs if (plan := placed(context, types)) is not None]
    # Of equals the first, whose types are the best.
    return max(fine, key=lambda plan: rank(plan)[:2])


def _largest(smallest: int, highest: int, holds: Test) -> int | None:
    if holds(highest):
        return highest
    low, high = -(-min(smallest, highest) // STEP), (highest - 1) // STEP
    steps = most(max(low, 1), high, lambda number: holds(number * STEP))
    return None if steps is None else steps * STEP


def cache_pairs(asked: LoadPlan) -> tuple[tuple[str, str], ...]:
    """Return the types of K and V that a search may choose, those asked first, then smaller ones."""
    first = (asked.cache_type_k, asked.cache_type_v)
    smallest = min(map(_bits, first))
    return first, *((name, name) for name in SMALLER_TYPES if _bits(name) < smallest)


def _bits(name: str) -> float:
    kind = tensor_type(TYPE_IDS[name.upper()])
    return 8 * kind.type_size / kind.block_size
