"""What one process holds, mapping by mapping: how much of it are pages of the model's files.

`/proc/PID/smaps` walks the page tables, so it is read on demand and not every second.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.memory.actual import Actual
from qtui.services.machine.cgroup import ROOT
from qtui.services.machine.nvml import NvmlReader, read_cards

KIB = 1024
_MAPPING = re.compile(rb"[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ \S+ (\d+) *(.*)")
_SIZE = re.compile(rb"(Rss|Anonymous|Swap|Locked): +(\d+) kB")
_SHARED = (b"/dev/shm/", b"/memfd:", b"/SYSV", b"/dev/zero")
"""Memory under a name: no file stands behind it, so it cannot be dropped (`/dev/zero`: shared between processes)."""


def actual_ram(pid: int, files: Sequence[Path], root: Path = ROOT) -> Actual:
    """Return what `/proc/PID/smaps` says of a process; every value None when it has ended or may not be looked at."""
    try:
        # Bytes: a file's name may be no UTF-8.
        content = (root / "proc" / str(pid) / "smaps").read_bytes()
    except OSError:
        return Actual()
    return parse_smaps(content, files)


def parse_smaps(content: bytes, files: Sequence[Path]) -> Actual:
    """Add up the mappings of a process; pages of `files` are told from those of other files.

    Pages of a file that were written to privately are anonymous. A process that has ended has no mappings.
    """
    paths, inodes = _identities(files)
    sizes = dict.fromkeys(("anonymous", "model", "other", "swapped", "locked"), 0)
    pages = "other"
    found = False
    resident = 0
    for line in content.split(b"\n"):
        if match := _SIZE.match(line):
            size = int(match[2]) * KIB
            if match[1] == b"Rss":
                resident = size
            elif match[1] == b"Anonymous":
                sizes["anonymous"] += size
                sizes[pages] += resident - size
            else:
                sizes["swapped" if match[1] == b"Swap" else "locked"] += size
        elif mapping := _MAPPING.match(line):
            found = True
            inode, name = mapping[1], mapping[2]
            if name in paths or (inode, Path(os.fsdecode(name)).name) in inodes:
                pages = "model"
            else:
                pages = "anonymous" if not name or name.startswith((b"[", *_SHARED)) else "other"
    if not found:
        return Actual()
    return Actual(sizes["anonymous"], sizes["model"], sizes["other"], sizes["swapped"], sizes["locked"])


def with_cards(actual: Actual, reader: NvmlReader, pid: int) -> Actual:
    """Add what the driver says that a process holds of each card.

    A process that the driver lists on no card is not known to hold nothing: in a container it goes by another number.
    """
    gpus = read_cards(reader, (pid,)).gpus
    listed = any(pid == number for gpu in gpus for number, _ in gpu.processes)
    held = tuple(gpu.used_by_us if listed else None for gpu in gpus)
    return replace(actual, vram=held, cards=tuple(gpu.name for gpu in gpus))


def _identities(files: Sequence[Path]) -> tuple[frozenset[bytes], frozenset[tuple[bytes, str]]]:
    """Return the paths that the kernel may show for some files, and their inodes with their names.

    The device is not compared: on overlay and some other file systems stat and smaps tell different ones.
    """
    real = [Path(os.path.realpath(file)) for file in files]
    inodes: set[tuple[bytes, str]] = set()
    for file in real:
        with contextlib.suppress(OSError):
            inodes.add((str(file.stat().st_ino).encode(), file.name))
    return frozenset(os.fsencode(file).replace(b"\n", b"\\012") for file in real), frozenset(inodes)
