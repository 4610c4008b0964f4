"""`fit`: what a variant needs under a plan, and whether that fits."""

from __future__ import annotations

from qtui.cli.options import plan_of, simulated
from qtui.cli.running import Context
from qtui.cli.tables import Table, gib_of
from qtui.core.errors import BadFileError, EngineError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.guard import Weighing
from qtui.core.memory.report import fit_report
from qtui.core.memory.verdict import Headroom
from qtui.core.origin import Origin
from qtui.core.text import gib, size


async def fit(context: Context) -> int:
    """Weigh one variant and print its footprint and verdict."""
    options, console, services = context.options, context.console, context.services
    plan = plan_of(options)
    variant = await services.library.find(options.variant)
    if not variant.loadable:
        reason = variant.problem or f"its role is {variant.role.value}: it holds no model that could be loaded"
        raise BadFileError(f"{variant.title} cannot be weighed: {reason}", "choose a complete model file")
    console.progress("asking llama.cpp")
    real = await services.guard.headroom()
    weighing = await services.guard_of(simulated(options, real)).weigh(variant, plan)
    console.end_progress()
    if weighing.error:
        raise weighing.error
    if weighing.footprint is None:
        raise EngineError(f"{variant.title} could not be weighed", "qtui doctor")
    console.json(fit_report(str(variant.path), weighing))
    for line in _lines(variant, weighing, weighing.footprint, console.width):
        console.print(line)
    return 0


def _lines(variant: Variant, weighing: Weighing, footprint: Footprint, width: int | None) -> list[str]:
    plan = footprint.plan
    cache = plan.cache_type_k if plan.cache_type_k == plan.cache_type_v else f"{plan.cache_type_k}/{plan.cache_type_v}"
    attention = plan.flash_attn.value
    layers = f"  GPU layers {plan.n_gpu_layers}" if plan.n_gpu_layers else ""
    lines = [
        f"{variant.title}  {size(variant.size)} on disk",
        f"plan: ctx {plan.ctx_size}  KV {cache}  {plan.load_mode.value}  flash attention {attention}{layers}",
        "",
        *_parts(footprint).lines(width),
        "",
        *_pools(footprint, weighing.headroom).lines(width),
        "",
        f"at most {gib(footprint.peak)} while it loads; reclaimable after it {gib(footprint.reclaimable)}; "
        f"locked {gib(footprint.locked)}; sizes in GiB, ~ computed, ± how far off it may be",
    ]
    lines += [f"note: {note}" for note in footprint.notes]
    free = " (simulated)" if weighing.headroom.simulated else ""
    return [*lines, f"{weighing.verdict.fit.value.replace('_', ' ')}{free}: {weighing.verdict.reason}"]


def _parts(footprint: Footprint) -> Table:
    """Return weights, context and compute per device, then what llama.cpp's accounting leaves out."""
    table = Table(("WHERE", ">WEIGHTS", ">CONTEXT", ">COMPUTE", ">SUM"))
    for device in footprint.devices:
        parts = (device.weights, device.context, device.compute, device.total)
        table.add(device.name, *(gib_of(part, device.origin) for part in parts))
    for item in footprint.extra:
        band = f" ±{gib(item.band)}" if item.band else ""
        table.add(f"{item.item}{band}", "–", "–", "–", gib_of(item.bytes, item.origin))
    return table


def _pools(footprint: Footprint, room: Headroom) -> Table:
    table = Table(("POOL", ">NEEDS", ">FREE", ">KEPT FREE", ">TO SPARE"))
    pools = footprint.pools
    _pool(table, "RAM", pools.ram, room.free_ram, room.margin_ram)
    if pools.ram_anonymous and pools.ram_file_backed:
        table.add("  anonymous", gib(pools.ram_anonymous), "", "", "")
        table.add("  file-backed", gib(pools.ram_file_backed), "", "", "")
    for index, need in enumerate(pools.vram):
        known = index < len(room.free_vram)
        margin = room.margin_vram[index] if known else 0
        _pool(table, f"GPU{index}", need, room.free_vram[index] if known else None, margin)
    table.add("all", gib_of(footprint.total, Origin.DRY_RUN), "", "", "")
    return table


def _pool(table: Table, name: str, need: int, free: int | None, margin: int) -> None:
    spare = None if free is None else free - margin - need
    table.add(name, gib(need), gib(free), gib(margin), gib(spare))
