"""`bench`: the bench run shown as a table."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from qtui.cli.load_bench import bench_load
from qtui.cli.rounds import finish
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.bench import Bench, BenchEnded, BenchSampled, BenchSettings
from qtui.core.errors import Failure, UsageError
from qtui.core.events import Failed, LoadProgressed
from qtui.core.text import rate

RATES = ("prompt_tokens", "generate", "depth", "repeats")
LOAD = ("parallel", "requests", "max_tokens", "prompts")
"""Options of either way to measure."""


async def bench(context: Context) -> int:
    """Measure the rates of the variants and print mean and spread."""
    options, console = context.options, context.console
    load = [name for name in LOAD if getattr(options, name) is not None]
    if load and options.parallel is None:
        raise UsageError(f"{_option(load[0])} goes with --parallel", "--parallel 4 asks from four programs at once")
    given = {name: value for name in RATES if (value := getattr(options, name)) is not None}
    if load:
        if given:
            raise UsageError(f"{_option(next(iter(given)))} does not go with --parallel", "--max-tokens, --requests")
        return await bench_load(context)
    services, settings = context.services, BenchSettings(**given)
    plan = context.plan()
    variants = [await services.library.find(name) for name in options.variants]
    run = Bench(services.engine, services.guard, settings, force=options.force)
    failures: list[Failure] = []
    ended: BenchEnded | None = None
    taken, total = 0, len(variants) * len(settings.tests) * (settings.repeats + 1)
    with context.interrupts.stop_first(run.stop):
        async with aclosing(run.run(variants, plan)) as events:
            async for event in events:
                if isinstance(event, BenchEnded):
                    ended = event
                elif isinstance(event, BenchSampled):
                    taken += 1
                    what = f"{event.variant.title} {event.test.name} {rate(event.rate)} t/s"
                    console.progress(f"{taken}/{total}: {what}{'' if event.repetition else ' (warm-up)'}")
                elif isinstance(event.event, Failed):
                    failures.append(event.event.failure)
                elif isinstance(event.event, LoadProgressed):
                    console.progress(f"{event.variant.title}: loading {event.event.fraction * 100:.0f} %")
    console.end_progress()
    assert ended is not None
    for line in _table(ended).lines(console.width):
        console.print(line)
    console.print(ended.method)
    report: dict[str, Any] = {
        "results": [result.as_json() for result in ended.results],
        "method": ended.method,
        "plans": [plan.as_json() for plan in ended.plans],
    }
    status = finish(context, report, failures[0] if failures else None)
    for failure in failures if context.interrupts.happened else failures[1:]:
        console.failure(failure)
    return status


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _table(ended: BenchEnded) -> Table:
    table = Table(("VARIANT", "TEST", ">DEPTH", ">T/S", ">±", ">SAMPLES"))
    for result in ended.results:
        spread = "–" if result.stdev is None else rate(result.stdev)
        mean = rate(result.mean) if result.samples else "failed" if result.failure else "–"
        table.add(
            result.variant.title, result.test.name, str(result.test.depth), mean, spread, str(len(result.samples))
        )
    return table
