"""Processes that are not qtui's, and hold graphics memory or map a GGUF file: who else takes the room.

Only Linux tells what a process maps. Every process is looked at every few seconds, cheaply: its mappings are read only
when it holds so much of files that a model may be among them. Each may end between two reads, or belong to someone
whose mappings are not ours to read.
"""

from __future__ import annotations

import mmap
import os
import re
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import psutil

from qtui.core.hardware import Foreign, Gpu
from qtui.core.text import MIB, clean_name
from qtui.services.machine.cgroup import ROOT

EVERY_S = 5.0
LEAST_MAPPED = 32 * MIB
"""Resident pages of files below which nobody can have much of a model in memory."""
MOST_MAPS = 4 << 20
"""Bytes of a process's list of mappings that are read."""
MOST_SHOWN = 32
_MODEL = re.compile(rb" (/[^\n]*(?:\.gguf|/blobs/sha256-[0-9a-f]{64}))(?: \(deleted\))?\n", re.IGNORECASE)


class ForeignProcesses:
    """Looks for them every few seconds; in between it tells what it knows.

    Args:
        root: where `proc` is mounted.
        clock: seconds that never jump.
    """

    def __init__(self, root: Path = ROOT, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._looked: float | None = None
        self._mapping: tuple[tuple[int, str], ...] = ()

    def find(
        self, ours: Collection[int], gpus: Iterable[Gpu], rest: Callable[[], bool] = bool
    ) -> tuple[Foreign, ...] | None:
        """Return them, the largest first; None where processes cannot be looked at.

        Args:
            ours: process ids of qtui's own.
            gpus: as they are now, with their processes.
            rest: asked when it is time to look anew; true: a model loads, and nothing shall get in its way.
        """
        if not psutil.LINUX:
            return None
        now = self._clock()
        if (self._looked is None or now - self._looked >= EVERY_S) and not rest():
            self._looked, self._mapping = now, tuple(self._maps())
        held: dict[int, int | None] = {}
        for gpu in gpus:
            for pid, size in gpu.processes:
                known = held.get(pid)
                held[pid] = size if known is None else known + (size or 0)
        files = dict(self._mapping)
        pids = [pid for pid in {*held, *files} if pid not in ours and pid != os.getpid()]
        found = [self._foreign(pid, held.get(pid), files.get(pid, "")) for pid in pids]
        there = [one for one in found if one is not None]
        there.sort(key=lambda one: (-(one.vram or 0), -(one.resident or 0), one.pid))
        return tuple(there[:MOST_SHOWN])

    def _maps(self) -> Iterable[tuple[int, str]]:
        """Yield processes that map a model, and its file."""
        try:
            entries = os.listdir(self._root / "proc")  # noqa: PTH208 - names are all that is needed
        except OSError:
            return
        for pid in map(int, filter(str.isdecimal, entries)):
            memory = self._statm(pid)
            if memory is not None and memory[1] >= LEAST_MAPPED and (file := self._model(pid)):
                yield pid, file

    def _foreign(self, pid: int, vram: int | None, file: str) -> Foreign | None:
        memory = self._statm(pid)
        name = self._read(pid, "comm", 64)
        if memory is None and vram is None:
            return None  # it has ended since it was looked at
        text = name.decode("utf-8", "replace").strip()
        return Foreign(pid, clean_name(text, 40) or "?", None if memory is None else memory[0], vram, file)

    def _statm(self, pid: int) -> tuple[int, int] | None:
        """Return the bytes that a process has in RAM, and how many of them are pages of files (or shared)."""
        fields = self._read(pid, "statm", 256).split()
        if len(fields) < 3 or not all(field.isdigit() for field in fields[:3]):
            return None
        return int(fields[1]) * mmap.PAGESIZE, int(fields[2]) * mmap.PAGESIZE

    def _model(self, pid: int) -> str:
        match = _MODEL.search(self._read(pid, "maps", MOST_MAPS))
        return clean_name(os.fsdecode(match[1]), 400) if match else ""

    def _read(self, pid: int, name: str, most: int) -> bytes:
        try:
            with open(f"{self._root}/proc/{pid}/{name}", "rb") as stream:  # noqa: PTH123 - hundreds a look
                return stream.read(most)
        except OSError:
            return b""
