"""LocalMachine: the Machine and Actuals ports over this machine's kernel and the drivers of its graphics cards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from qtui.core.hardware import Hardware, MemorySample
from qtui.core.memory.actual import Actual
from qtui.services.machine.activity import ActivityMeter
from qtui.services.machine.amdgpu import amd_cards
from qtui.services.machine.cgroup import ROOT, group_events
from qtui.services.machine.cpu import cpu_name, usable_logical_cores, usable_physical_cores
from qtui.services.machine.foreign import ForeignProcesses
from qtui.services.machine.limits import memlock_limit
from qtui.services.machine.mappings import actual_ram, with_cards
from qtui.services.machine.memory import read_ram
from qtui.services.machine.nvml import DriverReader, NvmlReader, read_cards
from qtui.services.machine.pressure import pressure


def _no_pids() -> Iterable[int]:
    return ()


def _never() -> bool:
    return False


class LocalMachine:
    """The machine that qtui runs on.

    Args:
        nvml: what answers for NVIDIA cards; the installed driver by default.
        pids: gives the process ids of qtui's own children, for what they hold of each card.
        root: where `proc` and `sys` are mounted.
        loading: tells whether a model loads now; then nothing is looked for that can wait.
    """

    def __init__(
        self, nvml: NvmlReader | None = None, pids: Callable[[], Iterable[int]] = _no_pids, root: Path = ROOT,
        loading: Callable[[], bool] = _never,
    ) -> None:  # fmt: skip
        self._nvml: NvmlReader = DriverReader() if nvml is None else nvml
        self._pids = pids
        self._root = root
        self._loading = loading
        self._activity = ActivityMeter(root=root)
        self._foreign = ForeignProcesses(root)
        self._hardware: Hardware | None = None
        self._latest: MemorySample | None = None

    def hardware(self) -> Hardware:
        """Return what does not change; read once."""
        if self._hardware is None:
            self._hardware = Hardware(
                cpu=cpu_name(self._root),
                physical_cores=usable_physical_cores(self._root),
                logical_cores=usable_logical_cores(),
                ram_total=read_ram(self._root).total,
                memlock_limit=memlock_limit(self._root),
            )
        return self._hardware

    def latest(self) -> MemorySample | None:
        """Return the newest sample without waiting, None before the first."""
        return self._latest

    async def sample(self) -> MemorySample:
        """Take a sample now, in a thread: a driver may take its time."""
        pids = tuple(self._pids())
        sample = await asyncio.to_thread(self._take, pids)
        if self._latest is None or sample.time >= self._latest.time:
            self._latest = sample
        return sample

    async def samples(self, interval: float = 1.0) -> AsyncIterator[MemorySample]:
        """Yield a sample every `interval` seconds until closed; the time that a sample takes counts."""
        while True:
            started = time.monotonic()
            yield await self.sample()
            await asyncio.sleep(max(0.0, started + interval - time.monotonic()))

    async def actual(self, pid: int, files: Sequence[Path]) -> Actual:
        """Return what a process holds; see `core.ports.Actuals`."""
        return await asyncio.to_thread(lambda: with_cards(actual_ram(pid, files, self._root), self._nvml, pid))

    def _take(self, pids: tuple[int, ...]) -> MemorySample:
        ram = read_ram(self._root)
        cards = read_cards(self._nvml, pids, everyone=True)
        gpus = (*cards.gpus, *amd_cards(len(cards.gpus), pids, self._root))
        activity = self._activity.measure()
        return MemorySample(
            time=time.time(),
            ram_total=ram.total,
            ram_available=ram.available,
            swap_total=ram.swap_total,
            swap_used=ram.swap_used,
            cgroup_limit=None if ram.group is None else ram.group.limit,
            cgroup_used=None if ram.group is None else ram.group.used,
            gpus=gpus,
            problems=(*ram.problems, *cards.problems),
            cpu_percent=activity.cpu_percent,
            file_cache=ram.file_cache,
            major_faults=activity.major_faults,
            swap_in=activity.swap_in,
            swap_out=activity.swap_out,
            refaults=activity.refaults,
            anonymous=ram.anonymous,
            locked=ram.locked,
            memory_pressure=pressure("memory", self._root),
            io_pressure=pressure("io", self._root),
            group_events=group_events(self._root),
            oom_kills=activity.oom_kills,
            foreign=self._foreign.find(pids, gpus, rest=self._loading),
        )
