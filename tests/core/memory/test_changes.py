from __future__ import annotations

from qtui.core.memory.changes import PlanWeighed, WithoutWeighed, effect, spare, weigh_changes
from qtui.core.memory.footprint import DeviceBytes, Footprint, Pools
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Headroom, judge
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from tests.fakes import FakeDryRun, FakeMachine, ScriptedEngine, make_variant

VARIANT = make_variant(size=GIB)


class ContextDryRun(FakeDryRun):
    """Needs 64 KiB for each token of context, half of it with an 8-bit cache."""

    async def footprint(self, variant: object, plan: LoadPlan) -> Footprint:
        self.asked.append((VARIANT.path, plan))
        context = plan.ctx_size * (64 if plan.cache_type_k == "f16" else 32) * 1024
        row = DeviceBytes("CPU", GIB, context, 0, Origin.DRY_RUN)
        return Footprint(plan, (row,), (), Pools(context, GIB), GIB, 0, 0, Origin.DRY_RUN)


async def test_each_change_is_weighed_against_the_plan_without_it() -> None:
    dry_run = ContextDryRun()
    guard = Guard(Footprints(dry_run), FakeMachine(), ScriptedEngine())
    plan = LoadPlan(ctx_size=4096, cache_type_k="q8_0", cache_type_v="q8_0")
    whole: Weighing | None = None
    without: dict[str, Weighing] = {}
    async for event in weigh_changes(guard, VARIANT, plan, LoadPlan(ctx_size=2048)):
        match event:
            case PlanWeighed(weighing=weighing):
                whole = weighing
            case WithoutWeighed(field=field, weighing=weighing):
                without[field.id] = weighing
    assert {field: effect(whole, weighing) for field, weighing in without.items()} == {
        "context": 64 * MIB,
        "cache": -128 * MIB,
    }
    assert len(dry_run.asked) == 3  # each plan once, however often it is shown


def test_an_effect_is_unknown_while_a_side_of_it_is() -> None:
    assert effect(None, None) is None


def weighed(pools: Pools, room: Headroom) -> Weighing:
    footprint = Footprint(LoadPlan(), (), (), pools, 0, 0, 0, Origin.COMPUTED)
    return Weighing(LoadPlan(), footprint, room, judge(footprint, room))


def test_spare_memory_is_that_of_the_worst_pool() -> None:
    room = Headroom(8 * GIB, (4 * GIB, 2 * GIB), GIB, (GIB, GIB))
    assert spare(weighed(Pools(GIB, 0, (GIB, GIB)), room)) == ("GPU1", 0)
    assert spare(weighed(Pools(GIB, 7 * GIB, (GIB, 0)), room)) == ("RAM", -GIB)
    assert spare(weighed(Pools(GIB), Headroom(None))) is None
