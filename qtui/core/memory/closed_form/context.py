"""Bytes of the context: K and V of the layers that attend, state of those that are recurrent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.gguf import types
from qtui.core.gguf.types import TYPE_IDS
from qtui.core.memory.closed_form.backends import CPU_ALIGNMENT, Card
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.plan import LoadPlan

CELLS = 256
"""The context and the cache of sliding windows are rounded up to so many tokens (llama-context.cpp)."""
F32 = 0


@dataclass(frozen=True, slots=True)
class Cells:
    """How a plan's context is cut; tokens."""

    per_sequence: int
    streams: int
    """Sequences with a cache of their own; 1 where all share one."""
    sequences: int
    sliding: int
    """Tokens that layers with a window keep, per stream."""
    ubatch: int
    """Tokens computed at once."""
    batch: int


def cells(hyper: Hyper, plan: LoadPlan, unified: bool) -> Cells:
    """Return how the context is cut (llama-context.cpp, llama-kv-cache-iswa.cpp).

    `unified`: all sequences share one cache.
    """
    total = _up(plan.ctx_size, CELLS)
    sequences = max(1, plan.parallel)
    per_sequence, streams = (total, 1) if unified else (_up(total // sequences, CELLS), sequences)
    batch = min(plan.ctx_size, plan.batch_size)
    ubatch = min(batch, plan.ubatch_size)
    window = hyper.window.tokens * (sequences if unified else 1) + ubatch
    sliding = per_sequence if plan.swa_full else _up(min(per_sequence, window), CELLS)
    return Cells(per_sequence, streams, sequences, sliding, ubatch, batch)


@dataclass(frozen=True, slots=True)
class ContextBytes:
    """Bytes of the context where they lie."""

    host: int
    cards: tuple[int, ...]
    largest_on_host: int = 0
    """One layer's K and V in RAM although the layer is a card's."""


def context_bytes(
    hyper: Hyper, plan: LoadPlan, cut: Cells, where: Sequence[int | None], cards: Sequence[Card], *, flash: bool
) -> ContextBytes:
    """Return the bytes of the context; `where` tells each block's card, `flash` whether flash attention is used.

    Without it V is stored transposed, and every layer's is as wide as the widest. MLA keeps no V. Source:
    llama-kv-cache.cpp, llama-memory-recurrent.cpp.

    Raises:
        ValueError: the rows of K or V are no whole number of blocks of the cache's type.
    """
    type_k, type_v = TYPE_IDS[plan.cache_type_k.upper()], TYPE_IDS[plan.cache_type_v.upper()]
    widest = max(hyper.widths(layer)[1] for layer in range(hyper.layers))
    host, largest = 0, 0
    on_cards = [0] * len(cards)
    for layer in range(hyper.layers):
        attends, recurs = hyper.kinds.attention[layer], hyper.kinds.recurrent[layer]
        if not (attends or recurs):
            continue
        card = None if plan.no_kv_offload else where[layer]
        size = 0
        if attends:
            k, v = hyper.widths(layer)
            rows = (cut.sliding if hyper.window.sliding[layer] else cut.per_sequence) * cut.streams
            size += _tensor(type_k, k, rows, cards, card)
            if hyper.latent is None:
                size += _tensor(type_v, v if flash else widest, rows, cards, card)
        if recurs:
            size += _tensor(F32, hyper.state_r, cut.sequences, cards, card)
            size += _tensor(F32, hyper.state_s, cut.sequences, cards, card)
        if card is None:
            host += size
            largest = max(largest, size if where[layer] is not None else 0)
        else:
            on_cards[card] += size
    return ContextBytes(host, tuple(on_cards), largest)


def _tensor(type_id: int, width: int, rows: int, cards: Sequence[Card], card: int | None) -> int:
    """Return the bytes of one cache tensor with its padding."""
    size = (types.row_size(type_id, width) or 0) * rows
    if card is not None:
        return cards[card].padded(type_id, width, size) if size else 0
    return _up(size, CPU_ALIGNMENT)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
