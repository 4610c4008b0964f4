"""What to offer where a variant is refused for want of memory: the best plan that fits."""

from __future__ import annotations

from dataclasses import replace

from qtui.core.library.variant import Variant
from qtui.core.memory.fit.propose import propose
from qtui.core.memory.footprint import Pools
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.verdict import Fit

SMALLEST = 512
TRIES = 5
"""Contexts that are weighed at most, each half of the one before."""


async def plan_that_fits(
    guard: Guard, variant: Variant, refused: Weighing, *, giving_back: Pools = Pools()
) -> Weighing | None:
    """Return the weighing of the best plan that fits, None where there is none.

    Where nothing can be computed, that of the first halved context that is not refused.
    """
    proposal = await propose(guard, variant, refused.plan, giving_back=giving_back)
    if proposal.fits:
        return proposal.weighing
    footprint = refused.footprint
    if footprint is None or footprint.kind_bytes("context") == 0:
        return None
    context = refused.plan.ctx_size
    for _ in range(TRIES):
        context //= 2
        if context < SMALLEST:
            return None
        plan = replace(refused.plan, ctx_size=context)
        weighing = await guard.weigh(variant, plan, giving_back=giving_back)
        if weighing.footprint is not None and weighing.verdict.fit not in (Fit.TOO_BIG, Fit.PARTIAL):
            return weighing
    return None
