"""`ask` and `duel`: the duel run as verbs."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

from qtui.cli.blind_rounds import run_blind
from qtui.cli.keeping import Kept, check_report
from qtui.cli.measured_rounds import run_measured
from qtui.cli.options import sampling_of
from qtui.cli.prompts import prompts_of_file
from qtui.cli.rounds import finish, measured_line, new_duel, run_round, show_round
from qtui.cli.running import Context
from qtui.cli.suite_verb import run_suite
from qtui.core.duel.conversation import DUEL_SAMPLING, Sampling
from qtui.core.duel.report import duel_report, side_report
from qtui.core.duel.run import DuelMode, RoundEnded
from qtui.core.engines import engine_kind
from qtui.core.errors import UsageError


async def ask(context: Context) -> int:
    """Answer one prompt on one variant, streamed to stdout."""
    options, console = context.options, context.console
    plan, sampling = context.plan(), sampling_of(options, Sampling())
    variant = await context.services.library.find(options.variant)
    duel = new_duel(context, sampling)
    try:
        await duel.put("A", variant, plan)
        with context.interrupts.stop_first(duel.stop):
            ended = await run_round(context, duel, options.prompt, raw=options.raw, stream=True)
    finally:
        await duel.close()
    console.end_line()
    side = ended.sides[0]
    if side.answer:
        console.note(measured_line(side))
    await Kept(context, sampling).add(ended)
    report = {"prompt": ended.prompt, **side_report(side, ended.prompt)}
    del report["side"]
    return finish(context, report, side.failure)


async def duel(context: Context) -> int:
    """Put one or several prompts to two variants and compare the answers."""
    options = context.options
    plan, sampling = context.plan(), sampling_of(options, DUEL_SAMPLING)
    plans = {"A": plan, "B": plan}
    if options.engine_b is not None:
        engine_kind(options.engine_b)
        plans["B"] = replace(plan, engine=options.engine_b)
    _check(options)
    if options.out is not None:
        check_report(options.out)
    prompts = [] if options.suite else _prompts(options.prompt, options.prompts)
    library = context.services.library
    sides = {"A": await library.find(options.a), "B": await library.find(options.b)}
    mode = DuelMode(options.mode) if options.mode else None
    run = new_duel(context, sampling)
    rounds: list[RoundEnded] = []
    kept = Kept(context, sampling)
    try:
        for label, variant in sides.items():
            await run.put(label, variant, plans[label])
        with context.interrupts.stop_first(run.stop):
            if options.suite:
                return await run_suite(context, run, sides, plan)
            if options.blind:
                return await run_blind(context, run, prompts, kept)
            if options.rounds:
                return await run_measured(context, run, prompts, kept, mode)
            for prompt in prompts:
                run.clear()
                rounds.append(await run_round(context, run, prompt, mode=mode, raw=options.raw))
                await kept.add(rounds[-1])
                show_round(context, rounds[-1], sampling, titled=len(prompts) > 1)
                if context.interrupts.happened:
                    break
    finally:
        await run.close()
    await kept.report()
    failure = next((side.failure for ended in rounds for side in ended.sides if side.failure), None)
    if options.prompts is None:
        return finish(context, duel_report(rounds[0]), failure)
    return finish(context, {"rounds": [duel_report(ended) for ended in rounds]}, failure)


def _check(options: Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: names them.
    """
    if options.blind:
        for name in ("rounds", "suite", "mode"):
            if getattr(options, name) is not None:
                raise UsageError(f"--blind does not go with --{name}", "blind rounds are read and voted on, one by one")
    if not options.suite:
        if options.allow_exec:
            raise UsageError("--allow-exec goes with --suite", "it runs the code that a suite asks for")
        return
    for name in ("prompt", "prompts", "rounds", "mode"):
        if getattr(options, name) is not None:
            shown = "a prompt" if name == "prompt" else f"--{name}"
            raise UsageError(f"--suite does not go with {shown}", "a suite brings its own prompts")


def _prompts(prompt: str | None, file: str | None) -> list[str]:
    """Return the prompts: the one given, or the lines of a file.

    Raises:
        UsageError: neither or both are given, or the file cannot be read or is empty.
    """
    if (prompt is None) == (file is None):
        raise UsageError("give either a prompt or --prompts FILE", "qtui duel A B 'What is 23 + 45?'")
    if file is None:
        assert prompt is not None
        return [prompt]
    return prompts_of_file(file)
