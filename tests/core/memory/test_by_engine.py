"""Footprints by the engine of a plan, and what other machines lend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.errors import EngineError
from qtui.core.hardware import Device, DeviceKind, EngineInfo, Gpu
from qtui.core.memory.by_engine import DryRunByEngine, as_started
from qtui.core.memory.extras import PROMPT_CACHE, prompt_cache
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit, Margins, engine_headroom
from qtui.core.ports import Described, DryRun
from qtui.core.text import GIB, MIB
from tests.fakes import FakeDryRun, FakeMachine, ScriptedEngine, make_footprint, make_variant

VARIANT = make_variant(layers=20)
DEVICES = (
    Device("RPC0", "10.0.0.2:50052", DeviceKind.GPU, 16 * GIB, 15 * GIB),
    Device("CUDA0", "A card", DeviceKind.GPU, 12 * GIB, 11 * GIB),
    Device("RPC1", "10.0.0.3:50052", DeviceKind.GPU),
)
LENT = EngineInfo("/opt/llama-server", devices=DEVICES, rpc=True)
SERVED = LoadPlan(engine="/opt/llama-server")
ELSEWHERE = LoadPlan(engine="http://10.0.0.2:8080")


async def test_what_is_lent_is_free_as_the_engine_says_and_own_cards_as_the_driver_says() -> None:
    sample = replace(await FakeMachine().sample(), gpus=(Gpu(0, "A card", 12 * GIB, 5 * GIB),))
    room = engine_headroom(sample, Margins(gpu=GIB), DEVICES)
    assert room.free_vram == (15 * GIB, 5 * GIB, None) and room.vram == (14 * GIB, 4 * GIB, None)


async def test_a_plan_is_resolved_for_the_devices_of_its_engine() -> None:
    async def build_of(engine: str) -> EngineInfo | None:
        return LENT if engine == SERVED.engine else None

    guard = Guard(Footprints(FakeDryRun()), FakeMachine(), ScriptedEngine(), build_of=build_of)
    weighing = await guard.weigh(VARIANT, SERVED)
    assert weighing.plan.n_gpu_layers == 21 and len(weighing.headroom.free_vram) == 3
    own = await guard.weigh(VARIANT, LoadPlan())
    assert own.plan.n_gpu_layers == 0 and own.headroom.free_vram == ()
    assert own.plan.ctx_size == weighing.plan.ctx_size  # as qtui starts it, not as the program does by itself
    guard.as_programs_do = True
    kept = guard.keeping(2 * GIB)  # another margin, all else as it is
    assert len((await kept.weigh(VARIANT, SERVED)).headroom.free_vram) == 3 and kept.as_programs_do
    assert kept.margins == Margins(2 * GIB, 2 * GIB) != guard.margins


async def test_what_goes_over_a_network_is_a_warning() -> None:
    async def build_of(engine: str) -> EngineInfo | None:
        return LENT if engine == SERVED.engine else None

    guard = Guard(Footprints(FakeDryRun()), FakeMachine(), ScriptedEngine(), build_of=build_of)
    told = {warning.id: warning for warning in (await guard.weigh(VARIANT, SERVED)).warnings}
    assert "10.0.0.2:50052 and 10.0.0.3:50052" in told["lent-devices"].message
    assert "lent-devices" not in {one.id for one in (await guard.weigh(VARIANT, LoadPlan())).warnings}
    assert "plain-http" in {one.id for one in (await guard.weigh(VARIANT, ELSEWHERE)).warnings}


async def test_each_engine_is_asked_about_its_own_devices() -> None:
    built_in, theirs = FakeDryRun(), FakeDryRun()

    async def other(engine: str) -> tuple[Described, DryRun] | None:
        return (ScriptedEngine(), theirs) if engine == SERVED.engine else None

    dry_run = DryRunByEngine(built_in, other)
    await dry_run.footprint(VARIANT, LoadPlan())
    await dry_run.footprint(VARIANT, LoadPlan(engine="llama-server"))
    await dry_run.footprint(VARIANT, SERVED)
    assert (len(built_in.asked), len(theirs.asked)) == (2, 1)
    with pytest.raises(EngineError, match="at its own address"):
        await dry_run.footprint(VARIANT, ELSEWHERE)
    assert await dry_run.recall(VARIANT, ELSEWHERE) is None
    await dry_run.close()
    assert built_in.closed and theirs.closed


async def test_what_runs_elsewhere_is_not_weighed_and_not_refused() -> None:
    async def nothing(_engine: str) -> None:
        return None

    guard = Guard(Footprints(DryRunByEngine(FakeDryRun(), nothing)), FakeMachine(), ScriptedEngine())
    weighing = await guard.weigh(VARIANT, ELSEWHERE)
    assert weighing.footprint is None and weighing.verdict.fit is Fit.UNKNOWN and refusal(VARIANT, weighing) is None


def test_a_server_of_ours_keeps_no_earlier_prompts() -> None:
    plain = make_footprint(VARIANT, SERVED)
    item = prompt_cache(8 * GIB, 100 * MIB)
    pools = replace(plain.pools, ram_anonymous=plain.pools.ram_anonymous + item.bytes)
    alone = replace(plain, extra=(*plain.extra, item), pools=pools, peak=plain.peak + item.bytes)
    assert as_started(alone) == plain and as_started(plain) is plain
    assert item.item == PROMPT_CACHE
