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
LATE = frozenset({"gpt-oss", "qwen3next", "qwen35", "qwen35moe"})
"""Choose the rows for the logits after the last layer; the others within it, so that it computes few."""
MEASURED_CARD_BAND = 0.15
CARD_BAND = 0.4
PARTIAL_BAND = 0.5
"""Where layers are divided, besides a few rows of the model's width for what goes between devices."""


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

    What llama.cpp makes of a graph over several devices; compared with its own account over loopback RPC devices,
    which are cards to it: see `docs/memory.md`.
    """
    cards = load.devices.cards
    if not cards:
        return Compute(terms.peak, (), round(band * terms.peak), ())
    whole = load.where.offloaded and not load.where.overrides and not load.plan.no_kv_offload
    piped = whole and len(cards) > 1 and all(card.backend.pipelines for card in cards)
    sizes = [_on_card(index, terms, load, whole=whole, piped=piped) for index in range(len(cards))]
    bands = []
    for card, size in zip(cards, sizes, strict=True):
        spread = (MEASURED_CARD_BAND if card.backend.measured else CARD_BAND) if whole else PARTIAL_BAND
        least = 0 if whole and len(cards) == 1 else COPIES * terms.embedding
        bands.append(max(round(max(band, spread) * size), least))
    host = _in_ram(terms, load, piped=piped)
    spread = max(band, MEASURED_CARD_BAND) if whole else PARTIAL_BAND
    return Compute(host, tuple(sizes), round(spread * host), tuple(bands))


def _on_card(index: int, terms: Terms, load: Load, *, whole: bool, piped: bool) -> int:
    """Return the buffer of one card.

    The card of the first layer takes the embedding's rows from RAM; each later one takes what the layers before it
    made. Batches that are on their way at once need their inputs once each. With layers in RAM large batches bring
    the weights of those to the first card, one by one, where its backend does so.
    """
    blocks = load.where.blocks[: load.hyper.blocks]
    card = load.devices.cards[index]
    brings = index == 0 and card.backend.copies_weights and bool(load.weights.largest_on_host)
    copied = load.weights.largest_on_host + load.context.largest_on_host if brings else 0
    late = load.hyper.architecture in LATE
    if index not in blocks:
        head = terms.head + (4 * terms.embedding if late else 0) if load.where.output == index else 0
        return max(head, terms.layer) + copied if copied else head
    last_only = [i for i, where in enumerate(blocks) if where == index] == [len(blocks) - 1]
    size = _moments(index, terms, load, bool(copied))
    if last_only and not late and not copied and terms.attention:
        size = terms.attention
    if blocks[0] == index:
        size -= 0 if load.plan.no_kv_offload else terms.embedding
        size += (terms.embedding + (COPIES - 1) * (terms.embedding + terms.mask)) if piped else 0
    elif not copied:
        size -= 0 if load.hyper.experts_used else 2 * terms.embedding
        size += ((2 * COPIES + 1) * terms.embedding + (COPIES - 1) * terms.mask) if piped else 0
    if load.where.output == index:
        size = max(size, terms.logits - (terms.embedding if whole else 0))
    return max(0, size) + copied + (_widened(load) if card.backend.widens_cache else 0)


def _moments(index: int, terms: Terms, load: Load, brings: bool) -> int:
    """Return the largest moment of what a card computes: of the parts that it holds, or that it brings from RAM."""
    held, parted = load.weights.held, load.weights.parted
    parts = [terms.attention, terms.scan]
    if (index, "experts") in held or (brings and "experts" in parted):
        parts.append(terms.experts)
    elif "experts" in parted:  # what they made comes back from RAM
        parts.append(terms.attention + terms.expert_outputs)
    dense = {"feed forward", "down"}
    if any((index, part) in held for part in dense) or (brings and dense & parted):
        parts.append(terms.feed_forward)
    return max(parts)


def _in_ram(terms: Terms, load: Load, *, piped: bool) -> int:
    """Return the buffer in RAM: inputs, and what layers or parts of them compute there."""
    inputs = 2 * terms.embedding + terms.mask
    if piped:
        return terms.embedding + COPIES * (terms.embedding + terms.mask)
    if any(card.backend.copies_weights for card in load.devices.cards):
        stays = None in load.where.blocks[: load.hyper.blocks]
        return max(inputs, terms.attention) if stays else inputs
    if load.where.output is None:
        return terms.peak
    if None in load.where.blocks[: load.hyper.blocks]:
        return max(inputs, terms.layer)
    parted = load.weights.parted
    added = [0]
    if "experts" in parted:
        added.append(terms.expert_rows)
    if "feed forward" in parted:
        added.append(3 * terms.feed_forward_row)
    elif "down" in parted:
        added.append(terms.feed_forward_row)
    return inputs + max(added)


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
