"""The footprint of a plan, computed at once: the closed form, in the shape that the dry run answers with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from qtui.core.errors import BadFileError, PlanRefusedError
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.accepts import accept
from qtui.core.memory.closed_form.backends import devices_of
from qtui.core.memory.closed_form.buffers import Compute, Load, split_compute
from qtui.core.memory.closed_form.compute import compute_terms
from qtui.core.memory.closed_form.context import cells, context_bytes
from qtui.core.memory.closed_form.exactness import CONTEXT_BAND, compute_band, is_exact, notes_of
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.closed_form.placement import placement
from qtui.core.memory.closed_form.repack import NAME as REPACKED
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.closed_form.weights import place_weights
from qtui.core.memory.consumers import consumer_of
from qtui.core.memory.extras import computed_extras
from qtui.core.memory.footprint import DeviceBytes, Footprint
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.pools import resident
from qtui.core.memory.side_files import SideFiles
from qtui.core.memory.unaccounted import ByCard, LeftOut
from qtui.core.origin import Origin
from qtui.core.ports import Described, Tables

MOST_LAYERS = 512
"""LLAMA_MAX_LAYERS (llama-hparams.h)."""


def footprint_of(
    table: ModelTable,
    plan: LoadPlan,
    info: EngineInfo,
    *,
    beside: SideFiles = SideFiles(),
    left_out: ByCard = MappingProxyType({}),
    title: str = "",
) -> Footprint:
    """Return the footprint of a resolved plan.

    Args:
        table: of the variant.
        plan: resolved; its engine decides what is reserved besides.
        info: the engine's devices and CPU features.
        beside: the plan's LoRA adapters and its projector.
        left_out: what past runs have shown that llama.cpp leaves out, by the card's description.
        title: names the model in a refusal.

    Raises:
        BadFileError: the header lacks what the memory depends on, or counts more layers than llama.cpp takes.
        PlanRefusedError: llama.cpp would refuse the plan; the message says why.
    """
    hyper = _hyper(table, title)
    devices = devices_of(info)
    try:
        flash = accept(hyper, plan, devices)
    except PlanRefusedError as error:
        raise PlanRefusedError(f"{title}: {error.message}" if title else error.message, error.hint) from None
    consumer = consumer_of(plan.engine)
    where = placement(plan, table.layers, devices.cards)
    weights = place_weights(table, where, devices)
    cut = cells(hyper, plan, consumer.shares_cache(plan))
    context = context_bytes(hyper, plan, cut, where.blocks, devices.cards, flash=flash)
    terms = compute_terms(
        table, hyper, cut,
        outputs=consumer.rows(plan), flash=flash, cache_element=4 if plan.cache_type_v == "f32" else 2,
    )  # fmt: skip
    load = Load(hyper, plan, cut, where, devices, weights, context, flash)
    compute = split_compute(terms, load, compute_band(table.architecture, plan, flash))
    rows = _rows(load, compute, 0.0 if is_exact(table.architecture) else CONTEXT_BAND)
    extra = (
        *computed_extras(
            table.vocabulary, table.tokenizer, plan, consumer,
            context=context.host + sum(context.cards),
            cards=[(card.name, card.description) for card in devices.cards],
            left_out=left_out,
        ),
        *beside.items(on_gpu=bool(devices.cards) and plan.n_gpu_layers != 0),
    )  # fmt: skip
    held = resident(rows, extra, plan.load_mode, weights.layout, len(devices.cards))
    return Footprint(
        plan=replace(plan, flash_attn=FlashAttention.ON if flash else FlashAttention.OFF),
        devices=rows,
        extra=extra,
        pools=held.pools,
        peak=held.peak,
        reclaimable=held.reclaimable,
        locked=held.locked,
        origin=Origin.COMPUTED,
        engine=plan.engine,
        notes=notes_of(table.architecture, table.unknown_types, where.unread),
    )


def _hyper(table: ModelTable, title: str) -> Hyper:
    hyper = table.hyper
    if hyper is None:
        raise BadFileError(
            f"{title or 'the file'} lacks the counts that its memory depends on (layers, heads, widths)",
            "It is no whole model, or was made for another program.",
        )
    if hyper.layers > MOST_LAYERS:
        raise BadFileError(
            f"{title or 'the file'} counts {hyper.layers} layers; llama.cpp takes 1 to {MOST_LAYERS}",
            "The header is damaged, or the file was made for another program.",
        )
    return hyper


def _rows(load: Load, compute: Compute, context_band: float) -> tuple[DeviceBytes, ...]:
    """Return one row per buffer type, as llama.cpp names them, those with nothing left out."""
    weights, context = load.weights, load.context
    rows = []
    for index, card in enumerate(load.devices.cards):
        band = compute.card_bands[index] + round(context_band * context.cards[index])
        rows.append(
            DeviceBytes(
                card.buffer_type, weights.cards[index], context.cards[index], compute.cards[index],
                Origin.COMPUTED, host=False, gpu=index, band=band,
            )
        )  # fmt: skip
    on_host = round(context_band * context.host)
    pinned = load.devices.host_name
    if pinned == "CPU":
        rows.append(DeviceBytes("CPU", weights.plain, context.host, compute.host, Origin.COMPUTED,
                                band=compute.host_band + on_host))  # fmt: skip
    else:
        rows.append(DeviceBytes("CPU", weights.plain, context.host, 0, Origin.COMPUTED, band=on_host))
        rows.append(DeviceBytes(pinned, 0, 0, compute.host, Origin.COMPUTED, band=compute.host_band))
    rows.append(DeviceBytes(REPACKED, weights.repacked, 0, 0, Origin.COMPUTED))
    return tuple(row for row in rows if row.total)


@dataclass(frozen=True, slots=True)
class Bound:
    """The closed form of one variant, with all that it depends on besides the plan already read."""

    table: ModelTable
    info: EngineInfo
    beside: SideFiles = SideFiles()
    left_out: ByCard = field(default_factory=dict)
    title: str = ""

    @property
    def layers(self) -> int:
        """Return the blocks of the model; the output layer counts as one more."""
        return self.table.layers

    @property
    def experts(self) -> bool:
        """Tell whether it is a mixture of experts."""
        return any("exps." in row.name for row in self.table.rows)

    @property
    def sliding(self) -> bool:
        """Tell whether layers attend to a sliding window only."""
        hyper = self.table.hyper
        return hyper is not None and any(hyper.window.sliding)

    @property
    def buffers(self) -> tuple[str, ...]:
        """Return the buffer types that tensors may be put in, by llama.cpp's names."""
        return ("CPU", *(card.buffer_type for card in devices_of(self.info).cards))

    @property
    def cards(self) -> int:
        """Return how many cards the engine can use."""
        return len(self.info.gpus)

    def footprint(self, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan with the same adapters and projector; raises as `footprint_of`."""
        return footprint_of(self.table, plan, self.info, beside=self.beside, left_out=self.left_out, title=self.title)


class ClosedForm:
    """Computes footprints for the store: asks for tables and for the engine, which both are read once."""

    def __init__(self, tables: Tables, engine: Described, left_out: LeftOut | None = None) -> None:
        self._tables = tables
        self._engine = engine
        self._left_out = left_out or LeftOut()

    async def bind(self, variant: Variant, plan: LoadPlan) -> Bound:
        """Read all that footprints of a variant with the plan's adapters and projector depend on.

        Raises:
            BadFileError: the file, an adapter or the projector cannot be read.
            PlanRefusedError: an adapter or the projector does not go with the model.
        """
        info = await self._engine.info()
        table = await self._tables.table(variant)
        adapters = tuple([await self._tables.side_file(path) for path, _ in plan.lora])
        beside = SideFiles(adapters, await self._tables.side_file(plan.mmproj) if plan.mmproj else None)
        beside.check(table.architecture, variant.title, table.shapes if plan.lora else {})
        left_out = await self._left_out.by_card() if info.gpus else {}
        return Bound(table, info, beside, left_out, variant.title)

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan, origin computed.

        Raises:
            BadFileError: the file, an adapter or the projector cannot be read, or lacks what is needed.
            PlanRefusedError: llama.cpp would refuse the plan.
        """
        bound = await self.bind(variant, plan)
        # A table of a thousand tensors takes a few milliseconds: not worth a thread.
        await asyncio.sleep(0)
        return bound.footprint(plan)
