"""Print predicted beside measured generation rates: a dense model, one of experts, and a large cache.

    python -m tests.benchmarks.speed_prediction [--threads N] [--tokens N]

Nothing else should run meanwhile (`chrt -f 10` keeps others off the cores). The files hold random weights in K-quants;
the rate of this machine is measured anew, not taken from the cache.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from qtui.core.events import Failed
from qtui.core.forecast import Forecast
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.text import MIB
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.read_speeds import ReadSpeeds
from qtui.services.library.tables import LocalTables
from qtui.services.machine.cpu import usable_physical_cores
from tests.benchmarks.generation import ours
from tests.benchmarks.make_model import cached_model

CASES = (("dense", "1b", 64), ("experts", "moe", 64), ("large cache", "cache", 3072))
REPEATS = 3


async def _this_machine() -> tuple[str, ...]:
    return ("benchmark",)


async def case(
    engine: BuiltInEngine, speeds: ReadSpeeds, path: Path, *, depth: int, tokens: int, threads: int
) -> tuple[float, int, float, float]:
    """Return (predicted, bytes per token, seconds that predicting took, measured) of one file."""
    plan = LoadPlan(
        ctx_size=-(-(depth + tokens + 1) // 256) * 256, n_gpu_layers=0, threads=threads, threads_batch=threads,
        load_mode=LoadMode.MMAP,
    )  # fmt: skip
    variant = Variant(path, path.stem, "Q4_K_M", size=path.stat().st_size)
    begin = time.perf_counter()
    predicted = await Forecast(LocalTables(), engine, speeds).computed(variant, plan, depth=depth + tokens // 2)
    spent = time.perf_counter() - begin
    assert predicted.rate is not None and predicted.bytes_per_token is not None
    session = engine.open(variant, plan)
    try:
        async for event in session.load():
            if isinstance(event, Failed):
                raise SystemExit(f"qtui's engine failed: {event.failure.message}")
        await ours(session, 16, 4)  # the first answer touches memory for the first time
        rates = [await ours(session, depth, tokens) for _ in range(REPEATS)]
    finally:
        await session.close()
    return predicted.rate, predicted.bytes_per_token, spent, statistics.median(rates)


async def report(threads: int, tokens: int) -> None:
    """Print the table."""
    engine = BuiltInEngine()
    with tempfile.TemporaryDirectory() as folder:
        speeds = ReadSpeeds(_this_machine, Path(folder) / "rates.json")
        print(f"{threads} threads, {tokens} tokens, median of {REPEATS}\n")
        print(
            "| model | file, MiB | depth | read per token, MiB | predicted, t/s | measured, t/s | error, % | asked, s |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for name, size, depth in CASES:
            path = cached_model(size)
            predicted, work, spent, measured = await case(
                engine, speeds, path, depth=depth, tokens=tokens, threads=threads
            )
            print(
                f"| {name} | {path.stat().st_size / MIB:.0f} | {depth} | {work / MIB:.0f} | {predicted:.1f} "
                f"| {measured:.1f} | {100 * (predicted / measured - 1):+.1f} | {spent:.1f} |",
                flush=True,
            )
    await engine.close()


def main() -> None:
    """Parse and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=usable_physical_cores())
    parser.add_argument("--tokens", type=int, default=24)
    arguments = parser.parse_args()
    asyncio.run(report(arguments.threads, arguments.tokens))


if __name__ == "__main__":
    main()
