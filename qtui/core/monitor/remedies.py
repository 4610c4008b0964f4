"""Remedies: the one change of a session's plan that would end an alarm, as far as its record tells what that saves.

A change is offered only when it would save what is missing; where none does, the alarm says what else would help.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtui.core.memory.fit.propose import difference_text
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.sessions import SessionSeen

SMALLEST_CONTEXT = 512
STEP = 256
QUANTISED = "q8_0"
SAVED = 1 - 34 / 64
"""The share of an f16 cache that q8_0 saves: 34 bytes for 32 values instead of 64."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change to the plan of one session, which is then loaded anew."""

    session_id: str
    plan: LoadPlan
    """The session's, with the change."""
    words: str
    """`KV q8_0`, `ctx 4096`; clean."""


def plan_of(seen: SessionSeen) -> LoadPlan | None:
    """Return the plan of a session as its record tells it; None where it cannot be read."""
    try:
        return LoadPlan.from_json(dict(seen.record.plan))
    except (TypeError, ValueError):
        return None


def smaller_context(seen: SessionSeen, short_by: int) -> Remedy | None:
    """Return the change of the context that saves `short_by` bytes: a quantised cache, else fewer tokens.

    The context is never made smaller than what is in it.
    """
    plan, context = plan_of(seen), seen.record.estimated_context
    if plan is None or not context or plan.ctx_size <= 0:
        return None
    plain = (plan.cache_type_k, plan.cache_type_v) == ("f16", "f16")
    if plain and plan.flash_attn is not FlashAttention.OFF and context * SAVED >= short_by:
        return _remedy(seen, plan, replace(plan, cache_type_k=QUANTISED, cache_type_v=QUANTISED))
    size = int(plan.ctx_size * (context - short_by) / context) // STEP * STEP
    if size < max(SMALLEST_CONTEXT, seen.record.context_used or 0):
        return None
    return _remedy(seen, plan, replace(plan, ctx_size=size))


def fewer_layers(seen: SessionSeen, short_by: int) -> Remedy | None:
    """Return the change that takes so many layers off the cards that `short_by` bytes of them are free."""
    plan, held = plan_of(seen), seen.record.estimated_vram
    if plan is None or not held or plan.n_gpu_layers <= 0:
        return None
    layers = -(-short_by * plan.n_gpu_layers // held)
    if layers >= plan.n_gpu_layers:
        return None
    return _remedy(seen, plan, replace(plan, n_gpu_layers=plan.n_gpu_layers - layers))


def droppable(seen: SessionSeen) -> Remedy | None:
    """Return the change that keeps weights as pages of their file: the system drops those instead of swapping."""
    plan = plan_of(seen)
    if plan is None or (plan.load_mode.mapped and not plan.load_mode.locked):
        return None
    return Remedy(seen.record.id, replace(plan, load_mode=LoadMode.MMAP), f"load mode {LoadMode.MMAP.value}")


def _remedy(seen: SessionSeen, before: LoadPlan, after: LoadPlan) -> Remedy:
    return Remedy(seen.record.id, after, difference_text(after, before))
