from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtui.core.current_plan import CurrentPlan
from qtui.core.library.order import SortKey
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit, Headroom, judge
from qtui.core.presets import Preset
from qtui.core.text import GIB
from qtui.ui.present.models import Standing
from qtui.ui.shelf import Shelf
from tests.fakes import make_footprint, make_variant
from tests.ui.stage import BROKEN, HUGE, LARGE, OTHER, PROJECTOR, SHELF, SMALL

ROOM = Headroom(8 * GIB, margin_ram=GIB)
EMBEDDING = make_variant("Embed", "F16", role=Role.EMBEDDING)


def weighed(variant: Variant, room: Headroom = ROOM, total: int | None = None) -> Weighing:
    footprint = make_footprint(variant, LoadPlan(ctx_size=4096), total=total)
    return Weighing(footprint.plan, footprint, room, judge(footprint, room))


def shelf_of(*variants: Variant, presets: tuple[Preset, ...] = ()) -> Shelf:
    shelf = Shelf(CurrentPlan(LoadPlan(), presets))
    shelf.add(variants)
    return shelf


def shown(shelf: Shelf) -> list[str]:
    return [row.key for row in shelf.rows() if row.cells]


def paths(*variants: Variant) -> list[str]:
    return [str(variant.path) for variant in variants]


def test_models_come_first_largest_variant_first_and_other_roles_last() -> None:
    shelf = shelf_of(EMBEDDING, *SHELF)
    assert shown(shelf) == paths(LARGE, SMALL, OTHER, BROKEN, HUGE, EMBEDDING, PROJECTOR)
    heads = [str(row.heading).split("  ")[0] for row in shelf.rows() if row.heading is not None]
    assert heads == ["Alpha", "Beta", "Delta", "Gamma", "other"]


def test_rows_that_have_not_changed_are_not_made_again() -> None:
    shelf = shelf_of(*SHELF)
    before = {row.key: row for row in shelf.rows()}
    shelf.weigh(SMALL.path, weighed(SMALL))
    after = {row.key: row for row in shelf.rows()}
    assert {key for key in after if after[key] is not before[key]} == {str(SMALL.path)}
    shelf.stand(Standing())  # nothing has changed
    assert {row.key: row for row in shelf.rows()} == after


def test_what_comes_again_unchanged_keeps_what_is_known_of_it() -> None:
    shelf = shelf_of(SMALL)
    shelf.weigh(SMALL.path, weighed(SMALL))
    assert shelf.add([SMALL]) == []
    assert shelf.weighing(SMALL.path) is not None
    grown = replace(SMALL, size=SMALL.size + 1)
    assert shelf.add([grown]) == [grown]
    assert shelf.weighing(SMALL.path) is None
    assert shelf.keep(set()) == [SMALL.path]
    assert shelf.rows() == ()
    shelf.weigh(SMALL.path, weighed(SMALL))  # an answer that comes too late
    assert shelf.weighing(SMALL.path) is None


def test_filters_use_verdicts_and_rates_as_they_become_known() -> None:
    shelf = shelf_of(*SHELF)
    shelf.filter_by("fits")
    assert shown(shelf) == []
    shelf.weigh(SMALL.path, weighed(SMALL))
    shelf.weigh(HUGE.path, weighed(HUGE))
    assert shown(shelf) == paths(SMALL)
    shelf.filter_by("rate>20")
    assert shown(shelf) == []
    shelf.stand(Standing(rates={LARGE.path: 41.0}))
    assert shown(shelf) == paths(LARGE)
    shelf.filter_by("arch:qwen3 nonsense:1")
    assert shown(shelf) == paths(OTHER)
    assert [problem.term for problem in shelf.filter.problems] == ["nonsense:1"]
    shelf.filter_by("")
    assert len(shown(shelf)) == len(SHELF)


def test_the_order_holds_until_it_is_asked_for() -> None:
    shelf = shelf_of(SMALL, LARGE, OTHER)
    shelf.sort = SortKey.NEEDS
    shelf.arrange()
    before = shown(shelf)
    shelf.weigh(LARGE.path, weighed(LARGE, total=1 * GIB))
    shelf.weigh(SMALL.path, weighed(SMALL, total=2 * GIB))
    shelf.weigh(OTHER.path, weighed(OTHER, total=3 * GIB))
    assert shown(shelf) == before
    shelf.arrange()
    assert shown(shelf) == paths(LARGE, SMALL, OTHER)
    shelf.sort = SortKey.SIZE
    shelf.arrange()
    assert shown(shelf) == paths(OTHER, LARGE, SMALL)


def test_another_plan_drops_what_was_known_and_a_preset_of_its_own_shows() -> None:
    shelf = shelf_of(SMALL, OTHER, presets=(Preset("long", {"ctx_size": 32768}, match=("Alpha*",)),))
    shelf.weigh(SMALL.path, weighed(SMALL))
    assert [str(row.cells[0]) for row in shelf.rows() if row.cells] == ["Q4_K_M  preset: long", "Q6_K"]
    shelf.plan_by(CurrentPlan(LoadPlan(ctx_size=1024)))
    assert shelf.weighing(SMALL.path) is None
    assert [str(row.cells[0]) for row in shelf.rows() if row.cells] == ["Q4_K_M", "Q6_K"]


def test_what_other_places_might_hold_is_weighed_again() -> None:
    shelf = shelf_of(SMALL, HUGE)
    shelf.weigh(SMALL.path, weighed(SMALL))
    shelf.weigh(HUGE.path, weighed(HUGE))
    assert shelf.judge(Headroom(2 * GIB)) == []
    card = Headroom(2 * GIB, (GIB,), margin_vram=(0,))
    over = replace(weighed(HUGE), verdict=replace(weighed(HUGE).verdict, fit=Fit.TOO_BIG))
    shelf.weigh(HUGE.path, over)
    assert shelf.judge(card) == [HUGE]


def test_siblings_are_the_other_variants_of_a_model() -> None:
    shelf = shelf_of(*SHELF)
    for variant in (SMALL, LARGE, OTHER):
        shelf.weigh(variant.path, weighed(variant))
    assert [variant for variant, _ in shelf.siblings(SMALL)] == [LARGE]
    assert shelf.variant(None) is None
    assert shelf.variant(str(Path("/nowhere"))) is None
