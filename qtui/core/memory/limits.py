"""What the limits of a machine change for a load, in sentences: locked memory, swap, a cgroup."""

from __future__ import annotations

from qtui.core.memory.footprint import Footprint
from qtui.core.memory.verdict import Fit, Headroom, Verdict
from qtui.core.text import size


def limit_notes(
    footprint: Footprint | None, room: Headroom, verdict: Verdict, memlock_limit: int | None
) -> tuple[str, ...]:
    """Return what the limits change; `memlock_limit` None: no limit, or unknown.

    llama.cpp goes on without locks where RLIMIT_MEMLOCK refuses them (llama-mmap.cpp, raw_lock). Swap and the limit
    of a cgroup change no verdict: they say what happens beyond it.
    """
    if footprint is None:
        return ()
    notes = []
    if memlock_limit is not None and footprint.locked > memlock_limit:
        notes.append(
            f"{size(footprint.locked)} would be locked, RLIMIT_MEMLOCK allows {size(memlock_limit)}: "
            "the rest stays unlocked (ulimit -l)"
        )
    if verdict.pool != "ram" or verdict.fit not in (Fit.TOO_BIG, Fit.TIGHT, Fit.FROM_DISK):
        return tuple(notes)
    if verdict.fit is Fit.TOO_BIG and room.free_swap and verdict.short_by <= room.free_swap:
        notes.append(f"with --force the system could move {size(verdict.short_by)} to swap, which is slow")
    if room.cgroup_limit is not None and not room.simulated:
        notes.append(f"this process's cgroup allows {size(room.cgroup_limit)} of RAM, whatever the machine has")
    return tuple(notes)
