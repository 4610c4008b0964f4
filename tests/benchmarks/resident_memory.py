"""Print predicted against measured resident memory of a session, in each load mode, after a full prompt.

    python -m tests.benchmarks.resident_memory [--size 100mb --size 1gb]

The files hold random weights in K-quants, so that weights are stored anew for the CPU. Measured is what the kernel
says of the child (`smaps_rollup`, VmHWM); pages of Python's own libraries are file-backed too.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.events import Answered, Failed, SessionEvent
from qtui.core.hardware import ProcessMemory
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.ports import Session
from qtui.core.text import MIB, size
from qtui.services.engine.client import BuiltInEngine
from qtui.services.library.tables import LocalTables
from tests.benchmarks.make_model import SIZES, cached_model

MODES = (LoadMode.NONE, LoadMode.MMAP, LoadMode.MLOCK, LoadMode.MMAP_MLOCK, LoadMode.DIO)
PROMPT = " ".join(f"w{number % 9}" for number in range(100))
"""551 tokens of these vocabularies, more than a physical batch: only then is all of the compute buffer touched."""

HEAD = "| load mode | anonymous | file-backed | locked | resident, % | peak | peak, % |\n|---|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Resident:
    """One load mode: what was predicted, and what the kernel said."""

    mode: LoadMode
    predicted: Footprint
    measured: ProcessMemory
    refused: str = ""

    @property
    def predicted_bytes(self) -> int:
        """Return what is resident by the prediction: what must be, and what the kernel may drop."""
        return self.predicted.pools.ram + self.predicted.reclaimable

    @property
    def error(self) -> float:
        """Return how far off the prediction is, as a fraction."""
        return self.predicted_bytes / (self.measured.resident or 1) - 1

    @property
    def peak_error(self) -> float:
        """Return how far off the predicted peak is."""
        return self.predicted.peak / (self.measured.peak or 1) - 1

    def markdown(self) -> str:
        """Return one row of the table."""
        if self.refused:
            return f"| {self.mode.value} | {self.refused} | | | | | |"
        p, m = self.predicted.pools, self.measured
        kept = p.ram_file_backed + self.predicted.reclaimable
        anonymous = f"{p.ram_anonymous / MIB:.0f} / {(m.anonymous or 0) / MIB:.0f}"
        file_backed = f"{kept / MIB:.0f} / {(m.file_backed or 0) / MIB:.0f}"
        peak = f"{self.predicted.peak / MIB:.0f} / {(m.peak or 0) / MIB:.0f}"
        locked = f"{self.predicted.locked / MIB:.0f} / {(m.locked or 0) / MIB:.0f}"
        if (m.locked or 0) < self.predicted.locked // 2:
            locked += f", refused: RLIMIT_MEMLOCK is {size(resource.getrlimit(resource.RLIMIT_MEMLOCK)[1])}"
        return (
            f"| {self.mode.value} | {anonymous} | {file_backed} | {locked} | {100 * self.error:+.1f} "
            f"| {peak} | {100 * self.peak_error:+.1f} |"
        )


async def measure(engine: BuiltInEngine, path: Path, mode: LoadMode) -> Resident:
    """Load a file, let it read a prompt, and ask the kernel."""
    variant = Variant(path, path.stem, "Q4_K_M", size=path.stat().st_size)
    plan = LoadPlan(ctx_size=4096, n_gpu_layers=0, load_mode=mode, threads=2, threads_batch=2)
    predicted = footprint_of(await LocalTables().table(variant), plan, await engine.info())
    session: Session = engine.open(variant, plan)
    try:
        last = await _last(session, None)
        if isinstance(last, Failed):
            return Resident(mode, predicted, ProcessMemory(), last.failure.message)
        last = await _last(session, Request((Message("user", PROMPT),), sampling=Sampling(max_tokens=2)))
        assert isinstance(last, Answered), last
        return Resident(mode, predicted, await session.memory())
    finally:
        await session.close()


async def _last(session: Session, request: Request | None) -> SessionEvent:
    events = session.load() if request is None else session.ask(request)
    last: SessionEvent | None = None
    async for event in events:
        last = event
    assert last is not None
    return last


async def report(sizes: Sequence[str]) -> None:
    """Print a table per size."""
    engine = BuiltInEngine()
    for name in sizes:
        path = cached_model(name)
        print(f"\n{path.name}, {path.stat().st_size / MIB:.0f} MiB; predicted / measured in MiB, closed form\n")
        print(HEAD)
        for mode in MODES:
            print((await measure(engine, path, mode)).markdown(), flush=True)
    await engine.close()


def main() -> None:
    """Parse and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, action="append")
    asyncio.run(report(parser.parse_args().size or ["100mb", "1gb"]))


if __name__ == "__main__":
    main()
