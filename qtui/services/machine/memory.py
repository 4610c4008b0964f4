"""RAM and swap: what there is and what the system would give now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from qtui.core.text import KIB, clean
from qtui.services.machine.cgroup import ROOT, GroupMemory, group_memory


@dataclass(frozen=True, slots=True)
class Ram:
    """RAM and swap at one moment, in bytes; None is unknown."""

    total: int | None
    available: int | None
    """What the system would give now without swapping, capped by the control group."""
    swap_total: int | None
    swap_used: int | None
    group: GroupMemory | None = None
    """The control group that limits most; None when none limits below the machine's memory."""
    problems: tuple[str, ...] = ()
    file_cache: int | None = None
    """Pages of files in RAM; the kernel drops clean ones when memory runs short."""
    anonymous: int | None = None
    locked: int | None = None


def read_ram(root: Path = ROOT) -> Ram:
    """Read RAM, swap and the control group's limit; what cannot be read is None and a problem."""
    problems = []
    total = available = swap_total = swap_used = cache = None
    try:
        memory = psutil.virtual_memory()
        total, available = int(memory.total), int(memory.available)
        cache = _cached(memory)
    except (OSError, psutil.Error, RuntimeError, ValueError) as error:
        problems.append(f"memory: {clean(str(error))}")
    try:
        swap = psutil.swap_memory()
        swap_total, swap_used = int(swap.total), int(swap.used)
    except (OSError, psutil.Error, RuntimeError, ValueError) as error:
        problems.append(f"swap: {clean(str(error))}")
    group = group_memory(total, root)
    anonymous, locked = _kinds(root)
    return Ram(
        total, capped(available, group), swap_total, swap_used, group, tuple(problems), cache, anonymous, locked
    )  # fmt: skip


def _kinds(root: Path) -> tuple[int | None, int | None]:
    """Return anonymous and locked bytes: /proc/meminfo's AnonPages and Mlocked; on macOS what is wired."""
    if not psutil.LINUX:
        try:
            wired = getattr(psutil.virtual_memory(), "wired", None)
        except (OSError, psutil.Error, RuntimeError, ValueError):
            wired = None
        return None, None if wired is None else int(wired)
    try:
        text = (root / "proc/meminfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None, None
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()
        if len(number) == 2 and number[0].isdigit():
            sizes[name] = int(number[0]) * KIB
    return sizes.get("AnonPages"), sizes.get("Mlocked")


def _cached(memory: object) -> int | None:
    """Return psutil's `cached`, which not every system counts (macOS, Windows)."""
    cached = getattr(memory, "cached", None)
    return None if cached is None else int(cached)


def capped(available: int | None, group: GroupMemory | None) -> int | None:
    """Return what the system would give to a process of this control group."""
    if group is None:
        return available
    return group.room if available is None else min(available, group.room)
