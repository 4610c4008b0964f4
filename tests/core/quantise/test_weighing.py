"""What gathering a matrix needs, asked of the guard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.errors import BadFileError, MemoryRefusedError
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.weighing import gathering_plan, logits_memory, refuse_too_large, weigher
from qtui.core.text import GIB
from tests.fakes import FakeDryRun, FakeLibrary, FakeMachine, ScriptedEngine, make_facts, make_variant

MODEL = make_variant("Tiny", "F16", size=1 * GIB)


def guard(available: int) -> Guard:
    machine = FakeMachine()
    machine.set(available=available)
    return Guard(Footprints(FakeDryRun()), machine, ScriptedEngine())


def test_one_chunk_is_computed_at_a_time() -> None:
    plan = gathering_plan(LoadPlan(ctx_size=8192, parallel=4), 2048)
    assert (plan.ctx_size, plan.batch_size, plan.ubatch_size, plan.parallel) == (2048, 2048, 512, 1)
    assert logits_memory(plan, 152_064).ram_anonymous == 4 * (2048 + 512) * 152_064


async def test_rows_of_logits_for_every_token_count() -> None:
    library = FakeLibrary(MODEL)
    library.told[MODEL.path] = replace(make_facts(MODEL), vocabulary=250_000)  # 0.95 GiB for 512 + 512 tokens
    roomy, tight = guard(8 * GIB), guard(2 * GIB)
    await refuse_too_large(weigher(roomy, library, MODEL), LoadPlan(), 512)
    with pytest.raises(MemoryRefusedError):
        await refuse_too_large(weigher(tight, library, MODEL), LoadPlan(), 512)
    library.told[MODEL.path] = replace(make_facts(MODEL), vocabulary=32_000)
    await refuse_too_large(weigher(tight, library, MODEL), LoadPlan(), 512)
    await refuse_too_large(None, LoadPlan(), 512)


async def test_a_file_whose_header_cannot_be_read_is_told_as_such() -> None:
    library = FakeLibrary(MODEL)
    library.errors[str(MODEL.path)] = BadFileError("it is cut off", "fetch it again")
    with pytest.raises(BadFileError, match="cut off"):
        await refuse_too_large(weigher(guard(8 * GIB), library, MODEL), LoadPlan(), 512)
