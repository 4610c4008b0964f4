"""Compare what gathering an importance matrix costs here with llama-imatrix: processor seconds over the same chunks.

    python -m tests.benchmarks.gather_cost MODEL TEXT [--chunks N] [--pairs N]

Runs are alternated. Processor time is compared, for it hardly depends on what else the machine does; llama-imatrix
computes a perplexity besides, which is turned off. Prints each pair and the median ratio. Needs llama.cpp's tools.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from qtui.services.engine.gather import gather

ROOT = Path(__file__).parents[2]


def spent(work: Callable[[], object]) -> float:
    """Return the processor seconds of the children that some work starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    where = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "oracle.py"), "--where"], capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "matrix.gguf"
        command = [
            str(Path(where.stdout.strip()) / "llama-imatrix"), "-m", str(options.model), "-f", str(options.text),
            "-o", str(target), "-c", "512", "-b", "512", "--chunks", str(options.chunks), "--no-ppl",
        ]  # fmt: skip

        async def ours() -> None:
            async for _ in gather(options.model, options.text, target, chunks=options.chunks, overwrite=True):
                pass

        ratios = []
        for pair in range(1, options.pairs + 1):
            mine = spent(lambda: asyncio.run(ours()))
            theirs = spent(lambda: subprocess.run(command, capture_output=True, check=True))
            ratios.append(mine / theirs)
            print(f"pair {pair}: qtui {mine:.1f} s, llama-imatrix {theirs:.1f} s, ratio {mine / theirs:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
