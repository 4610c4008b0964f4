"""A file against itself: how often a suite shows a difference where there is none.

Greedy answers of one file are the same every time, so both sides sample here, each with seeds of its own. Each pair of
runs is scored as two variants would be. `python -m tests.benchmarks.suite_null FILE [SUITE] [PAIRS] [FIRST]` prints
the pairs; of many, about one in twenty or fewer should show a difference.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from dataclasses import replace

from qtui.cli.wiring import local_services
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.run import Duel
from qtui.core.duel.suite.score import Result, score
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite_run import SuiteEnded, SuiteRun
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan


async def results(duel: Duel, suite: Suite, seed: int, side: str) -> list[Result]:
    """Run a suite on the only side of a duel with one seed, and return the results as another side's."""
    duel.sampling = Sampling(temperature=0.8, seed=seed)
    services = local_services(Namespace())
    async for event in SuiteRun(duel, services.judge()).run(suite):
        if isinstance(event, SuiteEnded):
            return [replace(result, side=side) for result in event.results]
    raise AssertionError("the run did not end")


async def main(file: str, name: str = "demo", pairs: str = "20", start: str = "0") -> None:
    """Print every pair's scores and verdict, then how many show no difference."""
    services = local_services(Namespace(models_dir=[]))
    variant: Variant = await services.library.find(file)
    suite = await services.suites.find(name)
    duel = Duel(services.engine, services.guard)
    await duel.put("A", variant, LoadPlan(threads=1))
    calm = 0
    try:
        for pair in range(int(start), int(start) + int(pairs)):
            first = await results(duel, suite, 2 * pair + 1, "A")
            second = await results(duel, suite, 2 * pair + 2, "B")
            told = score([*first, *second]).total
            calm += not told.shown
            a, b = told.scores or (0.0, 0.0)
            seeds = f"seeds {2 * pair + 1:>2} and {2 * pair + 2:>2}"
            print(f"{seeds}: {a:.1f} {b:.1f}  p = {told.pairs.p:.3f}  {told.sentence}", flush=True)
    finally:
        await duel.close()
        await services.close()
    print(f"{suite.name}, {len(suite.tasks)} tasks, {variant.title} against itself at temperature 0.8: "
          f"no difference shown in {calm} of {pairs}")  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
