"""`fit`: what a variant needs under a plan, and whether that fits."""

from __future__ import annotations

from qtui.cli.ladder_verb import ladder
from qtui.cli.options import BUILT_IN
from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.cli.variants import find_variant
from qtui.core.errors import BadFileError, EngineError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.propose import Proposal, plan_options, propose
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.guard import Weighing
from qtui.core.memory.report import fit_report
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Headroom
from qtui.core.origin import Origin
from qtui.core.text import clean_name, gib, size


async def fit(context: Context) -> int:
    """Weigh a variant and print its footprint and verdict; with `--auto` of the plan that fits, or climb the ladder."""
    if context.options.variant is None:
        raise UsageError("which variant?", "qtui fit VARIANT, or qtui fit --history for past runs")
    if context.options.ladder:
        return await ladder(context)
    options, console, services = context.options, context.console, context.services
    plan = context.plan(runs=False)
    if options.more:
        raise UsageError("fit weighs one variant", "--ladder takes several, and qtui compare compares them")
    variant = await find_variant(context, options.variant)
    check_loadable(variant)
    guard = await services.guard_of(options.ram, options.vram, plan.engine)
    console.progress("searching" if options.auto else "asking llama.cpp")
    proposal = await propose(guard, variant, plan) if options.auto else Proposal(await guard.weigh(variant, plan))
    console.end_progress()
    weighing = proposal.weighing
    if weighing.error:
        raise weighing.error
    if weighing.footprint is None:
        raise EngineError(f"{variant.title} could not be weighed", "qtui doctor")
    speed = await _speed(context, variant, weighing)
    report = fit_report(variant.file, weighing) | {"speed": speed.as_json()}
    if options.auto:
        report |= {"proposed": proposal.fits, "reasons": [choice.as_json() for choice in proposal.choices]}
    console.json(report)
    console.warn(weighing.warnings)
    *lines, verdict = _lines(variant, weighing, weighing.footprint, console.width)
    for line in (*lines, f"speed: {speed.sentence}", verdict):
        console.print(line)
    if options.auto:
        for line in _reasons(proposal):
            console.print(line)
    return 0


async def _speed(context: Context, variant: Variant, weighing: Weighing) -> Speed:
    """Return how fast it will generate, unknown where cards are made up."""
    forecast = context.services.forecast
    if forecast is None or context.options.vram is not None:
        return Speed(None, Origin.UNKNOWN, note="the speed of simulated cards is not known" if forecast else "")
    context.console.progress("measuring how fast this machine reads")
    speed = await forecast.of(variant, weighing)
    context.console.end_progress()
    return speed


def check_loadable(variant: Variant) -> None:
    """Raise BadFileError for what holds no model that could be loaded."""
    if not variant.loadable:
        reason = variant.problem or f"its role is {variant.role.value}: it holds no model that could be loaded"
        raise BadFileError(f"{variant.title} cannot be weighed: {reason}", "choose a complete model file")


def _reasons(proposal: Proposal) -> list[str]:
    """Return one line per choice, then the options that say the same."""
    if not proposal.fits:
        return [*proposal.notes, "no plan fits: none at any context, with any layers on the GPU, with any cache type"]
    lines = [f"- {choice.reason}" for choice in proposal.choices]
    return [*proposal.notes, *lines, f"as options: {plan_options(proposal.weighing.plan)}"]


def _lines(variant: Variant, weighing: Weighing, footprint: Footprint, width: int | None) -> list[str]:
    plan = footprint.plan
    cache = plan.cache_type_k if plan.cache_type_k == plan.cache_type_v else f"{plan.cache_type_k}/{plan.cache_type_v}"
    attention = plan.flash_attn.value
    layers = f"  GPU layers {plan.n_gpu_layers}" if plan.n_gpu_layers else ""
    layers += f"  experts of {plan.n_cpu_moe} layers in RAM" if plan.n_cpu_moe else ""
    layers += f"  split {','.join(f'{share:g}' for share in plan.tensor_split)}" if plan.tensor_split else ""
    layers += "" if plan.engine == BUILT_IN else f"  under {clean_name(plan.engine, 4096)}"
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
