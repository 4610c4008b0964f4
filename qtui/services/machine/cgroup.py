"""Limits that the kernel's control groups put on this process: containers, systemd units, batch systems.

Both versions of the interface, from the process's own group upward, since a limit anywhere above counts as well.
The files and their meaning: the kernel's admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from qtui.core.hardware import GroupEvents

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """The memory of one control group, in bytes."""

    limit: int
    used: int
    reclaimable: int = 0
    """The part of `used` that the kernel gives back on demand: unlocked file cache and reclaimable slab."""

    @property
    def room(self) -> int:
        """Return what the group would still get."""
        return max(0, self.limit - self.used + self.reclaimable)


def group_memory(ram_total: int | None = None, root: Path = ROOT) -> GroupMemory | None:
    """Return the group that leaves this process the least room, of its own and all above.

    Args:
        ram_total: the machine's memory; limits of at least that much limit nothing (v1 writes "no limit" as 2^63).
        root: where `proc` and `sys` are mounted.

    Returns:
        None when no group sets a limit below the machine's memory, or none can be read.
    """
    groups = [group for folder, v2 in _folders("memory", root) if (group := _memory(folder, v2)) is not None]
    bound = [group for group in groups if ram_total is None or group.limit < ram_total]
    return min(bound, key=lambda group: (group.room, group.limit), default=None)


def group_events(root: Path = ROOT) -> GroupEvents | None:
    """Return what happened to the process's own group so far; None where it has no such counters.

    Version 2 counts all groups below as well, and a kill in every group above the process that was killed.
    """
    for folder, v2 in _folders("memory", root):
        if v2:
            events = _table(folder / "memory.events")
            if events:
                return GroupEvents(events.get("high"), events.get("max"), events.get("oom_kill"))
        else:
            control, failures = _table(folder / "memory.oom_control"), _number(folder / "memory.failcnt")
            if control or failures is not None:
                return GroupEvents(None, failures, control.get("oom_kill"))
    return None


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return how many CPUs' worth of time the groups allow (`--cpus`, `CPUQuota=`); None without a quota."""
    quotas = [quota for folder, v2 in _folders("cpu", root) if (quota := _quota(folder, v2)) is not None]
    return min(quotas, default=None)


def _folders(controller: str, root: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of the process's group and of those above it, as (folder, is version 2)."""
    for path, v2 in _own_groups(controller, root):
        for mount_root, mount_point in _mounts(controller, v2, root):
            yield from ((folder, v2) for folder in _upward(path, mount_root, mount_point))


def _own_groups(controller: str, root: Path) -> Iterator[tuple[PurePosixPath, bool]]:
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield PurePosixPath(path), True
        elif controller in controllers.split(","):
            yield PurePosixPath(path), False


def _mounts(controller: str, v2: bool, root: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield where the hierarchy is mounted, as (the group at its top, folder); see proc_pid_mountinfo(5)."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, separator, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if not separator or len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" if v2 else kind[0] == "cgroup" and controller in kind[2].split(","):
            yield PurePosixPath(_unescaped(fields[3])), root / _unescaped(fields[4]).lstrip("/")


def _unescaped(field: str) -> str:
    """Undo mountinfo's octal escapes of space, tab, newline and backslash."""
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, sign)
    return field


def _upward(path: PurePosixPath, mount_root: PurePosixPath, mount_point: Path) -> Iterator[Path]:
    """Yield the group's folder and its parents down to the mount point.

    In a container the group's path is either relative to its own namespace or the host's, of which only the part below
    the mount is visible; where the two do not meet, the mount point is the process's own group.
    """
    below = path.relative_to(mount_root) if path.is_relative_to(mount_root) else PurePosixPath()
    if ".." in below.parts:
        below = PurePosixPath()
    yield from (mount_point / part for part in (below, *below.parents))


def _memory(folder: Path, v2: bool) -> GroupMemory | None:
    stat = _table(folder / "memory.stat")
    if v2:
        # Over memory.high the kernel reclaims and throttles: what is usable ends there.
        limits = [_number(folder / "memory.max"), _number(folder / "memory.high")]
        used = _number(folder / "memory.current")
        names: tuple[str, ...] = ("active_file", "inactive_file", "slab_reclaimable")
    else:
        limits = [_number(folder / "memory.limit_in_bytes"), stat.get("hierarchical_memory_limit")]
        used = _number(folder / "memory.usage_in_bytes")
        names = ("total_active_file", "total_inactive_file")
    known = [limit for limit in limits if limit is not None]
    if not known or used is None:
        return None
    return GroupMemory(min(known), used, min(used, sum(stat.get(name, 0) for name in names)))


def _quota(folder: Path, v2: bool) -> float | None:
    if v2:
        parts = next(_lines(folder / "cpu.max"), "").split()
        quota, period = (_integer(parts[0]), _integer(parts[1])) if len(parts) == 2 else (None, None)
    else:
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 and period > 0 else None


def _lines(path: Path) -> Iterator[str]:
    """Yield a file's lines; nothing where it cannot be read (a group may vanish while it is read)."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    yield from text.splitlines()


def _number(path: Path) -> int | None:
    return _integer(next(_lines(path), ""))


def _integer(text: str) -> int | None:
    """Return a number; None for `max`, which is no limit, and for what is no number."""
    try:
        return int(text)
    except ValueError:
        return None


def _table(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _lines(path))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
