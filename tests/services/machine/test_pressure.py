"""Pressure, kinds of memory and OOM kills, from files as the kernel writes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.hardware import GroupEvents, Pressure
from qtui.services.machine.activity import between, read_counters
from qtui.services.machine.cgroup import group_events
from qtui.services.machine.machine import LocalMachine
from qtui.services.machine.memory import read_ram
from qtui.services.machine.nvml import NvmlError
from qtui.services.machine.pressure import pressure
from tests.services.machine.test_cgroup import put, v1_root, v2_root
from tests.services.machine.test_nvml import FakeCards

MEMORY = "some avg10=12.50 avg60=3.00 avg300=0.10 total=123\nfull avg10=8.25 avg60=1.00 avg300=0.00 total=99"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (MEMORY, Pressure(12.5, 8.25)),
        ("some avg10=0.00 avg60=0.00 avg300=0.00 total=0", Pressure(0.0, None)),
        ("some avg10=nan total=0", None),
        ("some avg10=7000 total=0", None),
        ("some avg10=x", None),
        ("", None),
    ],
)
def test_pressure(tmp_path: Path, content: str, told: Pressure | None) -> None:
    put(tmp_path / "proc/pressure", memory=content)
    assert pressure("memory", tmp_path) == told
    assert pressure("io", tmp_path) is None


def test_events_of_version_2(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/job")
    put(top / "job", memory__events="low 0\nhigh 7\nmax 41\noom 2\noom_kill 1\noom_group_kill 0")
    assert group_events(tmp_path) == GroupEvents(7, 41, 1)


def test_events_of_version_1(tmp_path: Path) -> None:
    top = v1_root(tmp_path, "memory", "/job")
    put(top / "job", memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 3", memory__failcnt=12)
    assert group_events(tmp_path) == GroupEvents(None, 12, 3)


def test_without_groups_there_are_no_events(tmp_path: Path) -> None:
    assert group_events(tmp_path) is None


def test_kinds_of_memory(tmp_path: Path) -> None:
    put(tmp_path / "proc", meminfo="MemTotal: 100 kB\nAnonPages:  2048 kB\nMlocked: 16 kB\nHugePages_Total: 0")
    ram = read_ram(tmp_path)
    assert (ram.anonymous, ram.locked) == (2048 << 10, 16 << 10)


def test_kills_of_the_whole_machine(tmp_path: Path) -> None:
    put(tmp_path / "proc", vmstat="pgmajfault 5\npswpin 0\npswpout 0\noom_kill 2")
    assert read_counters(tmp_path).oom_kills == 2


@pytest.mark.parametrize("name", ["workingset_refault_file", "workingset_refault"])
def test_pages_that_are_read_back(tmp_path: Path, name: str) -> None:
    put(tmp_path / "proc", vmstat=f"pgmajfault 5\n{name} 1000\nworkingset_refault_anon 7")
    before = read_counters(tmp_path)
    assert before.refaults == 1000
    later = replace(before, time=before.time + 2, refaults=1500)
    assert between(before, later).refaults == 250.0


async def test_a_sample_has_all_of_it(tmp_path: Path) -> None:
    top = v2_root(tmp_path, "/job")
    put(top / "job", memory__events="max 1\noom_kill 1")
    put(tmp_path / "proc/pressure", memory=MEMORY, io=MEMORY)
    put(tmp_path / "proc", meminfo="AnonPages: 4 kB\nMlocked: 0 kB")
    sample = await LocalMachine(FakeCards(failure=NvmlError("none")), root=tmp_path).sample()
    assert sample.memory_pressure == sample.io_pressure == Pressure(12.5, 8.25)
    assert sample.group_events == GroupEvents(None, 1, 1)
    assert (sample.anonymous, sample.locked) == (4096, 0)
    assert sample.foreign == ()


async def test_what_a_system_does_not_tell_is_unknown(tmp_path: Path) -> None:
    sample = await LocalMachine(FakeCards(failure=NvmlError("none")), root=tmp_path).sample()
    told = (sample.anonymous, sample.locked, sample.memory_pressure, sample.io_pressure, sample.group_events)
    assert told == (None,) * 5
    assert sample.oom_kills is None
