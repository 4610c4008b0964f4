"""Where layers and experts of one plan go, so that it fits: as many layers on cards as possible, then experts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from qtui.core.memory.fit.scale import Scale
from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadPlan

Test = Callable[[int], bool]


def place(scale: Scale, asked: LoadPlan) -> LoadPlan | None:
    """Return the plan with the most layers on cards, then the fewest experts in RAM, that fits; None: none does.

    Never more layers than asked, nor fewer experts in RAM. The cards' shares are llama.cpp's own; where with these
    not everything goes to the cards and the plan leaves them open, the cards are also filled one after the other,
    which puts on more where a split by free memory leaves one card short and another half empty.
    """
    if not scale.probe.cards:
        return asked if scale.fits(asked) else None
    top = layers_asked(scale, asked)
    plain = _place(scale, replace(asked, n_gpu_layers=top), _as_planned)
    if plain is not None and (plain.n_gpu_layers, plain.n_cpu_moe) == (top, asked.n_cpu_moe):
        return plain
    if scale.probe.cards == 1 or asked.tensor_split:
        return plain
    filled = _place(scale, replace(asked, n_gpu_layers=top), _filled)
    return max((found for found in (plain, filled) if found is not None), key=rank, default=None)


def placed_text(plan: LoadPlan, asked: LoadPlan) -> str:
    """Return how a placement differs from the one asked: `fits with 28 of 37 layers on the GPU`; both resolved."""
    parts = []
    if plan.n_gpu_layers != asked.n_gpu_layers:
        parts.append(f"{plan.n_gpu_layers} of {asked.n_gpu_layers} layers on the GPU")
    if plan.n_cpu_moe != asked.n_cpu_moe:
        parts.append(f"the experts of {plan.n_cpu_moe} layers in RAM")
    if plan.tensor_split != asked.tensor_split:
        parts.append(f"{_split_text(plan)} layers per GPU")
    return f"fits with {', '.join(parts)}"


def placement_options(plan: LoadPlan, asked: LoadPlan) -> str:
    """Return the options that make the placement out of the one asked."""
    options = []
    if plan.n_gpu_layers != asked.n_gpu_layers:
        options.append(f"--n-gpu-layers {plan.n_gpu_layers}")
    if plan.n_cpu_moe != asked.n_cpu_moe:
        options.append(f"--n-cpu-moe {plan.n_cpu_moe}")
    if plan.tensor_split != asked.tensor_split:
        options.append(f"--tensor-split {_split_text(plan)}")
    return " ".join(options)


def _split_text(plan: LoadPlan) -> str:
    return ",".join(f"{share:g}" for share in plan.tensor_split)


def layers_asked(scale: Scale, asked: LoadPlan) -> int:
    """Return how many layers a plan asks for, the output layer counted."""
    most = scale.probe.layers + 1
    return most if asked.n_gpu_layers in (ALL_LAYERS, AUTO) else min(asked.n_gpu_layers, most)


def rank(plan: LoadPlan) -> tuple[int, int, bool]:
    """Return what makes one placement better than another: layers, then experts on cards, then no shares to set."""
    return plan.n_gpu_layers, -plan.n_cpu_moe, not plan.tensor_split


def most(low: int, high: int, holds: Test) -> int | None:
    """Return the largest number of a range for which a test holds that holds up to some number; None: for none.

    The upper end is tested first, also because a plan that is whole may need less than one that almost is.
    """
    if high < low:
        return None
    if holds(high):
        return high
    if not holds(low):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def least(low: int, high: int, holds: Test) -> int | None:
    """Return the smallest number of a range for which a test holds that holds from some number on; None: for none."""
    found = most(-high, -low, lambda number: holds(-number))
    return None if found is None else -found


Shares = Callable[[Scale, LoadPlan], LoadPlan | None]
"""Gives a plan its shares; None where the cards are short however it is done."""


def _place(scale: Scale, asked: LoadPlan, shares: Shares) -> LoadPlan | None:
    layers = scale.probe.layers
    movable = scale.probe.experts and not asked.cpu_moe and asked.n_cpu_moe < layers
    light = replace(asked, n_cpu_moe=layers) if movable else asked
    found: dict[tuple[int, int], LoadPlan | None] = {}

    def shared(count: int, experts: int) -> LoadPlan | None:
        if (count, experts) not in found:
            found[count, experts] = shares(scale, replace(asked, n_gpu_layers=count, n_cpu_moe=experts))
        return found[count, experts]

    count = most(0, asked.n_gpu_layers, lambda number: shared(number, light.n_cpu_moe) is not None)
    if count is None:
        return None
    experts = asked.n_cpu_moe
    if movable:
        fewest = least(asked.n_cpu_moe, layers, lambda number: shared(count, number) is not None)
        experts = layers if fewest is None else fewest
    plan = shared(count, experts)
    return plan if plan is not None and scale.fits(plan) else None


def _as_planned(scale: Scale, plan: LoadPlan) -> LoadPlan | None:
    return plan if scale.cards_hold(plan) else None


def _filled(scale: Scale, plan: LoadPlan) -> LoadPlan | None:
    """Fill one card after the other; the last takes the rest. Shares are whole layers, which llama.cpp keeps to."""
    taken: list[int] = []
    for card in range(scale.probe.cards - 1):
        number = most(
            0, plan.n_gpu_layers - sum(taken), partial(_holds_with, scale, plan, tuple(taken), card)
        )  # fmt: skip
        if number is None:
            return None
        taken.append(number)
    filled = replace(plan, tensor_split=_shares(scale, plan, tuple(taken))) if plan.n_gpu_layers else plan
    return filled if scale.cards_hold(filled) else None


def _holds_with(scale: Scale, plan: LoadPlan, before: tuple[int, ...], card: int, number: int) -> bool:
    """Tell whether one card holds so many layers when those before it hold theirs and the last card the rest."""
    return scale.card_holds(replace(plan, tensor_split=_shares(scale, plan, (*before, number))), card)


def _shares(scale: Scale, plan: LoadPlan, taken: tuple[int, ...]) -> tuple[float, ...]:
    """Return the layers of each card: as many as taken, the rest on the last."""
    between = (0,) * (scale.probe.cards - len(taken) - 1)
    return tuple(map(float, (*taken, *between, plan.n_gpu_layers - sum(taken))))
