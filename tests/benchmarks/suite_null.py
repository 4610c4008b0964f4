"""A file against itself: how often a suite shows a difference where there is none.

    python -m tests.benchmarks.suite_null FILE [--suite demo] [--runs 20] [--temperature 0.8] [--one-seed]

With `--one-seed` each run is what `qtui duel FILE FILE --suite NAME --seed N` does: both sides draw by the same seed of
each task, answer the same, and differ on nothing. Without it each side has seeds of its own, which is what the test
must stand: the answers differ by chance alone. The runs of all seeds are then compared each with each, too; of so many
pairs about one in twenty or fewer should show a difference.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from qtui.cli.services import Services
from qtui.cli.wiring import local_services
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.run import Duel
from qtui.core.duel.suite.score import Result, SuiteScore, score
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite_run import SuiteEnded, SuiteRun
from qtui.core.memory.plan import LoadPlan


async def results(services: Services, duel: Duel, suite: Suite, sampling: Sampling) -> Sequence[Result]:
    """Run a suite on the sides of a duel, and return the results."""
    duel.sampling = sampling
    async for event in SuiteRun(duel, services.judge()).run(suite):
        if isinstance(event, SuiteEnded):
            return event.results
    raise AssertionError("the run did not end")


def against(first: Sequence[Result], second: Sequence[Result]) -> SuiteScore:
    """Score two runs of one side as those of two sides."""
    return score([replace(r, side=side) for side, run in (("A", first), ("B", second)) for r in run])


def line(told: SuiteScore) -> str:
    """Return a verdict."""
    a, b = told.total.scores or (0.0, 0.0)
    pairs = told.total.pairs
    return f"{a:.1f} {b:.1f}  only A {pairs.only_first:>2}, only B {pairs.only_second:>2}  {told.total.sentence}"


def shown(told: SuiteScore) -> bool:
    """Tell whether any line shows a difference."""
    return any(one.shown for one in (*told.groups, told.total))


async def measure(options: Namespace) -> None:
    """Print every pair's scores and verdict, then how many show no difference."""
    services = local_services(Namespace(models_dir=[]))
    variant = await services.library.find(options.file)
    suite = await services.suites.find(options.suite)
    duel = Duel(services.engine, services.guard)
    calm = 0
    every: list[Sequence[Result]] = []
    try:
        for side in "AB" if options.one_seed else "A":
            await duel.put(side, variant, LoadPlan(threads=1))
        for run in range(1, options.runs + 1):
            seeds = (run,) if options.one_seed else (2 * run - 1, 2 * run)
            found = [
                await results(services, duel, suite, Sampling(temperature=options.temperature, seed=seed))
                for seed in seeds
            ]
            told = score(found[0]) if options.one_seed else against(*found)
            every += found
            calm += not shown(told)
            print(f"seed{'s' if len(seeds) > 1 else ''} {' and '.join(map(str, seeds))}: {line(told)}", flush=True)
    finally:
        await duel.close()
        await services.close()
    print(f"{suite.name}, {len(suite.tasks)} tasks, {variant.title} against itself at temperature "
          f"{options.temperature:g}: no difference shown in {calm} of {options.runs}")  # fmt: skip
    if not options.one_seed:
        pairs = list(itertools.combinations(every, 2))
        wrong = sum(shown(against(*pair)) for pair in pairs)
        print(f"each of the {len(every)} with each other: a difference in {wrong} of {len(pairs)}, "
              f"{100 * wrong / len(pairs):.1f} %")  # fmt: skip


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="suite_null")
    parser.add_argument("file")
    parser.add_argument("--suite", default="demo")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--one-seed", action="store_true")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
