"""What the limits of a machine change for a load that is short of RAM, in sentences: swap, a cgroup."""

from __future__ import annotations

from qtui.core.memory.footprint import Footprint
from qtui.core.memory.verdict import Fit, Headroom, Verdict
from qtui.core.text import size


def limit_notes(footprint: Footprint | None, room: Headroom, verdict: Verdict) -> tuple[str, ...]:
    """Return what the limits change. They change no verdict: they say what happens beyond it."""
    if footprint is None:
        return ()
    notes: list[str] = []
    if verdict.pool != "ram" or verdict.fit not in (Fit.TOO_BIG, Fit.TIGHT, Fit.FROM_DISK):
        return tuple(notes)
    if verdict.fit is Fit.TOO_BIG and room.free_swap and verdict.short_by <= room.free_swap:
        notes.append(f"with --force the system could move {size(verdict.short_by)} to swap, which is slow")
    if room.cgroup_limit is not None and not room.simulated:
        notes.append(f"this process's cgroup allows {size(room.cgroup_limit)} of RAM, whatever the machine has")
    return tuple(notes)
