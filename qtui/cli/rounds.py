"""A round of the duel shown as text: progress while it runs, answers, numbers and method when it has ended."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from qtui.cli.running import INTERRUPTED, Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.report import failure_report, held_total, round_difference, side_degeneration
from qtui.core.duel.run import Duel, DuelEvent, DuelMode, ModeChosen, RoundEnded, SideHappened, SideWaits, SideWeighed
from qtui.core.duel.side import SideResult
from qtui.core.errors import Failure
from qtui.core.events import Loaded, LoadProgressed, PromptProgressed, TextArrived
from qtui.core.memory.actual import Estimate, comparison
from qtui.core.memory.verdict import Fit
from qtui.core.text import clean_name, duration, rate, size

INTERRUPTION = Failure("interrupted", "", "interrupted")


def new_duel(context: Context, sampling: Sampling) -> Duel:
    """Return a duel over the context's services, with the system prompt and the force that the options give."""
    services, options = context.services, context.options
    duel = Duel(services.engine, services.guard, sampling=sampling, force=getattr(options, "force", False))
    duel.system = getattr(options, "system", "")
    return duel


async def run_round(
    context: Context, duel: Duel, prompt: str, *, mode: DuelMode | None = None, raw: bool = False, stream: bool = False
) -> RoundEnded:
    """Put a prompt to all sides and show what happens; `stream` writes the answer to stdout as it comes."""
    ended: RoundEnded | None = None
    async with aclosing(duel.ask(prompt, mode=mode, raw=raw)) as events:
        async for event in events:
            if isinstance(event, RoundEnded):
                ended = event
            else:
                show_event(context, event, stream=stream)
    context.console.end_progress()
    assert ended is not None
    return ended


def show_round(context: Context, ended: RoundEnded, sampling: Sampling, *, titled: bool = False) -> None:
    """Print both answers under their heads, their numbers, and how they were made."""
    console = context.console
    if titled:
        console.print(f"> {clean_name(ended.prompt)}\n")
    for side in ended.sides:
        console.print(f"{side.side}  {side.variant.title}")
        if side.answer:
            console.print(side.answer.text.strip("\n") or "(an empty answer)")
        elif side.failure:
            console.print(f"failed: {side.failure.message}")
        else:
            console.print("(not answered)")
        console.print()
    for line in _numbers(ended.sides).lines(console.width):
        console.print(line)
    apart = round_difference(ended)
    if apart:
        console.print(f"\nthe answers: {apart.sentence}")
    for side in ended.sides:
        seen = side_degeneration(side, ended.prompt)
        if seen and seen.sentence:
            console.print(f"{side.side}: {seen.sentence}")
    console.print(method_line(ended, sampling) + ("\n" if titled else ""))


def finish(context: Context, report: dict[str, Any], failure: Failure | None) -> int:
    """Print the object of --json, and what failed; return the exit status."""
    if context.interrupts.happened:
        failure = INTERRUPTION
    if failure:
        report["error"] = failure_report(failure)
    context.console.json(report)
    if failure is None:
        return 0
    context.console.failure(failure)
    return INTERRUPTED if failure is INTERRUPTION else 1


def show_event(context: Context, event: DuelEvent, *, stream: bool = False) -> None:
    """Show what happens in a round: progress, warnings, and with `stream` the answer as it comes."""
    if isinstance(event, SideHappened):
        _happened(context, event, stream)
    elif isinstance(event, SideWeighed):
        _warn(context, event, stream)
    elif isinstance(event, SideWaits):
        context.console.progress(f"{event.side} waits for {event.waits_for}")
    elif isinstance(event, ModeChosen) and event.reason:
        context.console.note(f"{event.mode.value.replace('_', ' ')}: {event.reason}")


def _happened(context: Context, happened: SideHappened, stream: bool) -> None:
    console, event = context.console, happened.event
    who = "" if stream else f"{happened.side}: "
    if isinstance(event, LoadProgressed):
        console.progress(f"{who}loading {event.fraction * 100:.0f} %")
    elif isinstance(event, Loaded):
        for warning in event.warnings:
            console.note(f"{who}{warning}")
    elif isinstance(event, PromptProgressed):
        console.progress(f"{who}reading the prompt {event.done}/{event.total}")
    elif isinstance(event, TextArrived) and event.thinking:
        if stream and context.options.show_thinking:
            console.thinking(event.text)
        else:
            console.progress(f"{who}thinking, {event.tokens} tokens")
    elif isinstance(event, TextArrived):
        if stream:
            console.stream(event.text)
        else:
            console.progress(f"{who}answering, {event.tokens} tokens")


def _warn(context: Context, event: SideWeighed, stream: bool) -> None:
    verdict = event.weighing.verdict
    context.console.warn(event.weighing.warnings, "" if stream else f"{event.side}: ")
    if verdict.fit in (Fit.TIGHT, Fit.FROM_DISK) or (
        verdict.fit is Fit.TOO_BIG and getattr(context.options, "force", False)
    ):
        context.console.note(f"{event.side}: {verdict.fit.value.replace('_', ' ')}: {verdict.reason}")


def measured_line(side: SideResult) -> str:
    """Return the line that `ask` ends with on stderr."""
    answer = side.answer
    assert answer is not None
    load = f"loaded in {duration(side.loaded.load_time)}, " if side.loaded else ""
    footprint = side.weighing.footprint if side.weighing else None
    estimate = Estimate.of(footprint) if footprint else None
    held = f"{comparison(estimate, answer.actual)} GiB, " if answer.actual else ""
    return (
        f"[{load}first token {duration(answer.time_to_first_token)}, prompt {answer.prompt_tokens} tokens at "
        f"{rate(answer.prompt_rate)} t/s, {answer.generated_tokens} tokens at {rate(answer.generation_rate)} t/s, "
        f"peak {size(answer.memory.peak)}, {held}ended by {answer.finish_reason}, seed {answer.seed}]"
    )


def _numbers(sides: tuple[SideResult, ...]) -> Table:
    """Return the table of numbers, one column per side."""
    table = Table(("", *(f">{side.side} {side.variant.quant}" for side in sides)))
    answers = [side.answer for side in sides]
    loads = [side.loaded for side in sides]
    footprints = [side.weighing.footprint if side.weighing else None for side in sides]
    table.add("generated, t/s", *(rate(a.generation_rate if a else None) for a in answers))
    table.add("prompt, t/s", *(rate(a.prompt_rate if a else None) for a in answers))
    table.add("first token, s", *(_seconds(a.time_to_first_token if a else None) for a in answers))
    table.add("load, s", *(_seconds(loaded.load_time if loaded else None) for loaded in loads))
    table.add("tokens", *(str(a.generated_tokens) if a else "?" for a in answers))
    table.add("ended by", *(a.finish_reason if a else "failure" for a in answers))
    peaks = [a.memory.peak if a else None for a in answers]
    held = [held_total(side) for side in sides]
    digits = digits_for(*peaks, *(f.total for f in footprints if f))
    table.add("peak memory, GiB", *(gib_of(peak, digits=digits) for peak in peaks))
    table.add("held, GiB", *(gib_of(total, digits=digits) for total in held))
    table.add("expected, GiB", *(gib_of(f.total + f.reclaimable, f.origin, digits) if f else "?" for f in footprints))
    return table


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def method_line(ended: RoundEnded, sampling: Sampling) -> str:
    """Return how a round was run: mode, seed, temperature, context, cache."""
    plans = [side.loaded.plan for side in ended.sides if side.loaded]
    context = f" · ctx {plans[0].get('ctx_size')}" if plans else ""
    seeds = {side.answer.seed for side in ended.sides if side.answer}
    seed = f" · seed {'/'.join(str(s) for s in sorted(seeds))}" if seeds else ""
    return f"{ended.mode.value.replace('_', ' ')}{seed} · temp {sampling.temperature:g}{context} · empty cache"
