"""Whether a model can be loaded to gather a matrix with it: asked of the guard, as before every load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from qtui.core.errors import Failure, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Pools
from qtui.core.memory.guard import Guard, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Library

UBATCH = 512
Weigh = Callable[[LoadPlan], Awaitable[Failure | None]]
"""Tells why a plan does not fit what is free now; None: it does."""


def gathering_plan(plan: LoadPlan, ctx_size: int) -> LoadPlan:
    """Return how a model is loaded for gathering: one chunk at a time."""
    return replace(plan, ctx_size=ctx_size, batch_size=ctx_size, ubatch_size=min(UBATCH, ctx_size), parallel=1)


def logits_memory(plan: LoadPlan, n_vocab: int) -> Pools:
    """Return what gathering holds beyond a session: a row of logits for every token, computed and handed over."""
    return Pools(ram_anonymous=4 * (plan.ubatch_size + plan.batch_size) * n_vocab)


def weigher(guard: Guard, library: Library, variant: Variant) -> Weigh:
    """Return what weighs a variant under a plan for gathering."""

    async def weigh(plan: LoadPlan) -> Failure | None:
        try:
            vocabulary = (await library.facts(variant)).vocabulary
        except QtuiError as error:
            return Failure.of(error)
        weighing = await guard.weigh(variant, plan, beside=logits_memory(plan, vocabulary or 0))
        return refusal(variant, weighing)

    return weigh


async def refuse_too_large(weigh: Weigh | None, plan: LoadPlan, ctx_size: int) -> None:
    """Make sure that a model fits for gathering; without `weigh` nothing is asked.

    Raises:
        QtuiError: it does not, or cannot be weighed.
    """
    failure = await weigh(gathering_plan(plan, ctx_size)) if weigh is not None else None
    if failure is not None:
        raise failure.as_error()
