"""What each change of a plan does to the memory that a variant needs: weighings with and without it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.plan_fields import PlanField, changed_fields


@dataclass(frozen=True, slots=True)
class PlanWeighed:
    """What the variant needs under the plan as a whole."""

    weighing: Weighing


@dataclass(frozen=True, slots=True)
class WithoutWeighed:
    """What it needs with one field as the base plan has it."""

    field: PlanField
    weighing: Weighing


async def weigh_changes(
    guard: Guard, variant: Variant, plan: LoadPlan, base: LoadPlan, of: Callable[[LoadPlan], LoadPlan] = lambda p: p
) -> AsyncIterator[PlanWeighed | WithoutWeighed]:
    """Weigh a plan, then the plan without each of its changes: at once by the closed form, then by llama.cpp.

    Args:
        guard: weighs.
        variant: for which.
        plan: not resolved.
        base: what a change is measured against.
        of: what becomes of a plan for this variant, where it has a preset of its own.
    """
    without = [(field, field.reset(plan, base)) for field in changed_fields(plan, base)]
    for weigh in (guard.estimate, guard.weigh):
        yield PlanWeighed(await weigh(variant, of(plan), fresh=False))
        for field, other in without:
            yield WithoutWeighed(field, await weigh(variant, of(other), fresh=False))


def effect(plan: Weighing | None, without: Weighing | None) -> int | None:
    """Return by how many bytes a change makes a variant need more (or less, below 0); None while not known."""
    if plan is None or without is None or plan.footprint is None or without.footprint is None:
        return None
    return plan.footprint.total - without.footprint.total


def spare(weighing: Weighing) -> tuple[str, int] | None:
    """Return the pool where the least is left, and what is left of its headroom in bytes (below 0: missing)."""
    footprint, room = weighing.footprint, weighing.headroom
    if footprint is None:
        return None
    pools = [("RAM", footprint.pools.ram, room.ram)]
    for index, need in enumerate(footprint.pools.vram):
        pools.append((f"GPU{index}", need, room.vram[index] if index < len(room.vram) else None))
    left = [(name, have - need) for name, need, have in pools if have is not None and need]
    return min(left, key=lambda pair: pair[1], default=None)
