"""Compare the built-in engine's generation rate with llama-bench's: same file, depth, threads and batch sizes.

    python -m tests.benchmarks.generation [--model FILE] [--depth N] [--tokens N] [--threads N] [--pairs N]

Runs are alternated, and each pair begins with the other one, so that what else the machine does falls on both. Prints
each pair, the median ratio and its range; exits 1 when the median is below 0.97. Needs llama.cpp's tools (make oracle).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from pathlib import Path

from qtui.core.duel.conversation import Request, Sampling
from qtui.core.events import Answered, Failed, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.session import ChildSession
from qtui.services.machine.cpu import usable_physical_cores
from tests.benchmarks.make_model import SIZES, cached_model

GOAL = 0.97
ROOT = Path(__file__).parents[2]


async def ours(session: ChildSession, depth: int, tokens: int) -> float:
    """Return tokens per second over `tokens` decoded tokens that follow `depth` others in an empty cache."""
    sampling = Sampling(temperature=0.0, seed=1, max_tokens=tokens + 1)  # n - 1 intervals lie between n tokens
    request = Request(raw="w1", sampling=sampling, reuse_prefix=False, prompt_length=depth, ignore_eos=True)
    last: SessionEvent | None = None
    async for event in session.ask(request):
        last = event
    if isinstance(last, Failed):
        raise SystemExit(f"qtui's engine failed: {last.failure.message}")
    assert isinstance(last, Answered)
    answer = last.answer
    assert (answer.prompt_tokens, answer.generated_tokens) == (depth, tokens + 1), answer
    assert answer.generation_rate is not None
    return answer.generation_rate


async def theirs(bench: Path, model: Path, depth: int, tokens: int, threads: int) -> float:
    """Return llama-bench's tokens per second for the same."""
    process = await asyncio.create_subprocess_exec(
        bench, "-m", model, "-p", "0", "-n", str(tokens), "-d", str(depth), "-t", str(threads), "-ngl", "0",
        "-r", "1", "-o", "json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"llama-bench ended with status {process.returncode}")
    (result,) = json.loads(out)
    assert (result["n_gen"], result["n_depth"], result["n_threads"]) == (tokens, depth, threads)
    return float(result["avg_ts"])


async def compare(bench: Path, model: Path, arguments: argparse.Namespace) -> list[float]:
    """Run all pairs and return the ratios."""
    depth, tokens, threads = arguments.depth, arguments.tokens, arguments.threads
    plan = LoadPlan(
        ctx_size=-(-(depth + tokens + 1) // 256) * 256, n_gpu_layers=0, threads=threads, threads_batch=threads,
        load_mode=LoadMode.MMAP, flash_attn=FlashAttention.AUTO,
    )  # fmt: skip
    session = BuiltInEngine().open(Variant(model, "benchmark", "Q4_K_M"), plan)
    ratios: list[float] = []
    try:
        async for event in session.load():
            if isinstance(event, Failed):
                raise SystemExit(f"qtui's engine failed: {event.failure.message}")
        await ours(session, 16, 8)  # llama-bench warms up as well
        for pair in range(arguments.pairs):
            if pair % 2:
                reference = await theirs(bench, model, depth, tokens, threads)
                rate = await ours(session, depth, tokens)
            else:
                rate = await ours(session, depth, tokens)
                reference = await theirs(bench, model, depth, tokens, threads)
            ratios.append(rate / reference)
            first = "llama-bench" if pair % 2 else "qtui"
            print(f"pair {pair + 1}: qtui {rate:.2f} t/s, llama-bench {reference:.2f} t/s, ratio {ratios[-1]:.3f}"
                  f" ({first} first)", flush=True)  # fmt: skip
    finally:
        await session.close()
    return ratios


def main() -> int:
    """Compare, print, and return 1 when qtui is slower than it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="default: random weights, made once")
    parser.add_argument("--size", choices=SIZES, default="1b", help="of the random model")
    parser.add_argument("--depth", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=usable_physical_cores())
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    where = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oracle.py", "--where"], check=False, capture_output=True, text=True
    )
    if where.returncode:
        raise SystemExit("needs llama.cpp's tools: make oracle")
    model: Path = arguments.model or cached_model(arguments.size)
    print(f"{model.name}: {arguments.tokens} tokens at depth {arguments.depth}, {arguments.threads} threads, "
          f"{arguments.pairs} pairs")  # fmt: skip
    ratios = asyncio.run(compare(Path(where.stdout.strip()) / "llama-bench", model, arguments))
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f}, range {min(ratios):.3f} to {max(ratios):.3f} (goal: at least {GOAL})")
    return 0 if median >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
