"""Limits that the system sets on locked memory."""

from __future__ import annotations

import re
from pathlib import Path

from qtui.services.machine.cgroup import ROOT

CAP_IPC_LOCK = 14
"""The capability that lifts RLIMIT_MEMLOCK (linux/capability.h)."""


def memlock_limit(root: Path = ROOT) -> int | None:
    """Return how many bytes may be locked: the hard RLIMIT_MEMLOCK; None without a limit, or where it is unknown.

    A process with CAP_IPC_LOCK (root outside most containers) has none, whatever the limit says (mlock(2)).
    """
    try:
        import resource
    except ImportError:
        return None
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    return None if hard == resource.RLIM_INFINITY or may_lock_all(root) else hard


def may_lock_all(root: Path = ROOT) -> bool:
    """Tell whether this process has CAP_IPC_LOCK."""
    try:
        status = (root / "proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    match = re.search(r"^CapEff:\s*([0-9a-fA-F]+)$", status, re.MULTILINE)
    return match is not None and bool(int(match[1], 16) >> CAP_IPC_LOCK & 1)
