"""The compute buffer over devices: which part of it lies on which card, and how far off each may be."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.memory.closed_form.backends import Devices
from qtui.core.memory.closed_form.compute import Terms
from qtui.core.memory.closed_form.context import Cells, ContextBytes
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.closed_form.placement import Placement
from qtui.core.memory.closed_form.weights import Weights
from qtui.core.memory.plan import LoadPlan

COPIES = 4
"""Batches that may be on their way at once (GGML_SCHED_MAX_COPIES)."""
MEASURED_CARD_BAND = 0.15
CARD_BAND = 0.4
PARTIAL_BAND = 0.5


@dataclass(frozen=True, slots=True)
class Compute:
    """Bytes per place, and how far off they may be."""

    host: int
    cards: tuple[int, ...]
    host_band: int
    card_bands: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """All that the split depends on."""

    hyper: Hyper
    plan: LoadPlan
    cut: Cells
    where: Placement
    devices: Devices
    weights: Weights
    context: ContextBytes
    flash: bool


def split_compute(terms: Terms, load: Load, band: float) -> Compute:
    """Return the compute buffers. `band` is how far off the terms are, as a fraction.

    All layers on cards: each card computes its own, the first takes the embedding's rows from RAM, the one with the
    output makes the logits. Partly: both sides compute, and large batches bring the weights of layers in RAM to the
    first card one by one. Without a card: one buffer.
    """
    cards = load.devices.cards
    if not cards:
        return Compute(terms.peak, (), round(band * terms.peak), ())
    blocks = load.where.blocks[: load.hyper.blocks]
    full = load.where.offloaded and not load.where.overrides and not load.plan.no_kv_offload
    piped = full and len(cards) > 1 and all(card.backend.pipelines for card in cards)
    sizes, bands = [], []
    for index, card in enumerate(cards):
        own = terms.layer if index in blocks else 0
        if load.where.output == index:
            own = max(own, terms.logits)
        size = max(0, own - (terms.embedding if full and index == min(_used(load)) else 0))
        if piped and own:
            size += (COPIES - 1) * (terms.mask + terms.embedding)
        if index == 0 and card.backend.copies_weights and load.weights.largest_on_host:
            size = max(size, terms.embedding) + load.weights.largest_on_host + load.context.largest_on_host
        if index in blocks and card.backend.widens_cache:
            size += _widened(load)
        sizes.append(size)
        spread = (MEASURED_CARD_BAND if card.backend.measured else CARD_BAND) if full else PARTIAL_BAND
        bands.append(round(max(band, spread) * size))
    host = terms.embedding + terms.mask
    if None in blocks or load.plan.no_kv_offload:
        host = max(host, terms.layer)
    if load.where.output is None:
        host = max(host, terms.logits)
    host_spread = max(band, MEASURED_CARD_BAND) if full else PARTIAL_BAND
    return Compute(host, tuple(sizes), round(host_spread * host), tuple(bands))


def _used(load: Load) -> list[int]:
    """Return the cards that hold layers."""
    found = {card for card in (*load.where.blocks, load.where.output) if card is not None}
    return sorted(found) or [0]


def _widened(load: Load) -> int:
    """Return the f16 copies of one layer's K and V that flash attention makes of a cache of another type.

    Without a copy of V for MLA (ggml-cuda/fattn-common.cuh).
    """
    plan, hyper = load.plan, load.hyper
    if not load.flash or (plan.cache_type_k == "f16" and plan.cache_type_v == "f16"):
        return 0
    attends = [layer for layer, keeps in enumerate(hyper.kinds.attention) if keeps]
    if not attends:
        return 0
    rows = load.cut.per_sequence * load.cut.streams
    widths = [hyper.widths(layer) for layer in attends]
    keys = max(k for k, _ in widths) if plan.cache_type_k != "f16" else 0
    values = max(v for _, v in widths) if plan.cache_type_v != "f16" and hyper.latent is None else 0
    return 2 * rows * (keys + values)
