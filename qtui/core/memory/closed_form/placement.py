"""Which device each layer and each tensor goes to (llama-model.cpp, load_tensors; llama-model-loader.cpp)."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from qtui.core.memory.closed_form.backends import Card
from qtui.core.memory.closed_form.table import Place, Row
from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadPlan

EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""LLM_FFN_EXPS_REGEX (llama.cpp, common/common.h)."""

Override = tuple[re.Pattern[str], int | None]
"""What matches goes to this card, None: to RAM."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the layers of one plan go: a card's index, or None for RAM."""

    blocks: tuple[int | None, ...]
    output: int | None
    overrides: tuple[Override, ...] = ()
    unread: tuple[str, ...] = ()
    """Patterns that Python cannot read; llama.cpp's are ECMAScript's, which differ in corners."""

    def of(self, row: Row) -> int | None:
        """Return the card that a tensor goes to, None: RAM."""
        for pattern, target in self.overrides:
            if pattern.search(row.name):
                return target
        return self.layer_of(row)

    def layer_of(self, row: Row) -> int | None:
        """Return the card of a tensor's layer, before any override."""
        if row.place is Place.INPUT:
            return None
        if row.place is Place.OUTPUT:
            return self.output
        return self.blocks[row.layer] if row.layer < len(self.blocks) else None

    @property
    def offloaded(self) -> bool:
        """Tell whether every layer is on a card, the output's too."""
        return self.output is not None and None not in self.blocks


def placement(plan: LoadPlan, layers: int, cards: Sequence[Card]) -> Placement:
    """Place the `layers` blocks of a model and its output layer.

    The output layer counts as the last one, so it is offloaded first; with several cards a layer goes to the first
    whose share, added up, exceeds the layer's own. Shares are `--tensor-split`, else what is free on each card.
    """
    overrides, unread = _overrides(plan, cards)
    if not cards:
        return Placement((None,) * layers, None, overrides, unread)
    wanted = layers + 1 if plan.n_gpu_layers in (ALL_LAYERS, AUTO) else plan.n_gpu_layers
    start = max(layers + 1 - wanted, 0)
    active = min(wanted, layers + 1)
    ends = _shares(plan, cards)
    where = [None if i < start else bisect_right(ends, _single((i - start) / active)) for i in range(layers + 1)]
    where = [None if card is None else min(card, len(cards) - 1) for card in where]
    return Placement(tuple(where[:layers]), where[layers], overrides, unread)


def _shares(plan: LoadPlan, cards: Sequence[Card]) -> list[float]:
    """Return the cards' shares, added up to 1, in single precision as llama.cpp computes them."""
    given = (*plan.tensor_split, *(0.0,) * len(cards))[: len(cards)]
    if not any(given):
        given = tuple(float(card.free or 0) for card in cards)
        if not all(given):
            given = (1.0,) * len(cards)
    total = 0.0
    sums = [total := _single(total + _single(share)) for share in given]
    return [_single(part / total) for part in sums]


def _single(value: float) -> float:
    """Round to single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _overrides(plan: LoadPlan, cards: Sequence[Card]) -> tuple[tuple[Override, ...], tuple[str, ...]]:
    """Return the overrides in the order in which they are tried: the user's own, then the experts'."""
    if not (plan.override_tensor or plan.cpu_moe or plan.n_cpu_moe):
        return (), ()
    names = {card.buffer_type: index for index, card in enumerate(cards)}
    found: list[Override] = []
    unread = []
    for pattern, buffer_type in plan.override_tensor:
        compiled = _compiled(pattern)
        if compiled is None:
            unread.append(pattern)
        else:
            found.append((compiled, names.get(buffer_type)))
    if plan.cpu_moe:
        found.append((re.compile(EXPERTS), None))
    elif plan.n_cpu_moe:
        blocks = "|".join(str(layer) for layer in range(plan.n_cpu_moe))
        found.append((re.compile(rf"blk\.(?:{blocks}){EXPERTS}"), None))
    return tuple(found), tuple(unread)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
