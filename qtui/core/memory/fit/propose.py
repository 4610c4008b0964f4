"""The proposal for a variant: the best plan that fits by the closed form, confirmed by llama.cpp."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtui.core.library.variant import Variant
from qtui.core.memory.fit.reasons import Choice, pool_name
from qtui.core.memory.fit.search import SMALLEST_CONTEXT, best_plan
from qtui.core.memory.footprint import Pools
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.options import flag
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit
from qtui.core.text import MIB, size

TRIES = 3
"""Dry runs at most: after one that says that it does not fit, the search keeps so much more free."""
CHOSEN = ("ctx_size", "n_gpu_layers", "tensor_split", "n_cpu_moe", "cache_type_k", "cache_type_v")
"""The options that a search sets."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan that fits, or why there is none."""

    weighing: Weighing
    """Of the plan that fits, else of the plan that was asked."""
    choices: tuple[Choice, ...] = ()
    """Empty where no plan fits."""
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Tell whether a plan that fits was found."""
        return bool(self.choices)


async def propose(
    guard: Guard,
    variant: Variant,
    plan: LoadPlan,
    *,
    smallest: int = SMALLEST_CONTEXT,
    giving_back: Pools = Pools(),
    fresh: bool = True,
) -> Proposal:
    """Search the best plan that fits what is free and let llama.cpp confirm it.

    Args:
        guard: knows what is free, and asks.
        variant: for which.
        plan: asked, not resolved: its context is the largest, its layers the most, its cache types the best that are
            proposed; all that is not searched stays as it is.
        smallest: the smallest context worth proposing.
        giving_back: held by sessions that would end for it.
        fresh: take a new sample of what is free.
    """
    asked = await guard.estimate(variant, plan, giving_back=giving_back, fresh=fresh)
    room = asked.headroom
    notes: list[str] = []
    for _ in range(TRIES):
        scale = await guard.scale(variant, asked.plan, room)
        found = best_plan(scale, asked.plan, min(smallest, asked.plan.ctx_size)) if scale is not None else None
        if found is None:
            break
        weighing = await guard.weigh(variant, found.plan, giving_back=giving_back, fresh=False)
        verdict = weighing.verdict
        if verdict.fit is Fit.FITS:
            return Proposal(weighing, found.choices, tuple(notes))
        if weighing.footprint is None:
            return Proposal(weighing, notes=tuple(notes))
        notes.append(
            f"llama.cpp needs {size(verdict.short_by)} more in {pool_name(verdict.pool)} than computed: searched again"
        )
        # A little more, so that the same plan cannot come out again.
        room = room.beside(_pools(verdict.pool, verdict.short_by + MIB))
    return Proposal(await guard.weigh(variant, plan, giving_back=giving_back, fresh=False), notes=tuple(notes))


def taken(plan: LoadPlan, proposed: LoadPlan, asked: LoadPlan) -> LoadPlan:
    """Return a plan with what was chosen otherwise than asked; what stays as asked may stay automatic.

    `plan` is not resolved, `proposed` and `asked` are; `asked` is what `plan` resolves to.
    """
    chosen = {name: getattr(proposed, name) for name in CHOSEN if getattr(proposed, name) != getattr(asked, name)}
    return replace(plan, **chosen, preset="") if chosen else plan


def with_choices(plan: LoadPlan, proposed: LoadPlan) -> LoadPlan:
    """Return a plan with all that a search chose."""
    return replace(plan, **{name: getattr(proposed, name) for name in CHOSEN}, engine=proposed.engine, preset="")


def difference_text(proposed: LoadPlan, asked: LoadPlan) -> str:
    """Return what a search chose otherwise than asked: `ctx 4096, KV q8_0, 28 layers on the GPU`; both resolved."""
    parts = [f"the {proposed.engine} engine"] if proposed.engine != asked.engine else []
    if proposed.ctx_size != asked.ctx_size:
        parts.append(f"ctx {proposed.ctx_size}")
    types = (proposed.cache_type_k, proposed.cache_type_v)
    if types != (asked.cache_type_k, asked.cache_type_v):
        parts.append(f"KV {'/'.join(dict.fromkeys(types))}")
    if proposed.n_gpu_layers != asked.n_gpu_layers:
        parts.append(f"{proposed.n_gpu_layers} layers on the GPU")
    if proposed.n_cpu_moe != asked.n_cpu_moe:
        parts.append(f"experts of {proposed.n_cpu_moe} layers in RAM")
    if proposed.tensor_split != asked.tensor_split:
        parts.append(f"split {','.join(f'{share:g}' for share in proposed.tensor_split)}")
    return ", ".join(parts)


def plan_options(plan: LoadPlan) -> str:
    """Return what a search chose as options of a command line; `plan` is resolved."""
    default = LoadPlan(n_gpu_layers=0)
    words = [flag("ctx_size"), str(plan.ctx_size)]
    for name in CHOSEN[1:]:
        value = getattr(plan, name)
        if value != getattr(default, name):
            words += [flag(name), ",".join(f"{share:g}" for share in value) if isinstance(value, tuple) else str(value)]
    return " ".join(words)


def _pools(pool: str, missing: int) -> Pools:
    if pool == "ram":
        return Pools(missing)
    card = int(pool.removeprefix("vram"))
    return Pools(vram=(*(0,) * card, missing))
