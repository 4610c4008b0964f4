"""`measure`: the measuring run shown as a table."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtui.cli.options import plan_of
from qtui.cli.rounds import finish
from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for
from qtui.core.duel.report import failure_report
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.bands import limits_text
from qtui.core.measure.events import (
    LogitsPlanned,
    MeasureEnded,
    MeasureRunEvent,
    PassAdvanced,
    PassBegan,
    PassLoading,
    TextTaken,
    VariantFailed,
    VariantMeasured,
)
from qtui.core.measure.records import MeasureRecord
from qtui.core.measure.request import MeasureRequest, default_text
from qtui.core.measure.run import Means, Measuring
from qtui.core.measure.words import clipped_words, measured_numbers, progress_words
from qtui.core.text import gib, size


@dataclass(slots=True)
class _Told:
    """What the run has told so far."""

    text: TextTaken | None = None
    ended: MeasureEnded | None = None
    failed: list[tuple[Variant, Failure]] = field(default_factory=list)


async def measure(context: Context) -> int:
    """Measure the variants and print one table."""
    options, services = context.options, context.services
    means = services.measuring
    if means is None or services.measures is None:
        raise QtuiError("nothing can be measured here", "see qtui doctor")
    if options.clean:
        return await _clean(context, means)
    request = await _request(context)
    run, told = Measuring(means), _Told()

    async def stop() -> None:
        run.stop()

    with context.interrupts.stop_first(stop):
        async with aclosing(run.run(request)) as events:
            async for event in events:
                _show(context, told, event)
    context.console.end_progress()
    assert told.ended is not None
    _print(context, request, told, told.ended)
    failure = told.failed[0][1] if told.failed else None
    return finish(context, _report(request, told, told.ended), failure)


async def _request(context: Context) -> MeasureRequest:
    options, services = context.options, context.services
    assert services.measures is not None
    if not options.variants:
        raise UsageError(
            "measure needs at least one VARIANT", "such as: qtui measure MODEL:Q4_K_M --reference MODEL:F16"
        )
    if not options.reference and not options.logits:
        raise UsageError(
            "measure needs --reference VARIANT, or --logits FILE", "the largest variant of the model is the best one"
        )
    if options.logits and (options.text or options.save_logits):
        raise UsageError("stored logits hold their own tokens", "leave out --text and --save-logits")
    plan = plan_of(options)
    found = {variant.path: variant for variant in [await services.library.find(name) for name in options.variants]}
    reference = await services.library.find(options.reference) if options.reference else None
    text = (
        await services.measures.texts.find(options.text or default_text(reference)) if reference is not None else None
    )
    return MeasureRequest(
        tuple(found.values()), text, reference, options.logits, options.save_logits, plan, options.ctx_size,
        options.chunks, force=options.force, fresh=options.fresh,
    )  # fmt: skip


async def _clean(context: Context, means: Means) -> int:
    freed = await means.workspace.clean()
    context.console.json({"freed": freed})
    context.console.print(f"{size(freed)} freed")
    return 0


def _show(context: Context, told: _Told, event: MeasureRunEvent) -> None:
    """Show on stderr what happens."""
    console = context.console
    if isinstance(event, TextTaken):
        told.text = event
        for note in event.notes:
            console.note(f"note: {note}")
    elif isinstance(event, LogitsPlanned):
        if event.needed:
            console.note(f"the reference's logits take {size(event.needed)} of {size(event.free)} free")
    elif isinstance(event, PassBegan):
        if event.done:
            console.note(f"{event.variant.title}: {event.done} chunks are measured already")
    elif isinstance(event, PassLoading):
        console.progress(f"{event.variant.title}: loading {event.fraction * 100:.0f} %")
    elif isinstance(event, PassAdvanced):
        console.progress(f"{event.variant.title}: {progress_words(event)}")
    elif isinstance(event, VariantFailed):
        told.failed.append((event.variant, event.failure))
        console.note(f"{event.variant.title}: {event.failure.message}")
    elif isinstance(event, VariantMeasured):
        if event.problem:
            console.note(f"note: not on record: {event.problem}")
    else:
        told.ended = event


def _print(context: Context, request: MeasureRequest, told: _Told, ended: MeasureEnded) -> None:
    console = context.console
    for line in _table(request, ended).lines(console.width):
        console.print(line)
    rows = ended.records or ((ended.reference,) if ended.reference else ())
    if rows:
        one = rows[0]
        console.print(
            f"{one.method}, {one.scores.tokens} of them scored; llama.cpp {one.build}; ± standard error, tokens taken "
            "as independent"
        )
    if ended.records:
        console.print(f"KLD, mean in nats: {limits_text()}")
    if told.text is not None and told.text.text.name in ("mixed", "demo"):
        console.print("perplexity on this text is not comparable with figures on wikitext")
    for warning in clipped_words(ended):
        console.note(f"note: {warning}")
    if ended.kept:
        console.note(ended.kept)


def _table(request: MeasureRequest, ended: MeasureEnded) -> Table:
    whole = request.reference
    percent = f">% OF {whole.quant}" if whole else ">%"
    table = Table(
        ("VARIANT", ">SIZE GiB", percent, ">BPW", ">PPL", ">±", ">KLD", ">±", ">SAME TOP %", ">T/S", ">PEAK GiB",
         "WHICH IS"),
    )  # fmt: skip
    rows = [*([ended.reference] if ended.reference else []), *ended.records]
    digits = digits_for(*(record.subject.size for record in rows))
    for record in rows:
        file = record.subject
        share = f"{100 * file.size / whole.size:.1f}" if whole and whole.size else "?"
        bits = "?" if file.bits_per_weight is None else f"{file.bits_per_weight:.2f}"
        told = measured_numbers(record)
        table.add(
            file.title, gib(file.size, digits), share, bits, *told.cells, gib(record.peak, digits), told.verdict
        )  # fmt: skip
    return table


def _report(request: MeasureRequest, told: _Told, ended: MeasureEnded) -> dict[str, Any]:
    text = told.text
    results: list[dict[str, Any]] = [_result(request, record) for record in ended.records]
    results += [{"file": variant.file, "error": failure_report(failure)} for variant, failure in told.failed]
    reference = request.reference
    return {
        "reference": reference.file if reference else str(Path(request.logits)),
        "reference_is": "variant" if reference else "stored logits",
        "reference_scores": ended.reference.scores.as_json() if ended.reference else None,
        "text": text.text.as_json() if text else None,
        "n_ctx": text.n_ctx if text else request.n_ctx,
        "chunks": text.chunks if text else None,
        "results": results,
        "complete": not ended.stopped,
        "notes": list(text.notes) if text else [],
    }  # fmt: skip


def _result(request: MeasureRequest, record: MeasureRecord) -> dict[str, Any]:
    whole = request.reference.size if request.reference else 0
    told = record.as_json()
    for shared in ("text", "reference", "n_ctx", "time"):
        told.pop(shared)
    return {**told, "share_of_reference": record.subject.size / whole if whole else None}
