"""What watching costs: `python -m tests.benchmarks.monitor_cost [--seconds N] [--processes N]`.

All that `qtui monitor` does below its screen, and the drawing of its lines, at one sample a second by the clock: the
machine with its cards and other processes, the sessions, the history, the alarms, a row of the table. Sessions of a
made-up registry stand for running ones, and idle children for the processes of a desktop. The processor time of this
process is compared with the goal.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from qtui.cli.monitor_verbs import screen_lines
from qtui.core.memory.plan import LoadPlan
from qtui.core.monitor.alarms import Watch
from qtui.core.monitor.columns import row
from qtui.core.monitor.history import KEPT_S, History, Moment
from qtui.core.sessions import SessionRecord, SessionState
from qtui.services.engine.running_sessions import RunningSessions
from qtui.services.engine.sessions import Registry, started
from qtui.services.machine.machine import LocalMachine

GOAL = 0.01
SESSIONS = 2


async def measure(seconds: int, folder: Path) -> tuple[float, float]:
    """Return the share of a core that watching takes, and that of a second at most."""
    registry = Registry(lambda: folder)
    for number in range(SESSIONS):
        plan = LoadPlan(ctx_size=8192).as_json()
        registry.put(
            SessionRecord(
                f"bench-{number}",
                os.getpid(),
                started(os.getpid()),
                os.getpid(),
                "Qwen3-8B Q4_K_M",
                "/m/q.gguf",
                plan,
                state=SessionState.ANSWERING,
                rate=41.0,
                context_used=100,
            )
        )
    running = RunningSessions(registry)
    machine = LocalMachine(pids=running.pids, loading=running.loading)
    history, watch = History(), Watch()
    first = Moment(await machine.sample(), tuple(await running.list()))
    for second in range(int(KEPT_S)):  # as full as it gets
        sample = first.sample
        then = replace(sample, time=sample.time - KEPT_S + second)
        history = history.add(Moment(then, first.sessions))
    costs: list[float] = []
    before = time.process_time()
    async for sample in machine.samples():
        moment = Moment(sample, tuple(await running.list()))
        history = history.add(moment)
        watch, _ = watch.look(history)
        row(moment, len(sample.gpus))
        screen_lines(history, watch.alarms, 120)
        now = time.process_time()
        costs.append(now - before)
        before = now
        if len(costs) > seconds:
            break
    return sum(costs[1:]) / seconds, max(costs[1:])


def main() -> int:
    """Measure and print; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=0, help="idle ones beside those that run")
    options = parser.parse_args()
    idle = [subprocess.Popen(["sleep", "600"]) for _ in range(options.processes)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            share, most = asyncio.run(measure(options.seconds, Path(folder)))
    finally:
        for one in idle:
            one.terminate()
        for one in idle:
            one.wait()
    there = sum(path.name.isdecimal() for path in Path("/proc").iterdir())
    print(f"{options.seconds} samples, one a second, {SESSIONS} sessions, {there + len(idle)} processes here,")
    print(f"with a history of {KEPT_S / 60:.0f} minutes")
    print(f"{100 * share:.2f} % of a core (goal {100 * GOAL:.0f}), {1000 * most:.1f} ms in the dearest second")
    return 0 if share < GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
