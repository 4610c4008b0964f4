"""The compute buffer: an estimate of what llama.cpp's graph allocator needs for the largest graph.

The allocator reuses memory between the layers, so the largest of a few moments within one layer decides: the
feed-forward, the experts, the attention, the scan, or the logits. Each term counts what is alive at its moment, in
rows of 4 bytes per token. Fitted on dry runs of 35 models; see `docs/memory.md` for how far off it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.memory.closed_form.context import Cells
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.closed_form.table import ModelTable

F32 = 4
_ONE_MATRIX = frozenset({"nemotron_h_moe"})
"""Experts without a gate."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the moments of one layer need; bytes. Each includes what is alive beside it."""

    feed_forward: int
    """0 where no layer has one that is no expert's."""
    experts: int
    attention: int
    scan: int
    logits: int
    """Where the logits are made."""
    head: int
    """The logits alone, with the rows that they are made of."""
    mask: int
    """The attention's masks, which are inputs."""
    embedding: int
    """One row of the model's width per token: the token embedding's, and what goes from layer to layer."""
    feed_forward_row: int
    """One of the feed-forward's width per token."""
    expert_rows: int
    """What the experts of one layer compute."""
    expert_outputs: int
    """What comes out of them, before it is added up."""

    @property
    def layer(self) -> int:
        """Return the largest moment within a layer."""
        return max(self.feed_forward, self.experts, self.attention, self.scan)

    @property
    def peak(self) -> int:
        """Return the buffer where one device computes everything."""
        return max(self.layer, self.logits)


@dataclass(frozen=True, slots=True)
class Masks:
    """The attention's masks: one for layers that attend to everything, one for those with a window.

    They are inputs: made before the first layer, given back after the last layer that reads them.
    """

    full: int
    sliding: int
    last_full: int
    last_sliding: int

    @property
    def total(self) -> int:
        """Return the bytes of both."""
        return self.full + self.sliding

    def after(self, layer: int) -> int:
        """Return the bytes that are still needed once a layer has attended."""
        return (self.full if self.last_full > layer else 0) + (self.sliding if self.last_sliding > layer else 0)


def compute_terms(
    table: ModelTable, hyper: Hyper, cut: Cells, *, outputs: int, flash: bool, cache_element: int = 2
) -> Terms:
    """Return the terms of one plan.

    `outputs` is the most rows of logits asked for at once, `cache_element` the bytes of an unquantised cache's element.
    """
    tokens = _up(cut.ubatch, cut.sequences)
    masks = _masks(hyper, cut, tokens, flash)
    queries = max(hyper.heads) * (hyper.head_k if hyper.latent is None else 0) or hyper.embedding
    hole = min(queries, 4 * hyper.embedding)
    base = 3 * hyper.embedding + hole
    feed = experts = attention = 0
    if table.feed_forward:
        width = _feed_forward(table.feed_forward, table.gated, hyper.embedding, hole) + base
        feed = masks.after(table.first_feed_forward) + F32 * tokens * width
    if hyper.experts_used:
        experts = masks.after(table.first_experts) + F32 * tokens * (_experts(hyper) + base)
    if any(hyper.kinds.attention):
        attention = _attention(hyper, cut, tokens, masks.total, flash=flash, cache_element=cache_element)
    rows = min(tokens, outputs)
    vocabulary = F32 * rows * (table.vocabulary or 0)
    return Terms(
        feed_forward=feed,
        experts=experts,
        attention=attention,
        scan=_scan(hyper, cut, tokens, masks),
        logits=vocabulary + _before_logits(hyper, tokens, masks.total),
        head=vocabulary + F32 * rows * hyper.embedding,
        mask=masks.total,
        embedding=F32 * tokens * hyper.embedding,
        feed_forward_row=F32 * tokens * (table.feed_forward or 0),
        expert_outputs=F32 * tokens * hyper.experts_used * hyper.embedding,
        expert_rows=F32 * tokens * _experts(hyper) if hyper.experts_used else 0,
    )


def _scan(hyper: Hyper, cut: Cells, tokens: int, masks: Masks) -> int:
    """Return the moment of a state-space layer, 0 where there is none."""
    scan = hyper.scan
    if scan is None:
        return 0
    inner = scan.inner + 2 * max(1, scan.groups) * scan.state
    rows = (scan.inner + inner + scan.time_step_rank) + 2 * inner + 2 * scan.inner + hyper.embedding
    alive = masks.after(hyper.kinds.recurrent.index(True) - 1) if any(hyper.kinds.recurrent) else 0
    return alive + F32 * tokens * rows + F32 * scan.inner * scan.state * cut.sequences


def _masks(hyper: Hyper, cut: Cells, tokens: int, flash: bool) -> Masks:
    """Return the masks, f16 with flash attention."""
    element = 2 if flash else 4
    attends = [layer for layer, keeps in enumerate(hyper.kinds.attention) if keeps]
    full = [layer for layer in attends if not hyper.window.sliding[layer]]
    sliding = [layer for layer in attends if hyper.window.sliding[layer]]
    return Masks(
        element * tokens * cut.per_sequence if full else 0,
        element * tokens * cut.sliding if sliding else 0,
        max(full, default=-1),
        max(sliding, default=-1),
    )


def _feed_forward(width: int, gated: bool, embedding: int, hole: int) -> int:
    """Return the elements per token that are alive in a dense feed-forward.

    A narrow one fits into what the attention left free.
    """
    if not gated:
        return width + embedding
    return (2 if width <= embedding + hole else 3) * width


def _experts(hyper: Hyper) -> int:
    """Return the elements per token that are alive while experts compute."""
    inner = hyper.experts_used * hyper.expert_feed_forward
    outer = hyper.experts_used * hyper.embedding
    matrices = 1 if hyper.architecture in _ONE_MATRIX else 3
    if outer > (matrices - 1) * inner:
        return matrices * inner + outer
    return max(matrices * inner, inner + outer)


def _attention(hyper: Hyper, cut: Cells, tokens: int, mask: int, *, flash: bool, cache_element: int) -> int:
    """Return the largest moment of the attention: with scores without flash attention, decompressed for MLA."""
    heads = max(hyper.heads)
    key, value = max(hyper.heads_kv) * hyper.head_k, max(hyper.heads_kv) * hyper.head_v
    queries = heads * hyper.head_k
    rows = 3 * hyper.embedding + 2 * queries + key + value
    moments = [mask + F32 * tokens * rows]
    if hyper.latent is not None:
        width = hyper.latent.key_length + hyper.rotary + hyper.head_v + hyper.head_k
        moments.append(mask + F32 * tokens * (heads * width + 4 * hyper.embedding))
        rows = hyper.embedding + queries + 2 * heads * hyper.head_v
    if not flash:
        every = any(a and not s for a, s in zip(hyper.kinds.attention, hyper.window.sliding, strict=True))
        keys = cut.per_sequence if every else cut.sliding
        scores = F32 * tokens * heads * keys
        if hyper.latent is not None:  # V is cut out of K and turned, in the cache's type
            scores += hyper.head_v * keys * cache_element
        moments.append(mask + scores + F32 * tokens * rows)
    return max(moments)


def _before_logits(hyper: Hyper, tokens: int, mask: int) -> int:
    """Return what is alive beside the logits."""
    if hyper.latent is not None:
        return F32 * tokens * (hyper.experts_used + 4) * hyper.embedding
    if hyper.architecture == "qwen3next":
        return mask + F32 * tokens * 3 * hyper.embedding
    return F32 * tokens * 2 * hyper.embedding


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
