"""`fit --history`: what past runs were said to need, and what they really held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.history import PastRun
from qtui.core.memory.actual import Actual, Difference, differences
from qtui.core.text import GIB, gib, rate

MOST = 50


async def history(context: Context) -> int:
    """Print the newest runs, of one variant when it is given, with estimate, actual and their difference."""
    options, console, store = context.options, context.console, context.services.history
    path: Path | None = None
    if options.variant is not None:
        path = (await context.services.library.find(options.variant)).path
    runs = await store.runs(MOST, path) if store is not None else []
    left_out = await store.unaccounted() if store is not None else {}
    report: dict[str, Any] = {
        "runs": [run.as_json() for run in runs],
        "unaccounted": {name: {"median": it.median, "runs": it.runs} for name, it in left_out.items()},
    }
    console.json(report)
    if not runs:
        console.print("no runs yet: ask, duel, bench and the Arena record theirs")
        return 0
    for line in _table(runs).lines(console.width):
        console.print(line)
    console.print("resident memory in GiB; * before a full prompt was read, when less is in use than planned")
    for name, it in left_out.items():
        console.print(f"{name}: {gib(it.median)} GiB beyond llama.cpp's own buffers (median of {it.runs} runs)")
    return 0


def _table(runs: Sequence[PastRun]) -> Table:
    totals = [
        differences(run.run.estimate, run.run.actual or Actual())[-1] if run.run.estimate else None for run in runs
    ]
    digits = 2 if any(total and max(total.estimate, total.actual or 0) >= GIB for total in totals) else 4
    table = Table(
        ("WHEN", "VARIANT", ">CTX", "MODE", ">EST", ">ACTUAL", ">DIFF", ">ALLOCATED", ">LOAD S", ">T/S"), flexible=1
    )
    for past, total in zip(runs, totals, strict=True):
        run = past.run
        sign = run.estimate.origin.sign if run.estimate else ""
        allocated = sum(sum(sizes) for _, *sizes in run.allocated) if run.allocated else None
        table.add(
            datetime.fromtimestamp(run.time).strftime("%Y-%m-%d %H:%M"),
            past.title,
            str(run.plan.get("ctx_size", "?")),
            str(run.plan.get("load_mode", "?")),
            sign + gib(total.estimate, digits) if total else "?",
            gib(total.actual if total else None, digits),
            _percent(total, run.actual),
            gib(allocated, digits),
            "?" if run.load_time is None else f"{run.load_time:.2f}",
            rate(past.generation_rate),
        )
    return table


def _percent(total: Difference | None, actual: Actual | None) -> str:
    """Return the difference, with a star where it is not to be claimed."""
    if total is None or total.percent is None or actual is None:
        return "?"
    return f"{total.percent:+.1f} %" if actual.full_prompt else f"{total.percent:+.1f} %*"
