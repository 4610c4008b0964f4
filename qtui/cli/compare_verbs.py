"""`compare`: variants as columns, differences to the first."""

from __future__ import annotations

from collections.abc import Sequence

from qtui.cli.memory_verbs import check_loadable
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.cli.variants import find_variant
from qtui.core.compare import Column, compare_report
from qtui.core.compare import compare as compared
from qtui.core.compare_rows import compare_notes, compare_rows, heads
from qtui.core.errors import UsageError


async def compare(context: Context) -> int:
    """Print what differs between the variants."""
    options, console, services = context.options, context.console, context.services
    plan = context.plan(runs=False)
    if len(options.variants) < 2:
        raise UsageError("compare takes two variants or more", "qtui show VARIANT tells of one")
    variants = [await find_variant(context, name) for name in options.variants]
    for variant in variants:
        check_loadable(variant)
    guard = await services.guard_of(options.ram, options.vram, plan.engine)
    console.progress("asking llama.cpp")
    evidence, problems = services.evidence()
    for problem in problems:
        console.note(f"note: {problem.text}")
    columns = await compared(
        guard, services.library, variants, lambda _variant: plan, rate=services.rate, dated=services.dated,
        losses=services.losses(evidence), votes=services.votes,
    )  # fmt: skip
    console.end_progress()
    console.json(compare_report(columns))
    for line in _lines(columns, console.width):
        console.print(line)
    return 0


def _lines(columns: Sequence[Column], width: int | None) -> list[str]:
    table = Table(("", *(f">{head}" for head in heads(columns))))
    for row in compare_rows(columns):
        table.add(row.label, *row.cells)
    return [*table.lines(width), *compare_notes(columns)]
