"""Compare llama-server with the built-in engine in a duel: the same greedy text, and rates within 5 %.

    python -m tests.benchmarks.engines [--model FILE] [--pairs N] [--tokens N] [--threads N] [--server PROGRAM]

Both are loaded with one plan and asked in turn, each pair beginning with the other one, so that what else the machine
does falls on both. Each answer starts from an empty cache. Prints each pair's ratio llama-server / built-in of prompt
and generation rate, the median ratios with their range, and whether the texts are the same; exits 1 where a median is
more than 5 % from 1, or a text differs. Needs a quiet machine: `chrt -f 10` in front helps where it is not.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from qtui.core.duel.conversation import Answer, Request, Sampling
from qtui.core.events import Answered, Failed
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.engines import Engines
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.engine.server_engine import ServerEngine
from qtui.services.engine.session import ChildSession
from qtui.services.machine.cpu import usable_physical_cores

GOAL = 0.05
ROOT = Path(__file__).parents[2]
DEMO = ROOT / "qtui" / "data" / "demo" / "qtui-demo-F16.gguf"
TEXT = "Once upon a time there was a little fox. "


async def answer(session: ChildSession, tokens: int, prompt: int) -> Answer:
    """Return one greedy answer of so many tokens after a prompt of so many."""
    sampling = Sampling(temperature=0.0, seed=42, max_tokens=tokens)
    request = Request(raw=TEXT, sampling=sampling, reuse_prefix=False, prompt_length=prompt, ignore_eos=True)
    async for event in session.ask(request):
        if isinstance(event, Failed):
            raise SystemExit(event.failure.message)
        if isinstance(event, Answered):
            return event.answer
    raise AssertionError("an answer without an end")


async def compare(arguments: argparse.Namespace, server: str) -> int:
    """Run all pairs and print the ratios."""
    threads, depth = arguments.threads, arguments.prompt
    plan = LoadPlan(
        ctx_size=-(-(depth + arguments.tokens + 1) // 256) * 256, n_gpu_layers=0, threads=threads,
        threads_batch=threads, load_mode=LoadMode.MMAP, flash_attn=FlashAttention.AUTO,
    )  # fmt: skip
    engines = Engines(BuiltInEngine(), ServerEngine(ServerBuilds()))
    variant = Variant(arguments.model, arguments.model.stem, "?")
    sessions = [engines.open(variant, plan), engines.open(variant, replace(plan, engine=server))]
    prompts: list[float] = []
    rates: list[float] = []
    same = True
    try:
        for session in sessions:
            async for event in session.load():
                if isinstance(event, Failed):
                    raise SystemExit(event.failure.message)
            await answer(session, 8, depth)
        for pair in range(arguments.pairs):
            order = (0, 1) if pair % 2 else (1, 0)
            both = {place: await answer(sessions[place], arguments.tokens, depth) for place in order}
            ours, theirs = both[0], both[1]
            same = same and ours.text == theirs.text
            assert ours.generation_rate and theirs.generation_rate and ours.prompt_rate and theirs.prompt_rate
            rates.append(theirs.generation_rate / ours.generation_rate)
            prompts.append(theirs.prompt_rate / ours.prompt_rate)
            print(f"pair {pair + 1}: generation {theirs.generation_rate:.1f} / {ours.generation_rate:.1f} t/s = "
                  f"{rates[-1]:.3f}, prompt {theirs.prompt_rate:.0f} / {ours.prompt_rate:.0f} t/s = {prompts[-1]:.3f}, "
                  f"text {'the same' if ours.text == theirs.text else 'differs'}", flush=True)  # fmt: skip
    finally:
        await engines.close()
    medians = statistics.median(rates), statistics.median(prompts)
    print(f"median of generation {medians[0]:.3f} ({min(rates):.3f} to {max(rates):.3f}), of prompt {medians[1]:.3f} "
          f"({min(prompts):.3f} to {max(prompts):.3f}); texts {'are the same' if same else 'differ'}; goal: within "
          f"{GOAL:.0%}")  # fmt: skip
    return 0 if same and all(abs(median - 1) <= GOAL for median in medians) else 1


def main() -> int:
    """Compare, print, and return 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--threads", type=int, default=usable_physical_cores())
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--server", help="default: the tools' own (make oracle)")
    arguments = parser.parse_args()
    server = arguments.server
    if server is None:
        where = subprocess.run(
            [sys.executable, ROOT / "scripts" / "oracle.py", "--where"], check=False, capture_output=True, text=True
        )
        if where.returncode:
            raise SystemExit("needs llama.cpp's tools (make oracle), or --server")
        server = str(Path(where.stdout.strip()) / "llama-server")
    return asyncio.run(compare(arguments, server))


if __name__ == "__main__":
    sys.exit(main())
