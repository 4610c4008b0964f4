"""Time the ladder and the search: 20 variants, 6 contexts, 3 cache types, by the closed form and by llama.cpp.

    python -m tests.benchmarks.ladder

The files are headers without data, expanded to sparse files. The search is timed on two simulated cards of 12 GiB
beside 32 GiB of RAM.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.fit.propose import difference_text, propose
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.ladder import CACHE_TYPES, climb
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.simulation import NotAsked, SimulatedCards
from qtui.core.memory.verdict import Headroom, Margins
from qtui.core.origin import Origin
from qtui.core.text import GIB
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.library.tables import LocalTables
from qtui.services.machine.machine import LocalMachine
from tests.conftest import HEADER_NAMES, HEADER_SIZES, write_ghost

CONTEXTS = (4096, 8192, 16384, 32768, 65536, 131072)
RAM, CARDS = 32 * GIB, (12 * GIB, 12 * GIB)
ASKED = 131072


async def ladder(guard: Guard, variants: list[Variant]) -> str:
    """Climb all rungs; returns how long each way took."""
    plan = LoadPlan()
    caches = [(name, name) for name in CACHE_TYPES]
    start = time.perf_counter()
    computed, cells, answers = 0.0, 0, 0
    async for cell in climb(guard, variants, plan, CONTEXTS, caches):
        cells += 1
        footprint = cell.weighing.footprint
        answers += footprint is not None and footprint.origin is Origin.DRY_RUN
        if cells == len(variants) * len(CONTEXTS) * len(caches):
            computed = time.perf_counter() - start
    told = time.perf_counter() - start - computed
    count = cells // 2
    return (
        f"{len(variants)} variants x {len(CONTEXTS)} contexts x {len(caches)} cache types = {count} plans: "
        f"closed form {computed:.2f} s ({1000 * computed / count:.2f} ms each, headers read among them), "
        f"dry run {told:.1f} s ({1000 * told / count:.0f} ms each, {answers} answers, the rest refused)"
    )


async def search(guard: Guard, variants: list[Variant]) -> list[str]:
    """Search the best plan for every variant."""
    lines = ["| file | best plan at a context of 131072 or less | needs, GiB | s |", "|---|---|---|---|"]
    for variant in variants:
        plan = LoadPlan(ctx_size=ASKED)
        asked = await guard.resolve(variant, plan)
        start = time.perf_counter()
        proposal = await propose(guard, variant, plan)
        took = time.perf_counter() - start
        footprint = proposal.weighing.footprint
        need = f"{footprint.total / GIB:.2f}" if footprint is not None else "?"
        words = difference_text(proposal.weighing.plan, asked) or "as asked"
        lines.append(f"| {variant.quant} | {words if proposal.fits else 'none'} | {need} | {took:.2f} |")
    return lines


async def main() -> None:
    """Print both."""
    engine, dry_run, tables, machine = BuiltInEngine(), DryRunClient(), LocalTables(), LocalMachine()
    await engine.info()
    with tempfile.TemporaryDirectory() as folder:
        variants = []
        for name in HEADER_NAMES:
            variant = Variant(write_ghost(name, Path(folder)), "", name, size=HEADER_SIZES[name])
            variants.append(replace(variant, layers=(await tables.table(variant)).layers))
        guard = Guard(Footprints(dry_run, ClosedForm(LocalTables(), engine)), machine, engine)
        print(await ladder(guard, variants))
        cards = SimulatedCards(engine, CARDS)
        room = Headroom(RAM, CARDS, Margins().ram_bytes(RAM), (GIB,) * len(CARDS), simulated=True)
        simulated = Guard(
            Footprints(NotAsked.about(len(CARDS)), ClosedForm(tables, cards)), machine, cards, simulated=room
        )  # fmt: skip
        print("\n".join(await search(simulated, variants)))
    await dry_run.close()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
