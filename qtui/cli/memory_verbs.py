"""`fit`: what a variant needs under a plan, and whether that fits."""

from __future__ import annotations

from qtui.cli.options import plan_of, simulated
from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.core.errors import BadFileError, EngineError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.guard import Weighing
from qtui.core.memory.report import fit_report
from qtui.core.memory.verdict import Headroom
from qtui.core.text import gib, size


async def fit(context: Context) -> int:
    """Weigh one variant and print its footprint and verdict."""
    if context.options.variant is None:
        raise UsageError("which variant?", "qtui fit VARIANT, or qtui fit --history for past runs")
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
    digits = digits_for(footprint.total)
    lines = [
        f"{variant.title}  {size(variant.size)} on disk",
        f"plan: ctx {plan.ctx_size}  KV {cache}  {plan.load_mode.value}  flash attention {attention}{layers}",
        "",
        *_parts(footprint, digits).lines(width),
        "",
        *_pools(footprint, weighing.headroom, digits).lines(width),
        "sizes in GiB; ~ computed, ± how far off it may be",
        "",
        f"RAM while it loads at most {size(footprint.peak)}; reclaimable after it {size(footprint.reclaimable)}; "
        f"locked {size(footprint.locked)}",
    ]
    lines += [f"note: {note}" for note in (*footprint.notes, *weighing.notes)]
    free = " (simulated)" if weighing.headroom.simulated else ""
    return [*lines, f"{weighing.verdict.fit.value.replace('_', ' ')}{free}: {weighing.verdict.reason}"]


def _parts(footprint: Footprint, digits: int) -> Table:
    """Return weights, context and compute per device, then what llama.cpp's accounting leaves out."""
    table = Table(("WHERE", ">WEIGHTS", ">CONTEXT", ">COMPUTE", ">SUM"))
    for device in footprint.devices:
        parts = (device.weights, device.context, device.compute, device.total)
        table.add(device.name, *(gib_of(part, device.origin, digits) for part in parts))
    for item in footprint.extra:
        band = f" ±{gib(item.band, digits)}" if item.band else ""
        table.add(f"{item.item}{band}", "–", "–", "–", gib_of(item.bytes, item.origin, digits))
    return table


def _pools(footprint: Footprint, room: Headroom, digits: int) -> Table:
    """Return what each pool must hold beside what is free there."""
    table = Table(("POOL", ">NEEDS", ">FREE", ">KEPT FREE", ">TO SPARE"))
    pools = footprint.pools

    def add(name: str, need: int, free: int | None, margin: int) -> None:
        spare = None if free is None else free - margin - need
        table.add(name, *(gib(value, digits) for value in (need, free, margin, spare)))

    add("RAM", pools.ram, room.free_ram, room.margin_ram)
    if pools.ram_anonymous and pools.ram_file_backed:
        table.add("  anonymous", gib(pools.ram_anonymous, digits), "", "", "")
        table.add("  file-backed", gib(pools.ram_file_backed, digits), "", "", "")
    for index, need in enumerate(pools.vram):
        known = index < len(room.free_vram)
        add(f"GPU{index}", need, room.free_vram[index] if known else None, room.margin_vram[index] if known else 0)
    table.add("all", gib(footprint.total, digits), "", "", "")
    return table
