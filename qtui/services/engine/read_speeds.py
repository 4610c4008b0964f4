"""How fast llama.cpp's kernels read on this machine: measured in a child, remembered in the cache folder.

One JSON file, by processor, build of llama.cpp, and number of threads. One that is damaged is as good as none.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtui.core.errors import EngineError, QtuiError
from qtui.core.memory.rate_question import MeasuredRates, MeasureRates
from qtui.core.memory.speed import Kernel, ReadRates
from qtui.core.wire import decode, encode
from qtui.services.engine.brief_run import run_briefly
from qtui.services.engine.child_process import child_environment, python_module
from qtui.services.files import write_atomic
from qtui.services.paths import cache_dir, cache_path

CHILD = "qtui.services.engine.child.read_rates"
FILE = "read-rates.json"
VERSION = 1
LIMIT_S = 60.0
STEP = "step"
LEAST_SHARE = 0.9
"""Of the processors' time; a measurement that got less says too little of the machine."""
BUSY_S = 60.0
"""What was measured on a busy machine is measured again after so long; until a quiet one was, the fastest counts."""
DISK_PIECE = 4 << 20
DISK_BYTES = 64 << 20
DISK_S = 0.3


@dataclass(slots=True)
class _Rough:
    """What was measured on a busy machine."""

    value: float
    """Of all measurements the one that says the most of the machine."""
    time: float
    """Of the newest, on the monotonic clock."""


class ReadSpeeds:
    """Implements `core.ports.ReadSpeeds`.

    Args:
        machine: tells processor and build, so that another one's figures are not taken.
        path: the cache's file; by default in qtui's cache folder.
        command: what measures; the child by default.
    """

    def __init__(
        self, machine: Callable[[], Awaitable[Sequence[str]]], path: Path | None = None, command: Sequence[str] = ()
    ) -> None:
        self._machine = machine
        self._path = path
        self._command = tuple(command) or python_module(CHILD)
        self._one_at_a_time = asyncio.Lock()
        self._while_busy: dict[str, dict[str, _Rough]] = {}
        """By name of the machine and key, in this process only."""
        self._while_quiet: dict[str, dict[str, float]] = {}
        """The same of a quiet machine, also where the cache's file cannot be written or was removed."""

    async def rates(self, kernels: Sequence[Kernel], threads: int) -> ReadRates:
        """Return what is known, measuring what is not; see `core.ports.ReadSpeeds`."""
        async with self._one_at_a_time:  # two measurements at once would both be wrong
            name = "|".join((*await self._machine(), str(threads)))
            known = {**self._while_quiet.get(name, {}), **self._known(name)}
            rough = self._while_busy.setdefault(name, {})
            missing = [kernel for kernel in kernels if kernel.key not in known and _is_old(rough.get(kernel.key))]
            if missing or (STEP not in known and _is_old(rough.get(STEP))):
                found = await self._measure(MeasureRates.of(missing, threads))
                if found.share < LEAST_SHARE:  # of a machine that had other things to do nothing is written down
                    _take_rough(rough, found)
                else:
                    known = {**known, **dict(found.rates), STEP: found.step}
                    self._while_quiet[name] = known
                    self._keep(name, known)
            busy = STEP not in known or any(kernel.key not in known for kernel in kernels)
            known = {**{key: one.value for key, one in rough.items()}, **known}
        return ReadRates({kernel.key: known[kernel.key] for kernel in kernels}, known[STEP], busy)

    async def disk(self, path: Path) -> float | None:
        """Return how fast a file is read past the page cache; see `core.ports.ReadSpeeds`."""
        return await asyncio.to_thread(_disk_rate, path)

    async def _measure(self, asked: MeasureRates) -> MeasuredRates:
        try:
            outcome = await run_briefly((*self._command, encode(asked).strip()), LIMIT_S, child_environment())
        except OSError as error:
            raise EngineError(f"the engine cannot be started: {error.strerror}", "see qtui doctor") from error
        lines = outcome.out.strip().splitlines()
        answer = decode(lines[-1], (MeasuredRates,)) if lines else None
        kernels: list[Kernel] = [*asked.matrices, *asked.attentions]
        wanted = {kernel.key for kernel in kernels}
        if answer is None or answer.problem or {key for key, rate in answer.rates if rate > 0} != wanted:
            why = answer.problem if answer else "the measuring child did not answer"
            raise EngineError(f"the speed of this machine cannot be measured: {why}", "see qtui doctor")
        assert isinstance(answer, MeasuredRates)
        return answer

    def _known(self, name: str) -> dict[str, float]:
        values = self._read().get(name)
        if not isinstance(values, dict):
            return {}
        return {key: float(rate) for key, rate in values.items() if isinstance(rate, (int, float)) and rate > 0}

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads((self._path or cache_path() / FILE).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        match content:
            case {"version": int(version), "rates": dict(rates)} if version == VERSION:
                return rates
        return {}

    def _keep(self, name: str, known: dict[str, float]) -> None:
        content = json.dumps({"version": VERSION, "rates": {**self._read(), name: known}})
        try:
            write_atomic(self._path or cache_dir() / FILE, content.encode())
        except QtuiError:
            return  # it is measured again the next time


def _is_old(rough: _Rough | None) -> bool:
    return rough is None or time.monotonic() - rough.time > BUSY_S


def _take_rough(rough: dict[str, _Rough], found: MeasuredRates) -> None:
    """Take what was measured beside other programs: a machine is at least as fast as it ever was."""
    now = time.monotonic()
    for key, rate in found.rates:
        rough[key] = _Rough(max(rate, rough[key].value) if key in rough else rate, now)
    rough[STEP] = _Rough(min(found.step, rough[STEP].value) if STEP in rough else found.step, now)


def _disk_rate(path: Path) -> float | None:
    """Read parts from the middle of a file with O_DIRECT, at most 64 MiB or 0.3 s; None where that is not offered."""
    if not sys.platform.startswith("linux"):
        return None
    import mmap

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    try:
        with mmap.mmap(-1, DISK_PIECE) as page_aligned:
            offset = os.fstat(descriptor).st_size // 2 // DISK_PIECE * DISK_PIECE
            begin, taken = time.perf_counter(), 0
            while taken < DISK_BYTES and time.perf_counter() - begin < DISK_S:
                got = os.preadv(descriptor, [page_aligned], offset + taken)
                taken += got
                if got < DISK_PIECE:
                    break
            spent = time.perf_counter() - begin
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return taken / spent if taken and spent > 0 else None
