"""What the operating system says of this process, and what it is asked: who dies first, how much may be locked."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

from qtui.core.hardware import ProcessMemory

OOM_SCORE = 500
"""High enough that the kernel takes this child and never the app; raising one's own needs no privilege."""
_FIELDS = {"RssAnon": "anonymous", "RssFile": "file_backed", "VmLck": "locked", "VmSwap": "swapped", "VmHWM": "peak"}


def own_memory() -> ProcessMemory:
    """Return this process's memory from /proc/self/status; all None where there is no /proc."""
    return memory_of("self")


def memory_of(pid: int | str) -> ProcessMemory:
    """Return a process's memory from its /proc/PID/status; all None where there is none."""
    try:
        return parse_status(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return ProcessMemory()


def parse_status(text: str) -> ProcessMemory:
    """Read the fields of a /proc/PID/status (kB there, bytes here)."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in _FIELDS:
            found[_FIELDS[name]] = int(value.split()[0]) * 1024
    return ProcessMemory(**found)


def offer_to_oom_killer() -> None:
    """Make this process the kernel's first choice when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def allow_locking() -> None:
    """Raise the soft limit on locked memory to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
