"""Memory pressure made on purpose: `python -m tests.benchmarks.memory_pressure` (root, or a cgroup of one's own).

A model of random weights is mapped by a real session inside a control group that is too small for it, while a watch
looks on as `qtui monitor` does. Two cases: weights that cannot fit, for which no change of the plan helps; and weights
that fit with a smaller context, whose remedy is then applied: the session is loaded anew under the plan that the alarm
names, and the alarm has to go. Prints what was raised and why; 1 when that is not what it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qtui.cli.services import Services
from qtui.cli.wiring import local_services
from qtui.core.duel.conversation import Request, Sampling
from qtui.core.events import Failed, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Margins
from qtui.core.monitor.alarms import Alarm, Watch
from qtui.core.monitor.history import History, Moment
from qtui.core.monitor.rules import AlarmKind
from qtui.core.ports import Session
from qtui.core.text import MIB, size
from qtui.services.paths import cache_dir
from tests.benchmarks.make_model import SIZES, write_model

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
GROUP = f"qtui-pressure-{os.getpid()}"
MARGINS = Margins(ram=16 * MIB)
"""Small, since the group is: its headroom is not what is looked at."""
PATIENCE_S = 90.0
CASES = {"weights": (360, 512), "context": (800, 8192)}
"""The limit of the group in MiB, and the context."""


def main() -> int:
    """Run the cases, each in a group of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--inside", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return asyncio.run(inside(options.inside))
    model = model_file()
    status = 0
    for case, (limit, _) in CASES.items():
        print(f"== {case}: {size(model.stat().st_size)} of mapped weights, a group limited to {limit} MiB", flush=True)
        forget(model)
        group = make_group(limit * MIB)
        if group is None:
            print("skipped: this machine lets nobody make a group with a memory limit")
            return 0
        try:
            child = [sys.executable, "-m", "tests.benchmarks.memory_pressure", "--inside", case]
            joined = f'echo $$ > {group}/cgroup.procs && exec "$@"'
            status |= subprocess.run(["sh", "-c", joined, "sh", *child], check=False).returncode
        finally:
            remove(group)
    return status


def model_file() -> Path:
    """Return the model, written when it is not there."""
    path = cache_dir() / "benchmarks" / "random-pressure-F16.gguf"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(path, SIZES["pressure"], plain=True)
    return path


def forget(path: Path) -> None:
    """Drop a file from the cache: pages that are there already would be counted against another group."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def make_group(limit: int) -> Path | None:
    """Make a group with a limit, of whichever version the machine has; None where that is not allowed."""
    for top, name in ((V2, "memory.max"), (V1, "memory.limit_in_bytes")):
        if not (top / "cgroup.procs").is_file():  # no hierarchy is mounted here
            continue
        group = top / GROUP
        try:
            group.mkdir()
            (group / name).write_text(str(limit))
        except OSError:
            remove(group)
            continue
        return group
    return None


def remove(group: Path) -> None:
    """Remove an empty group; its last process may still be ending."""
    end = time.monotonic() + 10
    while group.is_dir() and time.monotonic() < end:
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.1)


@dataclass
class Onlooker:
    """What `qtui monitor` does, and what it sees."""

    services: Services
    history: History = field(default_factory=History)
    watch: Watch = field(default_factory=Watch)

    async def look(self) -> None:
        """Look on until cancelled; every change is printed as it goes to the log."""
        async for sample in self.services.machine.samples():
            self.history = self.history.add(Moment(sample, tuple(await self.services.sessions.list())))
            self.watch, changes = self.watch.look(self.history, MARGINS)
            for change in changes:
                print(f"  {change.line}", flush=True)

    async def until(self, wanted: bool) -> Alarm | None:
        """Wait until there is an alarm about faults, or none any more; returns it."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            faults = next((alarm for alarm in self.watch.alarms if alarm.kind is AlarmKind.FAULTS), None)
            if (faults is not None) is wanted:
                return faults
            await asyncio.sleep(0.2)
        raise TimeoutError(f"{'no' if wanted else 'still an'} alarm after {PATIENCE_S:.0f} s")


async def inside(case: str) -> int:
    """Run one case in the group that this process is in."""
    services = local_services(Namespace(models_dir=[]))
    onlooker = Onlooker(services)
    looking = asyncio.create_task(onlooker.look())
    try:
        variant = await services.library.find(str(model_file()))
        plan = LoadPlan(ctx_size=CASES[case][1], n_gpu_layers=0, threads=2, threads_batch=2)
        async with Answering(services, variant, plan):
            alarm = await onlooker.until(wanted=True)
            assert alarm is not None
        if case == "weights":
            print(f"  cause told: {alarm.message}\n  remedy: {alarm.remedy}, advice: {alarm.advice}", flush=True)
            return 0 if "needs" in alarm.message and alarm.remedy is None and alarm.advice else 1
        if alarm.remedy is None:
            print(f"  no remedy: {alarm.message}")
            return 1
        print(f"  remedy applied: {alarm.remedy.words}", flush=True)
        async with Answering(services, variant, alarm.remedy.plan):
            await onlooker.until(wanted=False)
            for _ in range(15):  # and it does not come back
                await asyncio.sleep(1)
            calm = not any(one.kind is AlarmKind.FAULTS for one in onlooker.watch.alarms)
            latest = onlooker.history.latest
            faults = latest.sample.major_faults if latest else None
            print(f"  calm under the remedy: {calm}, {faults or 0:.0f} pages a second from the disk", flush=True)
            return 0 if calm else 1
    except TimeoutError as error:
        print(f"  {error}")
        return 1
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        await services.close()


class Answering:
    """A session that answers until it is left."""

    def __init__(self, services: Services, variant: Variant, plan: LoadPlan) -> None:
        self._services = services
        self._variant = variant
        self._plan = plan
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Answering:
        weighing = await self._services.guard.weigh(self._variant, self._plan)
        footprint = weighing.footprint
        if footprint is not None:
            parts = (footprint.kind_bytes(kind) for kind in ("weights", "context", "compute"))
            print("  needs {} in RAM: weights {}, context {}, compute {}".format(
                size(footprint.pools.ram), *map(size, parts)
            ), flush=True)  # fmt: skip
        self._session = self._services.engine.open(self._variant, weighing.plan)
        await _drained(self._session.load())
        self._task = asyncio.create_task(self._answer(self._session))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._session.close()

    async def _answer(self, session: Session) -> None:
        prompt = " ".join(f"w{number % 9}" for number in range(64))
        while True:
            sampling = Sampling(max_tokens=256, seed=1)
            await _drained(session.ask(Request(raw=prompt, sampling=sampling, ignore_eos=True, reuse_prefix=False)))


async def _drained(events: AsyncIterator[SessionEvent]) -> Sequence[SessionEvent]:
    seen = [event async for event in events]
    if seen and isinstance(seen[-1], Failed):
        print(f"  failed: {seen[-1].failure.message}", flush=True)
    return seen


if __name__ == "__main__":
    sys.exit(main())
