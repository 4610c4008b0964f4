"""A whole long-context suite on a generated file: whether every result comes, not how good it is.

    python -m tests.benchmarks.long_context [--ctx-size 16384] [--layers 2] [--threads 1]

The files are small random models with a chat template, one in the mix of Q4_K_M and one in F16. Every task is asked as
`qtui duel A B --suite long_context --ctx-size N` asks it. Prints each answer's prompt in tokens, as a share of the
context, and its time; ends with status 1 where a result is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncGenerator
from pathlib import Path

from qtui.cli.wiring import local_services
from qtui.core.duel.conversation import DUEL_SAMPLING, Answer
from qtui.core.duel.run import Duel, SideHappened
from qtui.core.duel.suite_run import SuiteEnded, SuiteRun, TaskMarked
from qtui.core.events import Answered
from qtui.core.memory.plan import LoadPlan
from tests.benchmarks.make_model import Shape, write_model

TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"


def make_files(folder: Path, layers: int) -> tuple[Path, Path]:
    """Write two files of one random model."""
    shape = Shape(256, 512, layers, 4, 2, 512)
    small = write_model(folder / "random-Q4_K_M.gguf", shape, template=TEMPLATE)
    return small, write_model(folder / "random-F16.gguf", shape, plain=True, template=TEMPLATE)


async def run_suite(files: tuple[Path, Path], plan: LoadPlan) -> AsyncGenerator[TaskMarked | Answer | SuiteEnded, None]:
    """Yield answers as they come, each task's mark after its own, and the end."""
    services = local_services(Namespace(models_dir=[]))
    suite = await services.suites.find("long_context")
    duel = Duel(services.engine, services.guard, sampling=DUEL_SAMPLING)
    try:
        for side, file in zip("AB", files, strict=True):
            await duel.put(side, await services.library.find(str(file)), plan)
        async for event in SuiteRun(duel, services.judge()).run(suite):
            if isinstance(event, TaskMarked | SuiteEnded):
                yield event
            elif isinstance(event, SideHappened) and isinstance(event.event, Answered):
                yield event.event.answer
    finally:
        await duel.close()
        await services.close()


async def measure(options: Namespace, folder: Path) -> int:
    """Print what comes; return the exit status."""
    files = make_files(folder, options.layers)
    tokens: list[int] = []
    began = time.monotonic()
    async for event in run_suite(files, LoadPlan(ctx_size=options.ctx_size, threads=options.threads)):
        if isinstance(event, Answer):
            tokens.append(event.prompt_tokens)
        elif isinstance(event, TaskMarked):
            result, spent = event.result, time.monotonic() - began
            most = max(tokens, default=0)
            left = "?" if event.left_s is None else f"{event.left_s:.0f}"
            print(
                f"{event.done:>2} of {event.total}  {result.side} {result.task:<14} prompt {most:>6} tokens, "
                f"{100 * most / options.ctx_size:3.0f} %  after {spent:4.0f} s, about {left} s left  {result.mark}",
                flush=True,
            )
            if event.done % 2 == 0:
                tokens.clear()
        else:
            judged = sum(result.mark.right is not None for result in event.results)
            print(f"{judged} of 20 results; {event.score.total.sentence}; failure: {event.failure}")
            return 0 if judged == 20 else 1
    return 1


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="long_context")
    parser.add_argument("--ctx-size", type=int, default=16384)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(asyncio.run(measure(parser.parse_args(), Path(folder))))


if __name__ == "__main__":
    main()
