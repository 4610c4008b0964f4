"""Ladder, Compare and the search in the Plan panel, over shipped headers; and how they look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from qtui.core.forecast import Forecast
from qtui.core.hardware import Gpu
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import CPU, Kernel, ReadRates
from qtui.core.text import GIB
from qtui.ui.app import QtuiApp
from qtui.ui.panels.compare import ComparePanel
from qtui.ui.panels.ladder import LadderPanel
from qtui.ui.panels.plan import PlanPanel
from qtui.ui.parts import Parts
from qtui.ui.present.compare import visible
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.core.memory.closed_form.headers import with_cards
from tests.core.memory.fit.test_propose import ComputedDryRun, Headers
from tests.fakes import make_facts
from tests.ui.stage import Stage, arena, models, screen_text, sees, told, wait_until

SIZES = [(80, 24), (120, 36)]
HEADERS = {"Q8_0": "qwen3.5-27b", "Q6_K": "qwen3-30b-a3b", "Q4_K_M": "llama3.1-8b"}
"""Three files that stand for variants of one model."""


def shelf() -> tuple[Variant, ...]:
    sizes = {"Q8_0": 16 * GIB, "Q6_K": 14 * GIB, "Q4_K_M": 5 * GIB}
    layers = {"Q8_0": 64, "Q6_K": 48, "Q4_K_M": 32}
    return tuple(
        Variant(
            Path(f"/m/{name}.gguf"), "Alpha", quant, size=sizes[quant], bits_per_weight=4.5, context_length=131072,
            layers=layers[quant], architecture="qwen3", parameters=27_000_000_000, source="~/models",
        )
        for quant, name in HEADERS.items()
    )  # fmt: skip


class HeldDryRun(ComputedDryRun):
    """Says what the closed form says, once it is let."""

    def __init__(self, formula: ClosedForm) -> None:
        super().__init__(formula)
        self.go = asyncio.Event()
        self.go.set()

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        footprint = await super().footprint(variant, plan)
        await self.go.wait()
        return footprint


class OneRate:
    """Reads 10 GB/s from RAM and 100 from cards, whatever it reads."""

    async def rates(self, kernels: Sequence[Kernel], threads: int) -> ReadRates:
        """Return the same for every kernel."""
        return ReadRates({kernel.key: 1e10 if kernel.device == CPU else 1e11 for kernel in kernels}, 1e-6)

    async def disk(self, path: Path) -> float | None:
        """Return a slow disk."""
        return 1e9


def app_on(
    stage: Stage, cards: tuple[int, ...] = (), dry_runs: list[HeldDryRun] | None = None, *, paced: bool = False
) -> QtuiApp:
    """The app over real headers; `dry_runs` gets its dry run, which says what the closed form says.

    `paced`: rates are predicted.
    """
    if cards:
        stage.engine.engine_info = with_cards(*cards)
    formula = ClosedForm(Headers(), stage.engine)
    dry_run = HeldDryRun(formula)
    if dry_runs is not None:
        dry_runs.append(dry_run)
    footprints = Footprints(dry_run, formula)
    guard = Guard(footprints, stage.machine, stage.engine)
    for variant in stage.variants:
        stage.library.told[variant.path] = make_facts(variant)
    parts = Parts(
        library=stage.library, machine=stage.machine, engine=stage.engine, guard=guard, footprints=footprints,
        sessions=stage.sessions, plan=LoadPlan(), dated=lambda _: 1.75e9,
        forecast=Forecast(Headers(), stage.engine, OneRate()) if paced else None,
    )  # fmt: skip
    return QtuiApp(lambda: parts, store=stage.settings)


async def weighed(pilot: Pilot[None]) -> None:
    await sees(pilot, "3 files, 1 model")
    await wait_until(pilot, lambda: "asking" not in screen_text(pilot))


async def climbed(pilot: Pilot[None]) -> LadderPanel:
    await weighed(pilot)
    await pilot.press("l")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, LadderPanel))
    panel = pilot.app.screen
    assert isinstance(panel, LadderPanel)
    await wait_until(pilot, lambda: "…" not in screen_text(pilot) and "131072" in screen_text(pilot))
    await wait_until(pilot, lambda: "~" not in table_text(panel), "the dry run's answers")
    return panel


def table_text(panel: LadderPanel) -> str:
    return "\n".join(
        " ".join(str(cell) for cell in row.cells if cell is not None) for row in panel.query_one(GroupedTable).rows
    )


async def test_the_ladder_shows_every_variant_and_takes_a_rung_into_the_plan() -> None:
    stage = Stage(variants=shelf())
    async with app_on(stage).run_test(size=(120, 36)) as pilot:
        panel = await climbed(pilot)
        first = table_text(panel)
        assert [line.split()[0] for line in first.splitlines()] == ["Q8_0", "Q6_K", "Q4_K_M"]
        assert first.splitlines()[0].endswith("x") and first.splitlines()[2].split()[1][-1].isdigit()
        await pilot.press("k")
        await wait_until(pilot, lambda: table_text(panel) != first)
        assert "q8_0" in screen_text(pilot)
        await pilot.press("G", "right", "right")
        await sees(pilot, "ctx 32768, KV q8_0")
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, LadderPanel))
        await sees(pilot, "ctx 32768")
        plan = models(pilot).current.plan
        assert (plan.ctx_size, plan.cache_type_k, plan.cache_type_v) == (32768, "q8_0", "q8_0")


async def test_the_ladder_asks_first_for_the_cache_type_that_is_shown() -> None:
    stage, dry_runs = Stage(variants=shelf()), list[HeldDryRun]()
    async with app_on(stage, dry_runs=dry_runs).run_test(size=(120, 36)) as pilot:
        await weighed(pilot)
        (dry_run,) = dry_runs
        dry_run.asked.clear()
        dry_run.go.clear()
        await pilot.press("l")
        await wait_until(pilot, lambda: len(dry_run.asked) == 1)
        await pilot.press("k")
        await sees(pilot, "q8_0")
        dry_run.go.set()
        panel = pilot.app.screen
        assert isinstance(panel, LadderPanel)
        await wait_until(pilot, lambda: "~" not in table_text(panel), "what is shown")
        shown = [plan.cache_type_k for plan in dry_run.asked]
        assert shown[:1] == ["f16"] and set(shown[1:16]) == {"q8_0"}  # the first was asked before


async def test_the_ladder_follows_free_memory() -> None:
    stage = Stage(variants=shelf())
    async with app_on(stage).run_test(size=(120, 36)) as pilot:
        panel = await climbed(pilot)
        before = table_text(panel)
        stage.machine.set(available=30 * GIB)
        panel._look()
        await wait_until(pilot, lambda: table_text(panel) != before)
        await wait_until(pilot, lambda: "x" not in table_text(panel).replace("max", ""))


async def test_compare_chooses_two_for_the_arena() -> None:
    stage = Stage(variants=shelf())
    async with app_on(stage).run_test(size=(120, 36)) as pilot:
        await weighed(pilot)
        await pilot.press("G", "c")
        await sees(pilot, "needs, GiB")
        text = screen_text(pilot)
        assert "differences to Alpha Q4_K_M" in text and "+11.00, +220 %" in text and "2025-06-15" in text
        await pilot.press("right")
        await sees(pilot, "› Q6_K")
        await pilot.press("f")
        await sees(pilot, "differences to Alpha Q6_K")
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, ComparePanel))
        await wait_until(pilot, lambda: set(arena(pilot)._held) == {"A", "B"})
        assert arena(pilot)._held["A"].quant == "Q6_K"


async def test_one_variant_alone_is_compared_with_nothing() -> None:
    stage = Stage(variants=shelf()[:1])
    async with app_on(stage).run_test(size=(120, 36)) as pilot:
        await sees(pilot, "1 file, 1 model")
        await wait_until(pilot, lambda: "asking" not in screen_text(pilot))
        await pilot.press("c")
        await told(pilot, "Nothing to compare it with")


async def test_f_in_the_plan_finds_the_plan_that_fits() -> None:
    stage = Stage(variants=shelf())
    stage.machine.set(gpus=(Gpu(0, "A card", 12 * GIB, 8 * GIB),))
    async with app_on(stage, cards=(8,)).run_test(size=(120, 36)) as pilot:
        await sees(pilot, "3 files, 1 model")
        await sees(pilot, "partial")
        await pilot.press("p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, PlanPanel))
        await pilot.press("f")
        await told(pilot, "layers on the GPU: with")
        panel = pilot.app.screen
        assert isinstance(panel, PlanPanel)
        assert 0 < panel._draft.plan.n_gpu_layers < 65 and panel._draft.plan.ctx_size == 0
        await pilot.press("enter")
        await wait_until(pilot, lambda: models(pilot).current.plan.n_gpu_layers == panel._draft.plan.n_gpu_layers)


def test_the_first_and_the_chosen_variant_are_always_visible() -> None:
    assert visible(3, 1, 200) == [0, 1, 2]
    assert visible(6, 1, 15 + 3 * 17) == [0, 1, 2]
    assert visible(6, 5, 15 + 3 * 17) == [0, 4, 5]
    assert visible(6, 3, 15 + 2 * 17) == [0, 3]
    assert visible(4, 2, 10) == [0, 2]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["l", "c", "p"])
def test_pictures(snap_compare: Callable[..., bool], size: tuple[int, int], key: str) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        if key == "l":
            await climbed(pilot)
        elif key == "p":
            await weighed(pilot)
            await pilot.press("p")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, PlanPanel))
            await wait_until(pilot, lambda: "~" not in screen_text(pilot), "the dry run's answer")
        else:
            await weighed(pilot)
            await pilot.press("c")
            await sees(pilot, "needs, GiB")

    app: App[None] = app_on(Stage(variants=shelf()))
    assert snap_compare(app, terminal_size=size, run_before=settle)


def plan_cells(pilot: Pilot[None]) -> dict[str, list[str]]:
    """Return value, allowed, effects of every row of the Plan panel."""
    rows = pilot.app.screen.query_one(GroupedTable).rows
    return {row.key: [str(cell) for cell in row.cells[1:] if cell is not None] for row in rows}


async def plan_of(pilot: Pilot[None], quant: str) -> None:
    await weighed(pilot)
    while (subject := models(pilot).subject()) is None or subject.quant != quant:
        await pilot.press("j")
    await pilot.press("p", "m")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, PlanPanel))


async def test_options_without_meaning_are_dimmed_with_the_reason() -> None:
    async with app_on(Stage(variants=shelf())).run_test(size=(120, 36)) as pilot:
        await plan_of(pilot, "Q4_K_M")
        await wait_until(pilot, lambda: plan_cells(pilot)["experts"][1] == "it has no experts")
        cells = plan_cells(pilot)
        assert (cells["layers"][1], cells["kv-ram"][1], cells["swa-full"][1]) == (
            "no GPU: always 0", "no GPU", "no sliding window",
        )  # fmt: skip
        assert cells["batch"][1] == "1 to 8192 tokens" and cells["ubatch"][1] == "1 to 2048 tokens"


async def test_the_ranges_are_those_of_file_and_cards() -> None:
    stage = Stage(variants=shelf())
    async with app_on(stage, cards=(24 * GIB, 12 * GIB)).run_test(size=(120, 36)) as pilot:
        await plan_of(pilot, "Q6_K")
        await wait_until(pilot, lambda: plan_cells(pilot)["experts"][1] == "none, all, 1 to 48")
        cells = plan_cells(pilot)
        assert cells["main-gpu"][1] == "0 to 1" and cells["split"][1] == "shares for 2 GPUs: 3,1"
        assert "CUDA0" in cells["override"][1]


async def test_a_smaller_ubatch_needs_less() -> None:
    async with app_on(Stage(variants=shelf())).run_test(size=(80, 24)) as pilot:
        await plan_of(pilot, "Q4_K_M")
        await pilot.press("g")
        while pilot.app.screen.query_one(GroupedTable).key != "ubatch":
            await pilot.press("j")
        await pilot.press("left", "left")
        await wait_until(pilot, lambda: plan_cells(pilot)["ubatch"][2].startswith("-"))
        await pilot.press("right", "right", "right")
        await wait_until(pilot, lambda: plan_cells(pilot)["ubatch"][2].startswith("+"))


async def test_each_change_shows_its_effect_on_the_rate() -> None:
    stage = Stage(variants=shelf())
    stage.machine.set(gpus=(Gpu(0, "A card", 24 * GIB, 23 * GIB),))
    async with app_on(stage, cards=(24 * GIB,), paced=True).run_test(size=(120, 36)) as pilot:
        await plan_of(pilot, "Q6_K")
        await pilot.press("g")
        while pilot.app.screen.query_one(GroupedTable).key != "experts":
            await pilot.press("j")
        await pilot.press(*["right"] * 10)
        await wait_until(pilot, lambda: plan_cells(pilot)["experts"][3:] and "-" in plan_cells(pilot)["experts"][3])
        assert "± T/S" in screen_text(pilot)
        await sees(pilot, " t/s")
