from __future__ import annotations

from dataclasses import replace

from qtui.core.memory.ladder import LETTERS, Cell, cache_types, climb, ladder_report, largest_fitting, rungs
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit
from qtui.core.origin import Origin
from tests.core.memory.fit.test_propose import guarded, variant


def test_rungs_double_up_to_what_was_trained() -> None:
    llama = variant("llama3.1-8b")
    assert rungs([llama]) == (4096, 8192, 16384, 32768, 65536, 131072)
    assert rungs([llama, replace(llama, context_length=1024)], 6000) == (256, 512, 1024, 2048, 4096, 6000)
    assert rungs([replace(llama, context_length=1024)]) == (256, 512, 1024)
    assert rungs([replace(llama, context_length=200)]) == (200,)
    assert rungs([replace(llama, context_length=1 << 20)])[-2:] == (131072, 1 << 20)
    assert rungs([replace(llama, context_length=None)])[-1] == 131072


def test_a_plan_with_cache_types_of_its_own_is_climbed_with_these() -> None:
    assert [k for k, _ in cache_types(LoadPlan())] == ["f16", "q8_0", "q4_0"]
    assert cache_types(LoadPlan(cache_type_k="q5_1")) == (("q5_1", "f16"),)


async def climbed(*cards: int, ram: int = 32, exact: bool = True) -> list[Cell]:
    guard, _ = guarded(*cards, ram=ram)
    variants = [variant("llama3.1-8b"), replace(variant("gemma3-27b"), context_length=8192)]
    plan = LoadPlan()
    return [cell async for cell in climb(guard, variants, plan, (4096, 131072), cache_types(plan), exact=exact)]


async def test_every_cell_is_computed_first_and_then_asked_for() -> None:
    cells = await climbed()
    origins = [cell.weighing.footprint.origin for cell in cells if cell.weighing.footprint]
    half = len(cells) // 2
    assert len(cells) == 2 * (6 + 3)  # what goes beyond a variant's training is left out
    assert set(origins[:half]) == {Origin.COMPUTED} and set(origins[half:]) == {Origin.DRY_RUN}
    asked = [(cell.cache[0], cell.variant.model) for cell in cells[:half]]
    assert list(dict.fromkeys(asked))[:2] == [("f16", "llama3.1-8b"), ("f16", "gemma3-27b")]  # what a panel shows first
    computed = [cell for cell in cells[:half] if cell.variant.model == "llama3.1-8b"]
    totals = {(cell.context, cell.cache[0]): cell.as_json()["total"] for cell in computed}
    assert totals[4096, "q4_0"] < totals[4096, "f16"] < totals[131072, "q4_0"] < totals[131072, "f16"]
    assert all(cell.weighing.plan.cache_type_v == cell.cache[1] for cell in cells)
    assert len(await climbed(exact=False)) == half


async def test_the_largest_that_fits_is_named_and_the_report_has_every_cell() -> None:
    cells = await climbed(8, ram=14, exact=False)
    llama = cells[0].variant
    best = largest_fitting([cell for cell in cells if cell.variant == llama])
    assert best is not None and best.context == 4096 and best.cache == ("f16", "f16")
    assert largest_fitting([]) is None
    room = cells[0].weighing.headroom
    report = ladder_report([llama, cells[-1].variant], (4096, 131072), cells, room)
    assert report["headroom"]["ram"] == room.ram and report["contexts"] == [4096, 131072]
    first, second = report["variants"]
    assert len(first["cells"]) == 6 and len(second["cells"]) == 3
    assert {cell["verdict"] for cell in first["cells"]} >= {"fits", "partial"}
    assert set(LETTERS) == set(Fit)
