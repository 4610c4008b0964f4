"""The one suggestion for a variant that does not fit: the best plan that does, or a smaller variant of its model.

Nothing is suggested that was not weighed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from qtui.core.library.variant import Variant
from qtui.core.memory.fit.propose import difference_text, propose, taken
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit

SMALLEST_CONTEXT = 1024
"""Nobody chats in less."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What fits instead: another plan for the variant, or another variant under the same plan."""

    weighing: Weighing
    """Of what is suggested."""
    plan: LoadPlan | None = None
    variant: Variant | None = None
    words: str = ""
    """What the plan has otherwise than the one that does not fit: `ctx 4096, KV q8_0`."""


async def suggest(
    guard: Guard,
    variant: Variant,
    plan: LoadPlan | None,
    weighing: Weighing,
    others: Iterable[tuple[Variant, Weighing]] = (),
) -> Suggestion | None:
    """Return what to do about a variant that does not fit; None when it fits, or nothing simple helps.

    Args:
        guard: weighs what is thought of.
        variant: the one that does not fit.
        plan: what it was weighed under, not resolved; None: its context is given and stays.
        weighing: the result.
        others: further variants of the same model and their weighings under their plans.
    """
    if weighing.footprint is None or weighing.verdict.fit in (Fit.FITS, Fit.UNKNOWN):
        return None
    if plan is not None:
        fitting = await _fitting(guard, variant, plan, weighing)
        if fitting is not None:
            return fitting
    return _largest(variant, others)


async def _fitting(guard: Guard, variant: Variant, plan: LoadPlan, weighing: Weighing) -> Suggestion | None:
    """Return the best plan that fits: as the search finds it, else with a context halved until it does."""
    proposal = await propose(guard, variant, plan, smallest=SMALLEST_CONTEXT, fresh=False)
    if proposal.fits:
        asked, found = weighing.plan, proposal.weighing.plan
        return Suggestion(proposal.weighing, taken(plan, found, asked), words=difference_text(found, asked))
    if weighing.formula is not None:
        return None
    # Without a closed form nothing can be searched: a few contexts are asked for.
    context = weighing.plan.ctx_size // 2 if _context_matters(weighing) else 0
    while context >= SMALLEST_CONTEXT:
        smaller = replace(plan, ctx_size=context, preset="")
        weighed = await guard.weigh(variant, smaller, fresh=False)
        if weighed.verdict.fit is Fit.FITS:
            return Suggestion(weighed, plan=smaller, words=f"ctx {context}")
        context //= 2
    return None


def _context_matters(weighing: Weighing) -> bool:
    """Tell whether what grows with the context is at least as much as is missing."""
    footprint, verdict = weighing.footprint, weighing.verdict
    if footprint is None:
        return False
    return verdict.short_by <= footprint.kind_bytes("context") + footprint.kind_bytes("compute")


def _largest(variant: Variant, others: Iterable[tuple[Variant, Weighing]]) -> Suggestion | None:
    fitting = [
        (other, weighing)
        for other, weighing in others
        if other.path != variant.path and other.size < variant.size and weighing.verdict.fit is Fit.FITS
    ]
    if not fitting:
        return None
    other, weighing = max(fitting, key=lambda pair: pair[0].size)
    return Suggestion(weighing, variant=other)
