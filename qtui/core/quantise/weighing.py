"""Whether a model can be loaded to gather a matrix with it: asked of the guard, as before every load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from qtui.core.errors import Failure, MemoryRefusedError
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, refusal
from qtui.core.memory.plan import LoadPlan

UBATCH = 512
Weigh = Callable[[LoadPlan], Awaitable[Failure | None]]
"""Tells why a plan does not fit what is free now; None: it does."""


def gathering_plan(plan: LoadPlan, ctx_size: int) -> LoadPlan:
    """Return how a model is loaded for gathering: one chunk at a time."""
    return replace(plan, ctx_size=ctx_size, batch_size=ctx_size, ubatch_size=min(UBATCH, ctx_size), parallel=1)


def weigher(guard: Guard, variant: Variant) -> Weigh:
    """Return what weighs a variant under a plan."""

    async def weigh(plan: LoadPlan) -> Failure | None:
        return refusal(variant, await guard.weigh(variant, plan))

    return weigh


async def refuse_too_large(weigh: Weigh | None, plan: LoadPlan, ctx_size: int) -> None:
    """Make sure that a model fits for gathering; without `weigh` nothing is asked.

    Raises:
        MemoryRefusedError: it does not.
    """
    failure = await weigh(gathering_plan(plan, ctx_size)) if weigh is not None else None
    if failure is not None:
        raise MemoryRefusedError(failure.message, failure.hint)
