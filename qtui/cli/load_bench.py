"""`bench --parallel`: the load test shown as a table."""

from __future__ import annotations

import time
from argparse import Namespace
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from qtui.cli.prompts import prompts_of_file
from qtui.cli.rounds import finish
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.errors import Failure
from qtui.core.events import LoadProgressed
from qtui.core.serving.load_test import LoadEnded, LoadHappened, LoadSettings, LoadTest, ShotTaken
from qtui.core.serving.run import Loading
from qtui.core.serving.shot import LoadResult
from qtui.core.serving.slots import answers_at_once
from qtui.core.text import duration, rate

PER_PROGRAM = 8
"""Requests where their number is not given."""


async def bench_load(context: Context) -> int:
    """Ask the variants from several programs at once and print what the answers kept to."""
    options, console, services = context.options, context.console, context.services
    settings = _settings(options)
    plan = replace(context.plan(), parallel=settings.parallel)
    if answers_at_once(plan) == 1:  # --parallel says how many ask; slots would only divide the context
        plan = replace(plan, parallel=1)
    variants = [await services.library.find(name) for name in options.variants]
    run = LoadTest(services.engine, services.guard, services.endpoints, settings, force=options.force)
    ended: LoadEnded | None = None
    began: float | None = None
    with context.interrupts.stop_first(run.stop):
        async with aclosing(run.run(variants, plan)) as events:
            async for event in events:
                if isinstance(event, LoadEnded):
                    ended = event
                elif isinstance(event, ShotTaken):
                    began = began or time.monotonic()
                    console.progress(_progress(event, time.monotonic() - began))
                else:
                    _show(context, event)
    console.end_progress()
    assert ended is not None
    for line in _table(ended).lines(console.width):
        console.print(line)
    for result in ended.results:
        for text, count in result.errors:
            console.print(f"{result.variant.title}: {count} of {len(result.shots)} failed: {text}")
    console.print(ended.method)
    report: dict[str, Any] = {
        "results": [{"parallel": settings.parallel, **result.as_json()} for result in ended.results],
        "method": ended.method,
        "plans": [plan.as_json() for plan in ended.plans],
    }
    return finish(context, report, _failure(ended))


def _settings(options: Namespace) -> LoadSettings:
    settings = LoadSettings(options.parallel, options.requests or PER_PROGRAM * options.parallel)
    if options.max_tokens is not None:
        settings = replace(settings, max_tokens=options.max_tokens)
    if options.prompts is not None:
        settings = replace(settings, prompts=tuple(prompts_of_file(options.prompts)))
    return settings


def _failure(ended: LoadEnded) -> Failure | None:
    """Return why not all was answered: a file that failed, else the first request that did."""
    for result in ended.results:
        if result.failure is not None:
            return result.failure
        for text, count in result.errors:
            return Failure(f"{result.variant.title}: {count} of {len(result.shots)} requests failed: {text}")
    return None


def _show(context: Context, event: LoadHappened) -> None:
    happened = event.event
    if isinstance(happened, Loading) and isinstance(happened.event, LoadProgressed):
        context.console.progress(f"{event.variant.title}: loading {happened.event.fraction * 100:.0f} %")


def _progress(event: ShotTaken, elapsed: float) -> str:
    left = elapsed / (event.taken - 1) * (event.total - event.taken) if event.taken > 1 else None
    shot = event.shot
    told = shot.error or f"first token {duration(shot.first_token)}, {rate(shot.rate)} t/s"
    remaining = f", {duration(left)} left" if left is not None else ""
    return f"{event.taken}/{event.total}{remaining}: {event.variant.title} {told}"


def _table(ended: LoadEnded) -> Table:
    table = Table(("VARIANT", ">ANSWERS", ">FIRST s p50", ">p95", ">T/S p50", ">p95", ">TOGETHER T/S", ">ERRORS"))
    for result in ended.results:
        table.add(result.variant.title, *_cells(result))
    return table


def _cells(result: LoadResult) -> tuple[str, ...]:
    first, each = result.first_token, result.rate
    errors = sum(count for _, count in result.errors)
    return (
        str(len(result.answered)), _seconds(first.p50), _seconds(first.p95), rate(each.p50), rate(each.p95),
        rate(result.throughput), "failed" if result.failure else str(errors),
    )  # fmt: skip


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"
