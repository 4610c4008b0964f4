"""What one process holds in memory, as the operating system accounts for it."""

from __future__ import annotations

from pathlib import Path

import psutil

from qtui.core.hardware import ProcessMemory
from qtui.services.machine.cgroup import ROOT

KIB = 1024


def process_memory(pid: int, root: Path = ROOT) -> ProcessMemory:
    """Return what process `pid` holds; every value None when it has ended or may not be looked at."""
    if psutil.LINUX:
        return memory_by_proc(pid, root)
    return memory_by_psutil(pid)


def memory_by_proc(pid: int, root: Path = ROOT) -> ProcessMemory:
    """Return what `/proc/PID/status` says of a process.

    Shared memory counts as anonymous: no file stands behind it, so it cannot be dropped. A process that has ended but
    is not yet waited for has no memory lines, and gives None for every value.
    """
    try:
        text = (root / "proc" / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        # ProcessLookupError comes when it ends between open and read.
        return ProcessMemory()
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        number = value.split()
        if len(number) == 2 and number[1] == "kB" and number[0].isdigit():
            sizes[name] = int(number[0]) * KIB
    anonymous = sizes.get("RssAnon")
    return ProcessMemory(
        anonymous=None if anonymous is None else anonymous + sizes.get("RssShmem", 0),
        file_backed=sizes.get("RssFile"),
        locked=sizes.get("VmLck"),
        swapped=sizes.get("VmSwap"),
        peak=sizes.get("VmHWM"),
    )


def memory_by_psutil(pid: int) -> ProcessMemory:
    """Return what psutil can tell of a process: private pages as anonymous, all other resident ones as file-backed."""
    try:
        memory = psutil.Process(pid).memory_full_info()
    except (psutil.Error, OSError):
        return ProcessMemory()
    private = int(memory.uss)
    peak = getattr(memory, "peak_wset", None)
    swapped = getattr(memory, "swap", None)
    return ProcessMemory(
        anonymous=private,
        file_backed=max(0, int(memory.rss) - private),
        swapped=None if swapped is None else int(swapped),
        peak=None if peak is None else int(peak),
    )
