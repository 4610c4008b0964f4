from __future__ import annotations

import asyncio
from pathlib import Path

from qtui.core.current_plan import CurrentPlan
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.presets import Preset
from qtui.ui.weigher import Weigher
from tests.fakes import FakeDryRun, FakeMachine, ScriptedEngine, make_footprint, make_variant

SHELF = tuple(make_variant(f"M{number}", "Q4_0") for number in range(4))
BROKEN = make_variant("Broken", problem="truncated")


class Computed:
    """A formula that answers at once."""

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        from dataclasses import replace

        return replace(make_footprint(variant, plan), origin=Origin.COMPUTED)

    async def bind(self, variant: Variant, plan: LoadPlan) -> object:
        raise NotImplementedError


def weigher(current: CurrentPlan = CurrentPlan(), formula: bool = True) -> tuple[Weigher, FakeDryRun]:
    dry_run = FakeDryRun()
    footprints = Footprints(dry_run, Computed() if formula else None)  # type: ignore[arg-type]
    made = Weigher(Guard(footprints, FakeMachine(), ScriptedEngine()), current)
    made.want((*SHELF, BROKEN))
    return made, dry_run


def brief(weighings: list[tuple[Variant, Weighing]]) -> list[str]:
    return [f"{variant.model} {w.footprint.origin.value if w.footprint else '?'}" for variant, w in weighings]


async def test_what_is_on_screen_is_computed_and_asked_first() -> None:
    made, _ = weigher()
    weighings = [pair async for pair in made.run(lambda: [SHELF[2].path])]
    assert brief(weighings) == [
        "M2 computed", "M2 dry-run", "M0 computed", "M1 computed", "M3 computed",
        "M0 dry-run", "M1 dry-run", "M3 dry-run",
    ]  # fmt: skip
    assert made.idle


async def test_without_a_formula_only_answers_are_told() -> None:
    made, _ = weigher(formula=False)
    assert brief([pair async for pair in made.run(list)]) == [f"M{number} dry-run" for number in range(4)]


async def test_a_model_with_its_own_preset_is_weighed_under_it() -> None:
    made, dry_run = weigher(CurrentPlan(LoadPlan(), (Preset("own", {"ctx_size": 1024}, match=("M1",)),)), formula=False)
    assert len([pair async for pair in made.run(list)]) == 4
    assert {path: plan.ctx_size for path, plan in dry_run.asked} == {
        variant.path: 1024 if variant.model == "M1" else 4096 for variant in SHELF
    }


async def test_answers_for_another_plan_or_another_file_are_left_out() -> None:
    made, dry_run = weigher(formula=False)
    dry_run.hold = asyncio.Event()
    run = made.run(list)
    first = asyncio.ensure_future(anext(run))
    while not dry_run.asked:
        await asyncio.sleep(0)
    made.plan_by(CurrentPlan(LoadPlan(ctx_size=512)), SHELF[:2])
    made.drop(SHELF[1].path)
    dry_run.hold.set()
    variant, weighing = await first
    assert (variant, weighing.plan.ctx_size) == (SHELF[0], 512)
    assert [pair async for pair in run] == []
    assert made.idle


async def test_what_is_wanted_while_it_runs_is_weighed_too() -> None:
    made, _ = weigher(formula=False)
    late = make_variant("Late")
    seen: list[Path] = []
    async for variant, _weighing in made.run(list):
        seen.append(variant.path)
        if len(seen) == 1:
            made.want([late])
    assert seen == [*(variant.path for variant in SHELF), late.path]
