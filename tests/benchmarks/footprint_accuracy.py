"""Print how exact the closed form is: against llama.cpp's own account, over the headers under `tests/data`.

    python -m tests.benchmarks.footprint_accuracy

Prints the table of `docs/memory.md`, then what a plan costs both ways. The files are headers without data, expanded
to sparse files; no GPU is asked.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from qtui.core.hardware import EngineInfo
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.library.tables import LocalTables
from tests.conftest import HEADER_NAMES, write_ghost
from tests.services.engine.comparing import Comparison, compare, cross, others
from tests.services.engine.weighing import PLAN, variant

SIX_CONTEXTS = (512, 2048, 4096, 8192, 32768, 131072)
THREE_CACHES = ("f16", "q8_0", "q4_0")


@dataclass(frozen=True, slots=True)
class Line:
    """What was found for one file."""

    name: str
    architecture: str
    comparisons: Sequence[Comparison]

    def markdown(self) -> str:
        """Return one row of the table."""
        pairs = [pair for c in self.comparisons if (pair := c.footprints)]
        refused = [c for c in self.comparisons if c.footprints is None]
        same = sum(c.computed == c.told for c in refused)
        on = [c.compute_error for c in self._with(FlashAttention.ON)]
        off = [c.compute_error for c in self._with(FlashAttention.OFF)]
        totals = [abs(c.total_error) for c in self.comparisons if c.footprints]
        cells = (
            self.name, self.architecture, f"{sum(_equal(*pair) for pair in pairs)}/{len(pairs)}",
            f"{same}/{len(refused)}", _span(on), _span(off), f"{100 * median(totals):.2f}", f"{100 * max(totals):.1f}",
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"

    def _with(self, flash: FlashAttention) -> list[Comparison]:
        return [c for c in self.comparisons if (pair := c.footprints) and pair[1].plan.flash_attn is flash]


def _equal(computed: Footprint, told: Footprint) -> bool:
    """Tell whether weights and context are the same to the byte in every buffer."""
    rows = [{row.name: (row.weights, row.context) for row in footprint.devices} for footprint in (computed, told)]
    return rows[0] == rows[1]


def _span(errors: Sequence[float]) -> str:
    return f"{100 * min(errors):+.1f} … {100 * max(errors):+.1f}" if errors else "–"


HEAD = (
    "| file | architecture | weights and context equal | refusals equal | compute, flash attention on, % "
    "| compute, off, % | total, median % | total, worst % |\n|---|---|---|---|---|---|---|---|"
)


async def lines(paths: dict[str, Path], tables: dict[str, ModelTable], info: EngineInfo) -> list[Line]:
    """Compare every file under every plan."""
    client = DryRunClient()
    found = []
    for name, path in paths.items():
        comparisons = [await compare(client, tables[name], variant(path), plan, info) for plan in cross() + others()]
        found.append(Line(name, tables[name].architecture, comparisons))
    await client.close()
    return found


async def cost(paths: dict[str, Path], tables: dict[str, ModelTable], info: EngineInfo) -> str:
    """Return the time of every file under 6 contexts and 3 cache types, both ways."""
    plans: list[LoadPlan] = [
        replace(PLAN, ctx_size=ctx, cache_type_k=kind, cache_type_v=kind)
        for ctx in SIX_CONTEXTS for kind in THREE_CACHES
    ]  # fmt: skip
    start = time.perf_counter()
    for table in tables.values():
        for plan in plans:
            footprint_of(table, plan, info)
    computed = time.perf_counter() - start
    client = DryRunClient()
    start = time.perf_counter()
    for path in paths.values():
        for plan in plans:
            await client.footprint(variant(path), plan)
    told = time.perf_counter() - start
    await client.close()
    count = len(paths) * len(plans)
    return (
        f"{len(paths)} variants x {len(SIX_CONTEXTS)} contexts x {len(THREE_CACHES)} cache types = {count} plans: "
        f"closed form {computed:.2f} s ({1000 * computed / count:.2f} ms each), "
        f"dry run {told:.1f} s ({1000 * told / count:.0f} ms each)"
    )


async def main() -> None:
    """Print everything."""
    engine = BuiltInEngine()
    info = await engine.info()
    await engine.close()
    store = LocalTables()
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: write_ghost(name, Path(folder)) for name in HEADER_NAMES}
        start = time.perf_counter()
        tables = {name: await store.table(variant(path)) for name, path in paths.items()}
        read = time.perf_counter() - start
        found = await lines(paths, tables, info)
        print(f"llama.cpp {info.build}; CPU features {', '.join(info.features)}\n")
        print(HEAD)
        for line in found:
            print(line.markdown())
        pairs = [c for line in found for c in line.comparisons if c.footprints]
        errors = sorted(abs(c.total_error) for c in pairs)
        print(
            f"\n{len(pairs)} plans: total off by {100 * median(errors):.2f} % in the median, "
            f"{100 * errors[int(0.99 * len(errors))]:.1f} % in 99 of 100, {100 * errors[-1]:.1f} % at worst"
        )
        print(f"{len(tables)} headers read in {1000 * read:.0f} ms")
        print(await cost(paths, tables, info))


if __name__ == "__main__":
    asyncio.run(main())
