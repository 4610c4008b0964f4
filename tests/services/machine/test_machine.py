"""The machine as it is: processor, memory, limits, processes, samples."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from qtui.core.hardware import ProcessMemory
from qtui.services.machine.cpu import cpu_name, distinct_cores, usable_logical_cores, usable_physical_cores
from qtui.services.machine.limits import may_lock_all, memlock_limit
from qtui.services.machine.machine import LocalMachine
from qtui.services.machine.nvml import NvmlError
from qtui.services.machine.process import memory_by_proc, memory_by_psutil, process_memory
from tests.services.machine.test_cgroup import put, v2_root
from tests.services.machine.test_nvml import FakeCards, card

MIB = 1 << 20


def topology(root: Path, siblings: dict[int, str], name: str = "core_cpus_list") -> None:
    for cpu, cpus in siblings.items():
        put(root / f"sys/devices/system/cpu/cpu{cpu}/topology", **{name: cpus})


def test_sibling_threads_are_one_core(tmp_path: Path) -> None:
    topology(tmp_path, {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"})
    assert distinct_cores([0, 1, 4, 5], tmp_path) == 2
    assert distinct_cores([0, 4], tmp_path) == 1
    assert distinct_cores([0, 9], tmp_path) == 0


def test_older_kernels_name_the_list_differently(tmp_path: Path) -> None:
    topology(tmp_path, {0: "0-1", 1: "0-1"}, "thread_siblings_list")
    assert distinct_cores([0, 1], tmp_path) == 1


def test_a_quota_caps_the_cores(tmp_path: Path) -> None:
    topology(tmp_path, {cpu: str(cpu) for cpu in range(os.cpu_count() or 1)})
    top = v2_root(tmp_path, "/job")
    assert usable_physical_cores(tmp_path) == usable_logical_cores()
    put(top / "job", cpu__max="190000 100000")
    assert usable_physical_cores(tmp_path) == 1
    put(top / "job", cpu__max="10000 100000")
    assert usable_physical_cores(tmp_path) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_a_core_outside_the_affinity_mask_does_not_count() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from qtui.services.machine.cpu import *; print(usable_physical_cores(), usable_logical_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_processor_names_are_clean(tmp_path: Path) -> None:
    put(tmp_path / "proc", cpuinfo="processor\t: 0\nmodel name\t: Evil\x1b[2J  CPU @ 3 GHz\n")
    name = cpu_name(tmp_path)
    assert name.startswith("Evil")
    assert name.endswith("CPU @ 3 GHz")
    assert "\x1b" not in name


def test_a_processor_without_a_name_has_an_architecture(tmp_path: Path) -> None:
    assert cpu_name(tmp_path)


def test_the_right_to_lock_memory_lifts_the_limit(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    put(tmp_path / "proc/self", status="Name:\tx\nCapEff:\t0000000000003fff")
    assert not may_lock_all(tmp_path)
    assert memlock_limit(tmp_path) == (None if hard == resource.RLIM_INFINITY else hard)
    put(tmp_path / "proc/self", status="Name:\tx\nCapEff:\t0000000000004000")
    assert may_lock_all(tmp_path)
    assert memlock_limit(tmp_path) is None


def test_memory_of_a_process_file(tmp_path: Path) -> None:
    sizes = {"VmHWM": 9000, "VmLck": 8, "RssAnon": 100, "RssFile": 50, "RssShmem": 4, "VmSwap": 2}
    status = "\n".join([*(f"{name}:\t {size} kB" for name, size in sizes.items()), "Threads:\t3"])
    put(tmp_path / "proc/77", status=status)
    assert memory_by_proc(77, tmp_path) == ProcessMemory(104 * 1024, 50 * 1024, 8 * 1024, 2 * 1024, 9000 * 1024)
    assert memory_by_proc(78, tmp_path) == ProcessMemory()


def test_anonymous_memory_of_this_process_grows_as_it_is_touched() -> None:
    before = process_memory(os.getpid())
    block = mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        block.write(b"x" * (64 * MIB))
        after = process_memory(os.getpid())
        other = memory_by_psutil(os.getpid())
    finally:
        block.close()
    assert before.anonymous is not None
    assert after.anonymous is not None
    assert 60 * MIB < after.anonymous - before.anonymous < 140 * MIB
    assert other.anonymous is not None
    assert other.anonymous > 60 * MIB
    assert after.resident == (after.anonymous or 0) + (after.file_backed or 0)


def test_a_process_that_has_ended_holds_nothing_known() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    with contextlib.suppress(psutil.Error):
        psutil.Process(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_memory(child.pid) == ProcessMemory()
    child.wait()
    assert process_memory(child.pid) == ProcessMemory()
    assert memory_by_psutil(child.pid) == ProcessMemory()


async def test_a_sample_of_this_machine() -> None:
    machine = LocalMachine(nvml=FakeCards([card()]))
    assert machine.latest() is None
    sample = await machine.sample()
    assert machine.latest() is sample
    assert sample.ram_total == psutil.virtual_memory().total
    assert sample.ram_available is not None
    assert 0 < sample.ram_available <= (sample.ram_total or 0)
    assert [gpu.name for gpu in sample.gpus] == ["RTX 4090"]
    assert sample.problems == ()
    hardware = machine.hardware()
    assert hardware.ram_total == sample.ram_total
    assert 1 <= hardware.physical_cores <= hardware.logical_cores


async def test_a_group_and_a_missing_driver_are_in_the_sample(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/app")
    put(top / "app", memory__max=64 * MIB, memory__current=32 * MIB)
    nvml = FakeCards(failure=NvmlError("NVIDIA driver not loaded"))
    sample = await LocalMachine(nvml=nvml, root=tmp_path).sample()
    assert (sample.cgroup_limit, sample.cgroup_used) == (64 * MIB, 32 * MIB)
    assert sample.ram_available == 32 * MIB
    assert sample.problems == ("NVML: NVIDIA driver not loaded",)


class SlowCards(FakeCards):
    """Cards whose driver answers when told to."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked = threading.Event()
        self.answer = threading.Event()

    def count(self) -> int:
        self.asked.set()
        assert self.answer.wait(30)
        return 0


async def test_a_slow_driver_does_not_hold_the_event_loop() -> None:
    cards = SlowCards()
    waiting = asyncio.create_task(LocalMachine(nvml=cards).sample())
    try:
        while not cards.asked.is_set():
            await asyncio.sleep(0)
        assert not waiting.done()
    finally:
        cards.answer.set()
    assert (await waiting).gpus == ()


async def test_samples_follow_each_other_at_the_interval() -> None:
    machine = LocalMachine(nvml=FakeCards([]))
    samples = machine.samples(interval=0.05)
    started = time.monotonic()
    times = [(await anext(samples)).time for _ in range(4)]
    await samples.aclose()  # type: ignore[attr-defined]
    assert times == sorted(times)
    assert time.monotonic() - started >= 0.15
