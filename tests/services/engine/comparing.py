"""Closed form against dry run: the plans, and one comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from qtui.core.errors import QtuiError
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.ports import DryRun
from tests.services.engine.weighing import PLAN

CONTEXTS = (512, 4096, 32768)
CACHES = ("f16", "q8_0", "q4_0")
ATTENTION = (FlashAttention.ON, FlashAttention.OFF)


def cross() -> list[LoadPlan]:
    """Every context, cache type and kind of attention."""
    return [
        replace(PLAN, ctx_size=ctx, cache_type_k=kind, cache_type_v=kind, flash_attn=flash)
        for ctx, kind, flash in product(CONTEXTS, CACHES, ATTENTION)
    ]


def others() -> list[LoadPlan]:
    """What the cross leaves out: slots, batches, full windows, types that differ, odd contexts."""
    more: tuple[dict[str, object], ...] = (
        {"ctx_size": 8192, "parallel": 4}, {"ctx_size": 8192, "ubatch_size": 64},
        {"ctx_size": 8192, "ubatch_size": 1024}, {"ctx_size": 32768, "swa_full": True},
        {"ctx_size": 8192, "cache_type_k": "q8_0"}, {"ctx_size": 100}, {"ctx_size": 8192, "batch_size": 256},
        {"ctx_size": 5000, "parallel": 3, "flash_attn": FlashAttention.OFF},
    )  # fmt: skip
    return [replace(PLAN, **options) for options in more]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One plan by both ways; a refusal is its words."""

    plan: LoadPlan
    computed: Footprint | tuple[str, str, str]
    told: Footprint | tuple[str, str, str]

    @property
    def footprints(self) -> tuple[Footprint, Footprint] | None:
        """Return both; None where one is a refusal."""
        if isinstance(self.computed, Footprint) and isinstance(self.told, Footprint):
            return self.computed, self.told
        return None

    def check(self) -> None:
        """Weights and context equal to the byte, buffer by buffer; compute within its band; refusals word for word."""
        pair = self.footprints
        if pair is None:
            assert self.computed == self.told
            return
        computed, told = pair
        assert computed.plan.flash_attn is told.plan.flash_attn
        rows = {row.name: row for row in computed.devices}
        assert set(rows) == {row.name for row in told.devices}
        for row in told.devices:
            mine = rows[row.name]
            assert (mine.weights, mine.context) == (row.weights, row.context), (row.name, self.plan)
            assert abs(mine.compute - row.compute) <= mine.band, (row.name, self.plan)
        assert computed.extra == told.extra
        if computed.kind_bytes("compute") == told.kind_bytes("compute"):
            assert computed.pools == told.pools

    @property
    def compute_error(self) -> float:
        """Return how far off the compute buffer is, as a fraction of the dry run's; 0 for a refusal."""
        pair = self.footprints
        return pair[0].kind_bytes("compute") / pair[1].kind_bytes("compute") - 1 if pair else 0.0

    @property
    def total_error(self) -> float:
        """Return how far off the total is, the column NEEDS."""
        pair = self.footprints
        return pair[0].total / pair[1].total - 1 if pair else 0.0


async def compare(dry_run: DryRun, table: ModelTable, variant: Variant, plan: LoadPlan, info: EngineInfo) -> Comparison:
    """Ask both ways."""
    computed: Footprint | tuple[str, str, str]
    told: Footprint | tuple[str, str, str]
    try:
        computed = footprint_of(table, plan, info, title=variant.title)
    except QtuiError as error:
        computed = (error.message, error.hint, error.kind)
    try:
        told = await dry_run.footprint(variant, plan)
    except QtuiError as error:
        told = (error.message, error.hint, error.kind)
    return Comparison(plan, computed, told)


def refusals(comparisons: list[Comparison]) -> Iterator[tuple[str, str, str]]:
    """Yield what was refused."""
    for comparison in comparisons:
        if not isinstance(comparison.told, Footprint):
            yield comparison.told
