"""From llama.cpp's own allocation plan to a footprint: what it leaves out is computed, pools follow the load mode."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from qtui.core.memory.closed_form.backends import Card, Devices, backend_of
from qtui.core.memory.closed_form.placement import placement
from qtui.core.memory.closed_form.repack import repack_rules
from qtui.core.memory.closed_form.weights import place_weights
from qtui.core.memory.consumers import consumer_of
from qtui.core.memory.extras import computed_extras
from qtui.core.memory.footprint import DeviceBytes, Footprint
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.pools import resident
from qtui.core.memory.question import Allocated, HelperReady
from qtui.core.memory.side_files import SideFiles
from qtui.core.memory.unaccounted import ByCard
from qtui.core.origin import Origin, weakest
from qtui.services.engine.ghosts import Prepared

NO_ACCOUNT = "llama.cpp's own account cannot be read here: log lines and the tensor table were used"


def allocated_footprint(
    answer: Allocated,
    prepared: Prepared,
    plan: LoadPlan,
    ready: HelperReady,
    *,
    beside: SideFiles = SideFiles(),
    left_out: ByCard = MappingProxyType({}),
) -> Footprint:
    """Return the footprint of a resolved plan for which llama.cpp said what it would allocate.

    Args:
        answer: llama.cpp's.
        prepared: the variant it was asked about.
        plan: as it was asked; what it left to llama.cpp is resolved in the footprint's.
        ready: the build that was asked.
        beside: the plan's adapters, which llama.cpp would really read, and its projector, which it does not count.
        left_out: what past runs have shown that llama.cpp leaves out, by the card's description.
    """
    origin = Origin.DRY_RUN if answer.exact else Origin.COMPUTED
    devices = tuple(
        DeviceBytes(row.name, row.weights, row.context, row.compute, origin, row.gpu is None, row.gpu)
        for row in answer.rows
    )
    notes = answer.notes if answer.exact else (*answer.notes, NO_ACCOUNT)
    resolved = replace(plan, flash_attn=FlashAttention.ON if answer.flash_attn else FlashAttention.OFF)
    told = Told(devices, resolved, ready, notes)
    return told_footprint(told, prepared, beside=beside, left_out=left_out)


@dataclass(frozen=True, slots=True)
class Told:
    """What a build of llama.cpp said of a plan."""

    devices: tuple[DeviceBytes, ...]
    plan: LoadPlan
    """Resolved, flash attention too."""
    build: HelperReady
    notes: tuple[str, ...] = ()


def told_footprint(
    told: Told, prepared: Prepared, *, beside: SideFiles = SideFiles(), left_out: ByCard = MappingProxyType({})
) -> Footprint:
    """Return the footprint of what was said, with all that llama.cpp leaves out; arguments as above."""
    devices, plan, ready, table = told.devices, told.plan, told.build, prepared.table
    titles = ready.descriptions or ("",) * len(ready.gpus)
    cards = tuple(Card(name, backend_of(name), title) for name, title in zip(ready.gpus, titles, strict=True))
    extra = (
        *computed_extras(
            table.vocabulary, table.tokenizer, plan, consumer_of(plan.engine),
            context=sum(device.context for device in devices),
            cards=tuple(zip(ready.gpus, titles, strict=True)),
            left_out=left_out,
        ),
        *beside.items(on_gpu=bool(cards) and plan.n_gpu_layers != 0),
    )  # fmt: skip
    where = placement(plan, table.layers, cards)
    layout = place_weights(table, where, Devices(cards, repack_rules(ready.features))).layout
    held = resident(devices, extra, plan.load_mode, layout, len(cards))
    return Footprint(
        plan=plan,
        devices=devices,
        extra=extra,
        pools=held.pools,
        peak=held.peak,
        reclaimable=held.reclaimable,
        locked=held.locked,
        origin=weakest(device.origin for device in devices),
        engine=plan.engine,
        notes=told.notes + ((ready.problem,) if ready.problem else ()),
    )
