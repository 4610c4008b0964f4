"""One line of reason per choice of a search: what was wanted, and by how much one step more is short."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qtui.core.memory.fit.placing import layers_asked
from qtui.core.memory.fit.scale import Scale
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import size


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one option, and why."""

    option: str
    """LoadPlan's name."""
    value: Any
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return one entry of `reasons`."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"option": self.option, "value": value, "reason": self.reason}


def choices_of(scale: Scale, asked: LoadPlan, plan: LoadPlan, step: int) -> tuple[Choice, ...]:
    """Return the choices that made `plan` out of `asked`; `step` is that of contexts, in tokens."""
    choices = [_context(scale, asked, plan, step)]
    if scale.probe.cards:
        choices.append(_layers(scale, asked, plan))
        if plan.tensor_split != asked.tensor_split:
            choices.append(_shares(scale, asked, plan))
        if scale.probe.experts and plan.n_gpu_layers and not asked.cpu_moe:
            choices.append(_experts(scale, asked, plan))
    return *choices, _cache(scale, asked, plan)


def pool_name(pool: str) -> str:
    """Return a pool as sentences name it: `RAM`, `GPU0`."""
    return "RAM" if pool == "ram" else pool.replace("vram", "GPU")


def short(scale: Scale, plan: LoadPlan) -> str:
    """Return by how much a plan does not fit, or why llama.cpp would refuse it."""
    weighed = scale.weigh(plan)
    if weighed.footprint is None:
        return f"is refused: {weighed.verdict.reason}"
    if weighed.fits:
        return "fits too"
    return f"is short by {size(weighed.verdict.short_by)} in {pool_name(weighed.verdict.pool)}"


def _context(scale: Scale, asked: LoadPlan, plan: LoadPlan, step: int) -> Choice:
    if plan.ctx_size == asked.ctx_size:
        return Choice("ctx_size", plan.ctx_size, f"context {plan.ctx_size}, as asked")
    more = min(asked.ctx_size, (plan.ctx_size // step + 1) * step)
    why = short(scale, replace(plan, ctx_size=more))
    return Choice("ctx_size", plan.ctx_size, f"context {plan.ctx_size} of {asked.ctx_size} asked: {more} {why}")


def _layers(scale: Scale, asked: LoadPlan, plan: LoadPlan) -> Choice:
    wanted, most = layers_asked(scale, asked), scale.probe.layers + 1
    count = plan.n_gpu_layers
    if count == wanted:
        text = f"all {most} layers on the GPU" if wanted == most else f"{count} of {most} layers on the GPU, as asked"
        return Choice("n_gpu_layers", count, text)
    # With shares in whole layers the last card would take one more.
    shares = (*plan.tensor_split[:-1], plan.tensor_split[-1] + 1) if plan.tensor_split and count else ()
    more = replace(plan, n_gpu_layers=count + 1, tensor_split=shares or plan.tensor_split)
    text = f"{count} of {most} layers on the GPU: with {count + 1} it {short(scale, more)}"
    return Choice("n_gpu_layers", count, text)


def _shares(scale: Scale, asked: LoadPlan, plan: LoadPlan) -> Choice:
    shares = ",".join(f"{share:g}" for share in plan.tensor_split)
    why = short(scale, replace(plan, tensor_split=asked.tensor_split))
    return Choice("tensor_split", plan.tensor_split, f"layers per GPU {shares}: by free memory it {why}")


def _experts(scale: Scale, asked: LoadPlan, plan: LoadPlan) -> Choice:
    count = plan.n_cpu_moe
    if count == asked.n_cpu_moe:
        text = f"experts of {count} layers in RAM, as asked" if count else "no experts in RAM"
        return Choice("n_cpu_moe", count, text)
    why = short(scale, replace(plan, n_cpu_moe=count - 1))
    text = f"experts of {count} of {scale.probe.layers} layers in RAM: with {count - 1} it {why}"
    return Choice("n_cpu_moe", count, text)


def _cache(scale: Scale, asked: LoadPlan, plan: LoadPlan) -> Choice:
    chosen, wanted = _cache_text(plan), _cache_text(asked)
    value = {"k": plan.cache_type_k, "v": plan.cache_type_v}
    if chosen == wanted:
        return Choice("cache_type", value, f"KV cache {chosen}, as asked")
    why = short(scale, replace(plan, cache_type_k=asked.cache_type_k, cache_type_v=asked.cache_type_v))
    return Choice("cache_type", value, f"KV cache {chosen}: with {wanted} it {why}")


def _cache_text(plan: LoadPlan) -> str:
    k, v = plan.cache_type_k, plan.cache_type_v
    return k if k == v else f"{k}/{v}"
