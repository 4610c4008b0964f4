"""Bytes of weights per buffer type, and what of the files a mapping must keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qtui.core.memory.closed_form.backends import CPU_ALIGNMENT, Devices
from qtui.core.memory.closed_form.placement import Placement
from qtui.core.memory.closed_form.table import ModelTable, Place, Row
from qtui.core.memory.layout import LAZY_ABOVE, LAZY_ARCHITECTURES, LAZY_TENSOR, FileLayout

UPLOAD_STAGING = 4 << 20
"""Four buffers of 1 MiB, through which cards that work asynchronously are filled (llama-model-loader.cpp)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights lie; bytes with padding."""

    plain: int
    """In RAM as they are in the file."""
    repacked: int
    """In RAM, stored anew for this CPU."""
    cards: tuple[int, ...]
    layout: FileLayout
    largest_on_host: int
    """The largest matrix that stays in RAM."""
    parted: frozenset[str]
    """What stays in RAM of layers that are a card's: `experts`, `feed forward` whole, or what goes `down` of it."""
    held: frozenset[tuple[int, str]]
    """(card, part) of what cards hold."""


@dataclass(slots=True)
class _Span:
    """From the first to the end of the last byte in use of one file."""

    first: int
    last: int


def place_weights(table: ModelTable, where: Placement, devices: Devices) -> Weights:
    """Place every tensor.

    Blocks for prediction are left out, as llama.cpp leaves them out unless asked. A tied output is a second copy of
    the token embedding where the two lie in different buffer types. A CPU buffer type of a card's pinned memory goes
    before those that repack, so that with such a card nothing is repacked.
    """
    rules = {} if devices.cards and devices.cards[0].backend.pinned else dict(devices.repack)
    cards = [0] * len(devices.cards)
    plain = repacked = largest = widest = lazy = on_host = 0
    spans: dict[int, _Span] = {}
    parted: set[str] = set()
    held: set[tuple[int, str]] = set()
    for row, card in _placed(table, where):
        if card is not None:
            cards[card] += devices.cards[card].padded(row.type_id, row.row, row.size)
            uploads = devices.cards[card].backend.uploads
            largest = max(largest, min(row.size, UPLOAD_STAGING) if uploads else row.size)
            if row.matrix:
                held.add((card, _part(row)))
            continue
        padded = -(-row.size // CPU_ALIGNMENT) * CPU_ALIGNMENT
        divisor = rules.get(row.type_id)
        if row.matrix and row.place is not Place.INPUT:
            on_host = max(on_host, row.size)
            if where.overrides and where.layer_of(row) is not None:
                parted.add(_part(row))
            if divisor and row.rows % divisor == 0:
                repacked += padded
                largest = max(largest, row.size)
                continue
        plain += padded
        widest = max(widest, row.size)
        if row.name == LAZY_TENSOR and row.size > LAZY_ABOVE and table.architecture in LAZY_ARCHITECTURES:
            lazy += row.size
        span = spans.setdefault(row.file, _Span(row.offset, 0))
        span.first, span.last = min(span.first, row.offset), max(span.last, row.offset + row.size)
    if table.tied is not None:
        copy, staged = _tied(table.tied, where, devices, rules, cards)
        repacked, largest = repacked + copy, max(largest, staged)
    layout = FileLayout(
        file_bytes=sum(table.file_sizes),
        host_span=sum(span.last - span.first for span in spans.values()),
        host_end=sum(span.last for span in spans.values()),
        largest_tensor=largest,
        largest_plain=widest,
        lazy=lazy,
    )
    return Weights(plain, repacked, tuple(cards), layout, on_host, frozenset(parted), frozenset(held))


def _part(row: Row) -> str:
    """Tell which part of a layer a matrix is, as far as what it computes is large."""
    if "exps." in row.name:
        return "experts"
    if ".ffn_up." in row.name or ".ffn_gate." in row.name:
        return "feed forward"
    return "down" if ".ffn_down." in row.name else "other"


def _placed(table: ModelTable, where: Placement) -> Iterator[tuple[Row, int | None]]:
    """Yield every tensor that is loaded with its card; one that every block has, once per device."""
    blocks = table.hyper.blocks if table.hyper is not None else table.layers
    for row in table.rows:
        if row.place is Place.BLOCK and row.layer >= blocks:
            continue
        if row.place is Place.EVERY_BLOCK and not any(pattern.search(row.name) for pattern, _ in where.overrides):
            for card in dict.fromkeys(where.blocks[:blocks]) if blocks else (None,):
                yield row, card
            continue
        yield row, where.of(row)


def _tied(tied: Row, where: Placement, devices: Devices, rules: dict[int, int], cards: list[int]) -> tuple[int, int]:
    """Add the output's copy of the token embedding; return what it adds in RAM, and what is staged for it."""
    embedding = where.of(tied)
    forced = any(pattern.search(tied.name) for pattern, _ in where.overrides)
    target = embedding if forced else where.output
    if target is not None:
        if target != embedding:
            cards[target] += devices.cards[target].padded(tied.type_id, tied.row, tied.size)
        return 0, 0 if devices.cards[target].backend.uploads else tied.size
    divisor = rules.get(tied.type_id)
    if divisor and tied.rows % divisor == 0:
        return -(-tied.size // CPU_ALIGNMENT) * CPU_ALIGNMENT, tied.size
    return 0, 0
