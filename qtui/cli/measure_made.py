"""Measuring what `quantize` made, shown as it goes."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any

from qtui.cli.making_wiring import made_measuring
from qtui.cli.running import Context
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.events import LogitsPlanned, PassAdvanced, PassLoading, VariantFailed, VariantMeasured
from qtui.core.measure.words import measured_numbers, progress_words
from qtui.core.quantise.measuring import MadeMeasuring
from qtui.core.text import size


def wanted_measuring(context: Context) -> MadeMeasuring | None:
    """Return what measures, where that is asked for.

    Raises:
        UsageError: nothing can be measured here.
    """
    if not (context.options.measure or context.options.reference):
        return None
    found = made_measuring(context.services)
    if found is None:
        raise UsageError("nothing can be measured here", "leave out --measure")
    return found


async def measure_made(context: Context, measuring: MadeMeasuring, made: Path, reference: Variant) -> dict[str, Any]:
    """Measure a file against a reference; a failure is told and leaves what was made as it is."""
    console = context.console
    told: dict[str, Any] = {}
    try:
        async with aclosing(measuring.run(made, reference, context.options.measure_chunks)) as events:
            async for event in events:
                if isinstance(event, PassLoading):
                    console.progress(f"measuring {event.variant.title}: loading {event.fraction * 100:.0f} %")
                elif isinstance(event, PassAdvanced):
                    console.progress(f"measuring {event.variant.title}: {progress_words(event)}")
                elif isinstance(event, LogitsPlanned) and event.needed:
                    console.note(f"the reference's logits take {size(event.needed)} of {size(event.free)} free")
                elif isinstance(event, VariantMeasured):
                    numbers = measured_numbers(event.record)
                    told = event.record.as_json()
                    console.end_progress()
                    console.note(
                        f"KLD {numbers.kld} ± {numbers.kld_error}, perplexity {numbers.perplexity}, same top token "
                        f"{numbers.same_top} %: {numbers.verdict}"
                    )
                elif isinstance(event, VariantFailed):
                    told = _failed(context, event.failure)
    except QtuiError as error:
        return _failed(context, Failure.of(error))
    return told


def _failed(context: Context, failure: Failure) -> dict[str, Any]:
    context.console.note(f"not measured: {failure.message}")
    return {"error": {"message": failure.message, "hint": failure.hint, "kind": failure.kind}}
