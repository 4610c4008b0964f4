"""The processor: its name, and how many of its cores this process may really use."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

import psutil

from qtui.core.text import clean_name
from qtui.services.machine.cgroup import ROOT, cpu_quota


def cpu_name(root: Path = ROOT) -> str:
    """Return the processor's name as the kernel or the platform reports it, else its architecture."""
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":") for line in lines)
    names = (value.strip() for key, _, value in named if key.strip().lower() in ("model name", "hardware", "cpu model"))
    name = next((name for name in names if name), "") or platform.processor() or platform.machine()
    return clean_name(" ".join(name.split())) or "unknown CPU"


def usable_logical_cores() -> int:
    """Return the logical cores that the affinity mask leaves to this process."""
    return len(_affinity()) or os.cpu_count() or 1


def usable_physical_cores(root: Path = ROOT) -> int:
    """Return the physical cores that this process may use, at least 1: the default number of threads.

    Sibling threads of one core count once (the kernel's topology), cores outside the affinity mask (taskset, cpusets)
    not at all, and a CPU quota of the control group (`docker --cpus`) caps the number: llama.cpp's threads wait for
    each other at every node, so that one more than the quota pays for makes all of them wait.
    """
    usable = _affinity()
    cores = distinct_cores(usable, root) or psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if usable:
        cores = min(cores, len(usable))
    quota = cpu_quota(root)
    return max(1, cores if quota is None else min(cores, int(quota)))


def distinct_cores(cpus: Iterable[int], root: Path = ROOT) -> int:
    """Count the physical cores behind some logical ones; 0 where the kernel does not tell."""
    siblings = set()
    for cpu in cpus:
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        for name in ("core_cpus_list", "thread_siblings_list"):
            try:
                siblings.add((topology / name).read_text(encoding="ascii").strip())
            except (OSError, ValueError):
                continue
            break
        else:
            return 0
    return len(siblings)


def _affinity() -> frozenset[int]:
    """Return the logical cores that this process may run on; empty where the system has no such mask."""
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    try:
        return frozenset(os.sched_getaffinity(0))
    except OSError:
        return frozenset()
