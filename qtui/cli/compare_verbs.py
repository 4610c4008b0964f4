"""`compare`: variants as columns, differences to the first."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from qtui.cli.memory_verbs import check_loadable
from qtui.cli.options import plan_of
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.compare import (
    NO_QUALITY,
    NO_VOTES,
    Column,
    Measure,
    compare_report,
    difference,
    measures,
)
from qtui.core.compare import compare as compared
from qtui.core.errors import UsageError
from qtui.core.text import GIB, rate

NAMES = {
    "size": "size, GiB", "bits_per_weight": "bits per weight", "total": "needs, GiB", "ram": "  RAM",
    "largest_context": "largest context", "generation_rate": "tokens/s",
}  # fmt: skip
MIX_SHOWN = 4


async def compare(context: Context) -> int:
    """Print what differs between the variants."""
    options, console, services = context.options, context.console, context.services
    plan = plan_of(options)
    if len(options.variants) < 2:
        raise UsageError("compare takes two variants or more", "qtui show VARIANT tells of one")
    variants = [await services.library.find(name) for name in options.variants]
    for variant in variants:
        check_loadable(variant)
    guard = await services.guard_of(options.ram, options.vram)
    console.progress("asking llama.cpp")
    columns = await compared(
        guard, services.library, variants, lambda _variant: plan, rate=services.rate, dated=services.dated
    )
    console.end_progress()
    console.json(compare_report(columns))
    for line in _lines(columns, console.width):
        console.print(line)
    return 0


def _lines(columns: Sequence[Column], width: int | None) -> list[str]:
    titles = [column.variant.quant for column in columns]
    if len({column.variant.model for column in columns}) > 1 or len(set(titles)) < len(titles):
        titles = [column.variant.title for column in columns]
    table = Table(("", *(f">{title}" for title in titles)))
    for measure in measures(columns):
        table.add(NAMES.get(measure.key, "  " + measure.key.replace("vram", "GPU")), *_values(measure, columns))
        changes = _changes(measure, columns)
        if any(changes):
            table.add("", *changes)
    table.add("verdict", *(column.weighing.verdict.fit.value.replace("_", " ") for column in columns))
    table.add("quality", *("?" for _ in columns))
    table.add("votes", *("?" for _ in columns))
    for name in _types(columns):
        table.add(f"  {name}", *(_share(column, name) for column in columns))
    table.add("imatrix", *(column.imatrix or "not noted" for column in columns))
    table.add("date", *(_date(column.date) for column in columns))
    plan = columns[0].weighing.plan
    lines = [*table.lines(width), f"needs: at ctx {plan.ctx_size}, KV {plan.cache_type_k}; ~ computed"]
    lines += [f"quality: {NO_QUALITY}; votes: {NO_VOTES}"]
    for title, column in zip(titles, columns, strict=True):
        lines += [f"{title}: {text}" for text in (column.facts_problem, _refused(column)) if text]
    return lines


def _refused(column: Column) -> str:
    verdict = column.weighing.verdict
    return verdict.reason if column.weighing.footprint is None or verdict.short_by else ""


def _values(measure: Measure, columns: Sequence[Column]) -> list[str]:
    return [_text(measure, measure.origin(column).sign, measure.value(column)) for column in columns]


def _changes(measure: Measure, columns: Sequence[Column]) -> list[str]:
    """Return the difference of each column to the first, absolute and in percent; empty where there is none."""
    cells = [""]
    first = measure.value(columns[0])
    for column in columns[1:]:
        found = difference(first, measure.value(column))
        if found is None or not found.absolute:
            cells.append("")
        else:
            percent = "" if found.percent is None else f" ({found.percent:+.1f} %)"
            cells.append(f"{_FORMATS[measure.unit](found.absolute, '+')}{percent}")
    return cells


def _text(measure: Measure, sign: str, value: float | None) -> str:
    return "?" if value is None else sign + _FORMATS[measure.unit](value, "")


_FORMATS: dict[str, Callable[[float, str], str]] = {
    "bytes": lambda value, sign: f"{value / GIB:{sign}.{2 if abs(value) >= GIB / 10 else 4}f}",
    "bits": lambda value, sign: f"{value:{sign}.3f}",
    "tokens": lambda value, sign: f"{value:{sign}.0f}",
    "tokens/s": lambda value, sign: f"{value:{sign}.1f}" if sign else rate(value),
}


def _types(columns: Sequence[Column]) -> list[str]:
    """Return the tensor types worth a row: the largest of any variant."""
    shares: dict[str, float] = {}
    for column in columns:
        for name, share in column.mix.items():
            shares[name] = max(share, shares.get(name, 0))
    return sorted(shares, key=lambda name: -shares[name])[: MIX_SHOWN + len(columns)]


def _share(column: Column, name: str) -> str:
    share = 100 * column.mix.get(name, 0)
    return "?" if not column.mix else "<1 %" if 0 < share < 0.5 else f"{share:.0f} %"


def _date(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")
