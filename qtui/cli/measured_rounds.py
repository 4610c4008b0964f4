"""`duel --rounds`: measured rounds shown as text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from qtui.cli.keeping import Kept
from qtui.cli.rounds import finish, show_event, show_round
from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.core.duel.measured import Measured, RoundBegins, RoundRepeated, SideNumbers, measured_rounds
from qtui.core.duel.report import duel_report
from qtui.core.duel.run import Duel, DuelMode, RoundEnded
from qtui.core.duel.spread import Spread
from qtui.core.text import rate


async def run_measured(context: Context, duel: Duel, prompts: Sequence[str], kept: Kept, mode: DuelMode | None) -> int:
    """Run the rounds, print the last answers to each prompt, then the numbers; return the exit status."""
    options, console = context.options, context.console
    told: Measured | None = None
    async with aclosing(measured_rounds(duel, prompts, options.rounds, mode=mode, raw=options.raw)) as events:
        async for event in events:
            if isinstance(event, Measured):
                told = event
            elif isinstance(event, RoundBegins):
                what = f"round {event.number} of {event.total}" if event.number else "the round that is discarded"
                console.note(f"{what}: {', then '.join(event.order)}")
            elif isinstance(event, RoundRepeated):
                console.note(f"round {event.number} again: {event.side}: {event.failure.message}")
            elif not isinstance(event, RoundEnded):
                show_event(context, event)
    console.end_progress()
    assert told is not None
    for ended in {ended.prompt: ended for ended in told.rounds}.values():
        show_round(context, ended, kept.sampling, titled=len(prompts) > 1)
    if told.rounds:
        _show_numbers(context, told)
    for ended in told.rounds:
        await kept.add(ended)
    await kept.report(measured=told)
    report = {"rounds": [duel_report(ended) for ended in told.rounds], "measured": told.as_json()}
    return finish(context, report, told.failure)


def _show_numbers(context: Context, told: Measured) -> None:
    console = context.console
    console.print()
    for line in _table(told.sides).lines(console.width):
        console.print(line)
    for line in told.outliers:
        console.print(line)
    if told.ratio:
        console.print(told.ratio.sentence)
    console.print(told.method)


def _table(sides: Sequence[SideNumbers]) -> Table:
    count = len(sides[0].generation_rate.samples)
    table = Table((f"MEDIAN OF {count} ± SD", *(f">{side.side} {side.variant.quant}" for side in sides)))
    table.add("generated, t/s", *(_rates(side.generation_rate) for side in sides))
    table.add("prompt, t/s", *(_rates(side.prompt_rate) for side in sides))
    table.add("first token, s", *(_seconds(side.first_token) for side in sides))
    digits = digits_for(*(side.peak for side in sides))
    table.add("peak memory, GiB", *(gib_of(side.peak, digits=digits) for side in sides))
    return table


def _rates(spread: Spread) -> str:
    return f"{rate(spread.median)} ± {rate(spread.stdev)}"


def _seconds(spread: Spread) -> str:
    middle, deviation = spread.median, spread.stdev
    return f"{'?' if middle is None else f'{middle:.3f}'} ± {'?' if deviation is None else f'{deviation:.3f}'}"
