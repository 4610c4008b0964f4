"""How busy the machine is: processors, page faults and swap traffic, from counters that only ever grow."""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from qtui.services.machine.cgroup import ROOT

LEAST_S = 0.5
"""Rates over less time say nothing: a tick of the processor's clock is 10 ms."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What has happened since the machine started; None where the system does not count it."""

    time: float
    """Seconds of a clock that never jumps."""
    cpu_busy: float | None = None
    """Seconds of all processors."""
    cpu_total: float | None = None
    major_faults: int | None = None
    swapped_in: int | None = None
    """Bytes."""
    swapped_out: int | None = None
    oom_kills: int | None = None
    refaults: int | None = None
    """Pages of files."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened between two readings; None is unknown."""

    cpu_percent: float | None = None
    major_faults: float | None = None
    """Per second."""
    swap_in: float | None = None
    """Bytes per second."""
    swap_out: float | None = None
    oom_kills: int | None = None
    """Since the machine started."""
    refaults: float | None = None
    """Per second."""


class ActivityMeter:
    """Tells what happened since it was asked before; asked again at once, it tells the same. For several threads."""

    def __init__(self, read: Callable[[], Counters] | None = None, root: Path = ROOT) -> None:
        self._read = read or (lambda: read_counters(root))
        self._before: Counters | None = None
        self._last = Activity()
        self._lock = threading.Lock()

    def measure(self) -> Activity:
        """Return what happened lately; everything is unknown the first time."""
        with self._lock:
            now = self._read()
            if self._before is None:
                self._before = now
            elif now.time - self._before.time >= LEAST_S:
                self._last = between(self._before, now)
                self._before = now
            return self._last


def between(before: Counters, now: Counters) -> Activity:
    """Return what happened between two readings."""
    seconds = now.time - before.time
    busy, total = _grown(before.cpu_busy, now.cpu_busy), _grown(before.cpu_total, now.cpu_total)
    return Activity(
        cpu_percent=None if busy is None or not total else min(100.0, 100 * busy / total),
        major_faults=_rate(before.major_faults, now.major_faults, seconds),
        swap_in=_rate(before.swapped_in, now.swapped_in, seconds),
        swap_out=_rate(before.swapped_out, now.swapped_out, seconds),
        oom_kills=now.oom_kills,
        refaults=_rate(before.refaults, now.refaults, seconds),
    )


def read_counters(root: Path = ROOT) -> Counters:
    """Read all counters; what cannot be read is None."""
    busy = total = None
    try:
        times = psutil.cpu_times()
        # guest time is part of user time already (proc(5), /proc/stat); time that was stolen is nobody's work.
        parts = {key: value for key, value in times._asdict().items() if not key.startswith("guest")}
        total = sum(parts.values())
        busy = total - parts.get("idle", 0.0) - parts.get("iowait", 0.0) - parts.get("steal", 0.0)
    except (OSError, psutil.Error, RuntimeError, ValueError):
        pass
    if not psutil.LINUX:
        return Counters(time.monotonic(), busy, total, None, *_swapped())
    return Counters(time.monotonic(), busy, total, *_paging(root))


def _paging(root: Path) -> tuple[int | None, ...]:
    """Return major faults, bytes swapped in and out, OOM kills and refaults, of /proc/vmstat, which counts pages."""
    try:
        text = (root / "proc/vmstat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return (None,) * 5
    pairs = (line.split() for line in text.splitlines())
    counts = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
    swapped = [None if name not in counts else counts[name] * mmap.PAGESIZE for name in ("pswpin", "pswpout")]
    # Linux before 5.9 counts files and anonymous memory together.
    refaults = counts.get("workingset_refault_file", counts.get("workingset_refault"))
    return counts.get("pgmajfault"), swapped[0], swapped[1], counts.get("oom_kill"), refaults


def _swapped() -> tuple[int | None, int | None]:
    """Return bytes swapped in and out, where psutil knows them (macOS; on Windows it says 0)."""
    try:
        swap = psutil.swap_memory()
        return (None, None) if psutil.WINDOWS else (int(swap.sin), int(swap.sout))
    except (OSError, psutil.Error, RuntimeError, ValueError, AttributeError):
        return None, None


def _grown(before: float | None, now: float | None) -> float | None:
    """Return how far a counter grew; None where it is not known, or fell (a suspended machine, a hotplugged CPU)."""
    return None if before is None or now is None or now < before else now - before


def _rate(before: float | None, now: float | None, seconds: float) -> float | None:
    grown = _grown(before, now)
    return None if grown is None or seconds <= 0 else grown / seconds
