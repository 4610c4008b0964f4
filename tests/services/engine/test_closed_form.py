"""The closed form against llama.cpp itself: equal to the byte for weights and context, and refusing in its words."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.hardware import EngineInfo
from qtui.core.memory.closed_form.exactness import COMPUTE_BAND, MISSES
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.consumers import CONSUMERS, Consumer
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.origin import Origin
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.library.tables import LocalTables
from tests.conftest import HEADER_NAMES
from tests.services.engine.comparing import Comparison, compare, cross, others, refusals
from tests.services.engine.weighing import PLAN, variant

_INFO: list[EngineInfo] = []


async def built_in() -> EngineInfo:
    """Ask once what this machine's llama.cpp is."""
    if not _INFO:
        engine = BuiltInEngine()
        _INFO.append(await engine.info())
        await engine.close()
    return _INFO[0]


async def compared(client: DryRunClient, path: Path, plans: list[LoadPlan]) -> list[Comparison]:
    info = await built_in()
    table = await LocalTables().table(variant(path))
    return [await compare(client, table, variant(path), plan, info) for plan in plans]


@pytest.mark.parametrize("name", HEADER_NAMES)
async def test_a_sample_of_plans_is_equal_to_the_byte(client: DryRunClient, ghosts: dict[str, Path], name: str) -> None:
    plans = cross()
    start = HEADER_NAMES.index(name)
    sample = [plans[(start + step) % len(plans)] for step in (0, 5, 10)] + [others()[start % len(others())]]
    for comparison in await compared(client, ghosts[name], sample):
        comparison.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADER_NAMES)
async def test_every_context_cache_and_attention_is_equal_to_the_byte(
    client: DryRunClient, ghosts: dict[str, Path], name: str
) -> None:
    comparisons = await compared(client, ghosts[name], cross() + others())
    for comparison in comparisons:
        comparison.check()
    # A quantised V cache without flash attention: three contexts, two types.
    assert sum("needs flash attention" in message for message, _, _ in refusals(comparisons)) == 6
    ordinary = [c for c in comparisons if min(c.plan.ctx_size, c.plan.ubatch_size, c.plan.batch_size) > 512]
    miss = MISSES.get((await LocalTables().table(variant(ghosts[name]))).architecture, 0.0)
    assert max(abs(c.compute_error) for c in ordinary) <= max(COMPUTE_BAND, miss)
    assert max(abs(c.total_error) for c in comparisons) <= 0.03


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.name)
async def test_both_ask_with_the_reservations_of_the_plans_engine(
    client: DryRunClient, ghosts: dict[str, Path], consumer: Consumer
) -> None:
    plan = replace(consumer.defaults(4096), n_gpu_layers=0, load_mode=LoadMode.MMAP, threads=2, threads_batch=2)
    for name in ("llama3.1-8b", "gemma3-27b", "qwen3next-moe"):
        for asked in (plan, replace(plan, ctx_size=8192, parallel=2)):
            (comparison,) = await compared(client, ghosts[name], [asked])
            comparison.check()
            pair = comparison.footprints
            assert pair and pair[0].engine == pair[1].engine == consumer.name
            assert pair[0].extra == pair[1].extra


async def test_the_store_shows_the_closed_form_and_then_what_llama_cpp_says(
    client: DryRunClient, ghosts: dict[str, Path]
) -> None:
    engine = BuiltInEngine()
    store = Footprints(client, ClosedForm(LocalTables(), engine))
    model = variant(ghosts["qwen3-dense"])
    first, known = await store.estimate(model, PLAN), await store.ask(model, PLAN)
    computed = store.computed(model, PLAN)
    shown = [each.footprint.origin for each in (first, known) if each.footprint]
    assert shown == [Origin.COMPUTED, Origin.DRY_RUN]
    assert known.footprint and computed and known.footprint.kind_bytes("weights") == computed.kind_bytes("weights")
    await engine.close()


async def test_plans_that_the_dry_run_does_not_take_stay_computed(
    client: DryRunClient, ghosts: dict[str, Path]
) -> None:
    engine = BuiltInEngine()
    store = Footprints(client, ClosedForm(LocalTables(), engine))
    known = await store.ask(variant(ghosts["llama3.1-8b"]), replace(PLAN, parallel=32))
    assert known.footprint and known.footprint.origin is Origin.COMPUTED
    assert any("at most 8 slots" in note for note in known.footprint.notes)
    await engine.close()


async def test_many_ask_at_once(client: DryRunClient, ghosts: dict[str, Path]) -> None:
    engine = BuiltInEngine()
    store = Footprints(client, ClosedForm(LocalTables(), engine))
    plans = [replace(PLAN, ctx_size=1024 * n) for n in (1, 2, 3, 4)]
    found = await asyncio.gather(
        *(store.estimate(variant(ghosts[name]), p) for name in HEADER_NAMES[:4] for p in plans)
    )
    assert all(known.footprint and known.footprint.origin is Origin.COMPUTED for known in found)
    await engine.close()
