"""`quantize` and `imatrix`: runs that make files, shown as they go, and what was made."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from qtui.cli.measure_made import measure_made, wanted_measuring
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.errors import BadFileError, Failure, UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import AUTO, LoadPlan
from qtui.core.quantise.gathering import Gathered, GatherProgressed, GatherStarted
from qtui.core.quantise.obstacles import assurances
from qtui.core.quantise.ports import Workshop
from qtui.core.quantise.recipe import Recipe, checked
from qtui.core.quantise.run import (
    Advanced,
    Foretold,
    Made,
    MakeEvent,
    MatrixGathered,
    Order,
    Phase,
    Swept,
    make,
    predict,
)
from qtui.core.quantise.types import OFFERED, MatrixUse, made_type
from qtui.core.quantise.weighing import Weigh, refuse_too_large, weigher
from qtui.core.rate import RateMeter, left_text
from qtui.core.text import clean_name, duration, size


async def quantize(context: Context) -> int:
    """Make a quant, tell what one would be, or what each type would be."""
    options = context.options
    workshop = _workshop(context)
    variant = await context.services.library.find(options.source)
    source = variant.path
    if options.target is None:
        return await _all_types(context, workshop, source)
    if not options.type:
        raise UsageError("which type?", f"one of {' '.join(made.name for made in OFFERED)}")
    order = _order(context, source, options.target)
    measuring = wanted_measuring(context)
    reference = await context.services.library.find(options.reference) if options.reference else variant
    if options.dry_run:
        return await _dry(context, workshop, order)
    made: Made | None = None
    gathered: Gathered | None = None
    async with aclosing(make(order, workshop, _weigh(context, variant))) as events:
        async for event in events:
            _show(context, event)
            if isinstance(event, Made):
                made = event
            elif isinstance(event, MatrixGathered):
                gathered = event.gathered
    context.console.end_progress()
    assert made is not None
    result = made.result
    report = plan_report(made.foretold, order) | {
        "file": result.files[0], "files": list(result.files), "size": result.size, "elapsed": result.elapsed,
        "gathered": None if gathered is None else asdict(gathered),
    }  # fmt: skip
    if measuring is not None:
        report["measured"] = await measure_made(context, measuring, Path(result.files[0]), reference)
    context.console.json(report)
    for file in result.files:
        context.console.print(file)
    exact = "as predicted" if result.size == made.foretold.planned.size else "NOT as predicted"
    context.console.note(f"{size(result.size)} ({result.size} bytes, {exact}) in {duration(result.elapsed)}")
    return 0


async def imatrix(context: Context) -> int:
    """Gather an importance matrix."""
    options, console = context.options, context.console
    workshop = _workshop(context)
    variant = await context.services.library.find(options.source)
    source = variant.path
    await refuse_too_large(_weigh(context, variant), _plan(context), options.ctx_size)
    last: Gathered | None = None
    resumed, meter = 0, RateMeter()
    started: GatherStarted | None = None
    kept = f"what was gathered is kept beside {clean_name(str(options.target))}; the same command goes on from there"
    async with _saying(context, kept), aclosing(
        workshop.gather(
            source, options.text, options.target, ctx_size=options.ctx_size, chunks=options.chunks, plan=_plan(context),
            overwrite=options.overwrite, process_output=options.process_output, tool=_tool(options.tool),
        )
    ) as events:  # fmt: skip
        async for event in events:
            if isinstance(event, GatherStarted):
                started, resumed = event, event.resumed
                meter.add(monotonic(), event.resumed)
                _tell_started(context, event)
            elif isinstance(event, GatherProgressed):
                meter.add(monotonic(), event.done)
                left = meter.time_left(event.total - event.done)
                console.progress(gather_line(event.done, event.total, left, event.experts_seen, event.experts))
            else:
                last = event
    console.end_progress()
    assert last is not None and started is not None
    console.json(gather_report(last, source, options.text, started, resumed))
    console.print(last.file)
    console.note(f"{last.entries} entries from {last.chunks} chunks in {duration(last.elapsed)}")
    _tell_experts(context, last)
    return 0


@asynccontextmanager
async def _saying(context: Context, text: str) -> AsyncIterator[None]:
    """Say a text when the block is interrupted."""
    try:
        yield
    except asyncio.CancelledError:
        context.console.note(text)
        raise


def gather_report(last: Gathered, source: Path, text: Path, started: GatherStarted, resumed: int) -> dict[str, Any]:
    """Return the shape of `qtui imatrix --json`."""
    return {
        "file": last.file, "source": str(source), "text": {"name": str(text), "tokens": started.tokens},
        "chunks": last.chunks, "resumed": resumed, "tokens": last.tokens, "entries": last.entries,
        "experts": {"total": last.experts, "seen": last.experts_seen, "scarce": list(last.scarce)},
        "elapsed": last.elapsed,
    }  # fmt: skip


def plan_report(told: Foretold, order: Order) -> dict[str, Any]:
    """Return what `qtui quantize --json` says of a plan."""
    planned = told.planned
    matrix = planned.matrix
    return {
        "source": str(order.source),
        "target": str(order.target),
        "type": planned.recipe.kind,
        "recipe": asdict(planned.recipe),
        "predicted_size": planned.size,
        "bits_per_weight": planned.bits_per_weight,
        "free": told.free,
        "tensor_types": {share.kind: {"tensors": share.tensors, "bytes": share.size} for share in planned.mix},
        "fallbacks": [asdict(fallback) for fallback in planned.fallbacks],
        "imatrix": None if matrix is None else asdict(matrix),
        "needs_imatrix": planned.needs_matrix,
        "requantised_from": list(planned.requantised),
        "remarks": list(told.remarks),
        "refused": None if told.failure is None else failure_body(told.failure),
    }


def failure_body(failure: Failure) -> dict[str, str]:
    """Return a failure as JSON has it."""
    return {"message": failure.message, "hint": failure.hint, "kind": failure.kind}


def _workshop(context: Context) -> Workshop:
    workshop = context.services.workshop
    if workshop is None:
        raise UsageError("nothing can be made here")
    return workshop


def _order(context: Context, source: Path, target: Path) -> Order:
    options = context.options
    recipe = checked(
        Recipe(
            options.type, options.imatrix, tuple(options.tensor_type), options.output_tensor_type,
            options.token_embedding_type, options.leave_output_tensor, options.pure, options.allow_requantize,
            options.keep_split,
        )
    )  # fmt: skip
    return Order(
        source, target, recipe, options.threads, options.overwrite, options.imatrix_text, options.chunks,
        options.ctx_size, _plan(context),
    )  # fmt: skip


def _plan(context: Context) -> LoadPlan:
    layers = context.options.n_gpu_layers
    threads = getattr(context.options, "threads", 0) or 0
    return LoadPlan(n_gpu_layers=AUTO if layers is None else layers, threads=threads)


def _weigh(context: Context, variant: Variant) -> Weigh | None:
    """Return what tells whether the model fits; None where nobody wants to know."""
    return None if context.options.force else weigher(context.services.guard, context.services.library, variant)


def _tool(name: str) -> str:
    """Return the path of the tool that is asked for; empty: none."""
    if not name:
        return ""
    found = shutil.which(name)
    if found is None:
        raise UsageError(
            f"there is no {clean_name(name)}", "name the program, or leave --tool out: qtui gathers itself"
        )
    return str(Path(found).absolute())


def _show(context: Context, event: MakeEvent) -> None:
    console = context.console
    if isinstance(event, Swept):
        for leftover in event.leftovers:
            console.note(f"removed what a killed run had left: {leftover.path} ({size(leftover.size)})")
    elif isinstance(event, GatherStarted):
        _tell_started(context, event)
    elif isinstance(event, Advanced) and event.phase is Phase.GATHERING:
        console.progress(gather_line(event.done, event.total, event.left))
    elif isinstance(event, Advanced):
        left = f"  {left_text(event.left)} left" if event.left is not None else ""
        console.progress(f"{event.fraction * 100:.0f} %  tensor {event.done + 1} of {event.total}{left}  {event.what}")
    elif isinstance(event, MatrixGathered):
        console.note(f"the matrix is in {event.gathered.file}")
        _tell_experts(context, event.gathered)
    elif isinstance(event, Foretold):
        _tell_plan(context, event)


def _tell_plan(context: Context, told: Foretold) -> None:
    planned, console = told.planned, context.console
    bits = f", {planned.bits_per_weight:.2f} bits per weight" if planned.bits_per_weight else ""
    console.note(f"{planned.recipe.kind}: {size(planned.size)} ({planned.size} bytes{bits}); {size(told.free)} free")
    mix = ", ".join(f"{share.tensors} {share.kind}" for share in planned.mix)
    console.note(f"tensors: {mix}")
    for assurance in assurances(planned):
        console.note(assurance)
    for remark in told.remarks:
        console.note(f"note: {remark}")
    if made_type(planned.recipe.kind).matrix is MatrixUse.HELPS and planned.matrix is None:
        console.note("note: below 4 bits an importance matrix is worth its time: --imatrix-text FILE")


def _tell_started(context: Context, event: GatherStarted) -> None:
    if event.note:
        context.console.note(f"note: {event.note}")
    if event.resumed:
        context.console.note(f"{event.resumed} of {event.chunks} chunks were gathered before: going on from there")


def _tell_experts(context: Context, gathered: Gathered) -> None:
    if not gathered.experts:
        return
    share = gathered.experts_seen * 100 / gathered.experts
    context.console.note(f"{gathered.experts_seen} of {gathered.experts} experts were seen ({share:.1f} %)")
    if gathered.scarce:
        context.console.note(f"note: a longer or another text would reach more; the poorest: {gathered.scarce[0]}")


def gather_line(done: int, total: int, left: float | None, seen: int = 0, experts: int = 0) -> str:
    """Return how far the gathering is, in one line."""
    parts = [f"chunk {done} of {total}"]
    if left is not None and done < total:
        parts.append(f"{left_text(left)} left")
    if experts:
        parts.append(f"{seen} of {experts} experts seen")
    return "  ".join(parts)


async def _dry(context: Context, workshop: Workshop, order: Order) -> int:
    async with aclosing(predict(order.source, [order.recipe], workshop, order.target.parent)) as told:
        async for one in told:
            if one.planned.problem:
                raise BadFileError(one.planned.problem, one.planned.hint)
            _tell_plan(context, one)
            context.console.json(plan_report(one, order))
            context.console.print(str(one.planned.size))
            if one.failure is not None:
                context.console.failure(one.failure)
                return 1
    return 0


async def _all_types(context: Context, workshop: Workshop, source: Path) -> int:
    """Show what each type would be."""
    console = context.console
    recipes = [Recipe(made.name, imatrix=context.options.imatrix) for made in OFFERED]
    table = Table(("TYPE", ">SIZE", ">BPW", "MATRIX", "FOR"), flexible=4)
    rows: list[dict[str, Any]] = []
    console.progress("asking llama.cpp")
    async with aclosing(predict(source, recipes, workshop, source.parent)) as told:
        async for one in told:
            if one.planned.problem and not rows:
                raise BadFileError(one.planned.problem, one.planned.hint)
            rows.append(plan_report(one, Order(source, source, one.planned.recipe)))
            table.add(*_row(one))
    console.end_progress()
    console.json({"source": str(source), "types": rows})
    for line in table.lines(console.width):
        console.print(line)
    return 0


def _row(told: Foretold) -> Sequence[str]:
    planned, made = told.planned, made_type(told.planned.recipe.kind)
    uses = {
        MatrixUse.UNUSED: "no use",
        MatrixUse.LITTLE: "helps little",
        MatrixUse.HELPS: "helps",
        MatrixUse.NEEDED: "",
    }
    matrix = "needed" if planned.needs_matrix else uses[made.matrix] or "helps"
    bits = planned.bits_per_weight
    refused = told.failure is not None and not planned.needs_matrix
    about = clean_name(told.failure.message) if told.failure is not None and refused else made.about
    return (made.name, size(planned.size), "?" if bits is None else f"{bits:.2f}", matrix, about)
