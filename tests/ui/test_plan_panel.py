from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot

from qtui.core.errors import PlanRefusedError, UsageError
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.footprint import DeviceBytes, Footprint, Pools
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.presets import Preset
from qtui.core.text import GIB
from qtui.ui.panels.plan import PlanPanel
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.typed_line import TypedLine
from tests.fakes import ONE_CARD, FakeDryRun, FakePresets, ScriptedEngine, make_variant
from tests.ui.stage import SMALL, Stage, arena, models, rows_of, screen_text, sees, table, told, wait_until

BOOK = make_variant("Book", "Q4_0", size=2 * GIB, context_length=65536, layers=20)
SIZES = ((80, 24), (120, 36))


class ContextDryRun(FakeDryRun):
    """Needs 1 GiB for 8192 tokens, half of it with an 8-bit cache; refuses caches of 4 bits."""

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        self.asked.append((variant.path, plan))
        if plan.cache_type_k == "q4_0":
            raise PlanRefusedError("this model takes no q4_0 cache", "take f16")
        context = GIB * plan.ctx_size // 8192 // (1 if plan.cache_type_k == "f16" else 2)
        row = DeviceBytes("CPU", variant.size, context, 0, Origin.DRY_RUN)
        return Footprint(plan, (row,), (), Pools(context, variant.size), 0, 0, 0, Origin.DRY_RUN)


def stage_of(*presets: Preset) -> Stage:
    return Stage(variants=(BOOK, SMALL), dry_run=ContextDryRun(), presets=FakePresets(*presets))


def panel(pilot: Pilot[None]) -> PlanPanel:
    assert isinstance(pilot.app.screen, PlanPanel)
    return pilot.app.screen


def fields(pilot: Pilot[None]) -> dict[str, list[str]]:
    """Return value, allowed and effect of every row."""
    rows = panel(pilot).query_one(GroupedTable).rows
    return {row.key: [str(cell) for cell in row.cells[1:4]] for row in rows}


async def opened(pilot: Pilot[None], model: str = "Book") -> None:
    """Open the panel on a variant whose footprint is known."""
    await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)) and len(rows_of(pilot)) > 3)
    place = models(pilot)
    while (subject := place.subject()) is None or subject.model != model:
        await pilot.press("j" if subject is None or subject.model < model else "k")
    await pilot.press("p")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, PlanPanel))


async def on_field(pilot: Pilot[None], key: str) -> None:
    await pilot.press("g")
    while panel(pilot).query_one(GroupedTable).key != key:
        await pilot.press("j")


async def test_fields_show_values_what_is_allowed_and_what_comes_of_it() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "Book Q4_0: needs 3.00 GiB, fits, 11.40 to spare in RAM")
        shown = fields(pilot)
        assert shown["context"] == ["auto", "8192 of 65536 trained", ""]
        assert shown["layers"][1] == "no GPU: always 0"
        assert shown["threads"][1] == "of 4 cores (8 logical)"
        assert list(shown) == ["preset", "context", "layers", "cache", "mode", "flash", "threads", "more"]
        await on_field(pilot, "cache")
        await sees(pilot, "--cache-type-k, --cache-type-v: how exactly the context is kept in memory.")


async def test_each_change_shows_its_effect_on_the_memory_needed() -> None:
    async with stage_of().app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await on_field(pilot, "context")
        await pilot.press("right", "right")
        await wait_until(pilot, lambda: fields(pilot)["context"] == ["16384", "of 65536 trained", "+1.00"])
        await sees(pilot, "needs 4.00 GiB, fits, 10.40 to spare in RAM")
        await on_field(pilot, "cache")
        await pilot.press("right", "right")
        await wait_until(pilot, lambda: fields(pilot)["cache"][0::2] == ["q8_0", "-1.00"])
        assert fields(pilot)["context"][2] == "+0.50"
        await sees(pilot, "default, 2 changed")
        await pilot.press("x")
        await wait_until(pilot, lambda: fields(pilot)["cache"][0::2] == ["f16", ""])


async def test_enter_makes_it_the_plan_and_every_verdict_follows() -> None:
    stage = stage_of()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await on_field(pilot, "context")
        await pilot.press("right", "right", "right", "right", "enter")
        await sees(pilot, "plan: ctx 65536")
        await wait_until(pilot, lambda: any("Q4_0 2.00 8.00 10.00 fits" in row for row in rows_of(pilot)))
        await wait_until(pilot, lambda: any("Q4_K_M 1.00 4.90 9.00 fits" in row for row in rows_of(pilot)))
        assert {plan.ctx_size for _, plan in stage.dry_run.asked} >= {8192, 65536}


async def test_esc_leaves_the_plan_as_it_was() -> None:
    async with stage_of().app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await on_field(pilot, "context")
        await pilot.press("right", "right", "escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, PlanPanel))
        assert "plan: ctx up to 8192" in screen_text(pilot)


async def test_numbers_are_typed_and_what_cannot_be_is_named() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await on_field(pilot, "context")
        await pilot.press("1", *"2k", "enter")
        await wait_until(pilot, lambda: fields(pilot)["context"][0] == "12288")
        await pilot.press("i", *"x", "enter")
        await told(pilot, "context: x is not a number of tokens, or auto")
        assert panel(pilot).query_one(TypedLine).has_focus
        await pilot.press("escape")
        assert fields(pilot)["context"][0] == "12288"
        assert panel(pilot).query_one(GroupedTable).has_focus
        await on_field(pilot, "mode")
        await pilot.press("7")  # no number goes here
        assert not panel(pilot).query_one(TypedLine).has_focus
        await pilot.press("i", *"mlock", "enter")
        await wait_until(pilot, lambda: fields(pilot)["mode"][0] == "mlock")


async def test_combinations_that_are_refused_cannot_be_used() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await on_field(pilot, "cache")
        await pilot.press("right", "right", "j", "j", "right", "right")
        await sees(pilot, "a q8_0 V cache needs flash attention, which this plan turns off")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, PlanPanel)
        await pilot.press("s")
        assert not panel(pilot).query_one(TypedLine).has_focus
        await pilot.press("left", "enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, PlanPanel))
        assert "KV Q8_0" in screen_text(pilot)


async def test_what_llama_cpp_refuses_for_this_model_is_said() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await on_field(pilot, "cache")
        await pilot.press("right", *["right"] * 5)
        await wait_until(pilot, lambda: fields(pilot)["cache"][0] == "q4_0")
        await sees(pilot, "this model takes no q4_0 cache")


async def test_the_rest_is_folded_away_until_it_is_wanted() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert "batch" not in fields(pilot)
        await on_field(pilot, "more")
        await pilot.press("right")
        assert {"batch", "experts", "adapters", "projector"} <= set(fields(pilot))
        await on_field(pilot, "projector")
        await pilot.press("i", *"/p.gguf", "enter")
        await wait_until(pilot, lambda: fields(pilot)["projector"][0] == "p.gguf")
        assert "the built-in engine does not load the projector" in screen_text(pilot)
        await pilot.press("m")
        assert fields(pilot)["more"][0] == "1 changed"
        assert "batch" not in fields(pilot)


async def test_presets_are_chosen_by_name_and_saved() -> None:
    stage = stage_of(Preset("mine", {"ctx_size": 2048}, "small"))
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("g", "right")
        await wait_until(pilot, lambda: fields(pilot)["preset"][0] == "mine")
        assert fields(pilot)["context"][0] == "2048"
        assert "mine: small" in screen_text(pilot)
        await pilot.press("i", *"safe", "enter")
        await wait_until(pilot, lambda: fields(pilot)["mode"][0] == "mmap")
        await on_field(pilot, "threads")
        await pilot.press("3", "enter", "s", *"mine", "enter")
        await told(pilot, "There is a preset mine: enter once more replaces it.")
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(stage.presets.own) == 1 and "threads" in stage.presets.own[0].options)
        assert stage.presets.own[0].about == "small"
        await wait_until(pilot, lambda: fields(pilot)["preset"][0] == "mine")
        await pilot.press("enter")
        await sees(pilot, "load mmap  +1  (mine)")


async def test_a_preset_that_cannot_be_saved_says_why() -> None:
    stage = stage_of()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("s", "enter")
        await told(pilot, "cannot be the name of a preset")
        stage.presets.refuse = UsageError("the disk is full", "make room")
        await pilot.press("s", *"new", "enter")
        await told(pilot, "the disk is full")
        assert stage.presets.own == []


async def test_presets_of_another_program_are_taken_and_models_have_their_own() -> None:
    stage = stage_of()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: any("Q4_0" in row and "3.00" in row for row in rows_of(pilot)))
        stage.presets.own = [Preset("book", {"ctx_size": 16384}, match=("Book",))]
        stage.presets.foreign = True
        pilot.app._look_at_presets()  # type: ignore[attr-defined]
        await wait_until(pilot, lambda: any("Q4_0  preset: book 2.00 8.00 4.00" in row for row in rows_of(pilot)))
        await opened(pilot)
        await sees(pilot, "its own preset book over the plan")
        await on_field(pilot, "context")
        await pilot.press("right", "right", "right")
        await wait_until(pilot, lambda: fields(pilot)["context"][2] == "none")
        await pilot.press("escape", "enter")
        await wait_until(pilot, lambda: bool(stage.engine.sessions))
        assert stage.engine.sessions[0].plan.ctx_size == 16384


async def test_the_command_is_copied() -> None:
    async with stage_of().app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await sees(pilot, "needs 3.00 GiB")
        await pilot.press("y")
        await told(pilot, "Copied: llama-server --model /models/Book-Q4_0.gguf")
        assert pilot.app.clipboard.startswith("llama-server --model /models/Book-Q4_0.gguf --ctx-size 8192")


async def test_sessions_keep_their_plan_and_show_where_it_differs() -> None:
    stage = stage_of()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: any("3.00" in row for row in rows_of(pilot)))
        while (subject := models(pilot).subject()) is None or subject.model != "Book":
            await pilot.press("j")
        await pilot.press("enter")
        await wait_until(pilot, lambda: ("load", "Q4_0") in stage.engine.journal)
        await sees(pilot, "ready")
        await pilot.press("escape", "p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, PlanPanel))
        await sees(pilot, "Book Q4_0: needs")
        await on_field(pilot, "context")
        await pilot.press("left", "enter")
        await wait_until(pilot, lambda: "A keeps context auto" in screen_text(pilot))
        assert arena(pilot).is_current
        await pilot.press("1")
        await sees(pilot, "loaded with context auto")
        assert [what for what, _ in stage.engine.journal] == ["open", "load"]


async def test_without_a_variant_the_plan_can_still_be_set() -> None:
    stage = Stage(variants=())
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "No models here yet")
        await pilot.press("p")
        await sees(pilot, "no variant under the cursor")
        await pilot.press("y")
        await told(pilot, "there is no command to copy")
        await on_field(pilot, "context")
        await pilot.press("left", "enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, PlanPanel))


async def test_cards_decide_what_layers_may_be() -> None:
    stage = replace(stage_of(), engine=ScriptedEngine(ONE_CARD))
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert fields(pilot)["layers"][1] == "auto, all, 0 to 21"
        await on_field(pilot, "layers")
        await pilot.press("1", "2", "enter")
        await wait_until(pilot, lambda: fields(pilot)["layers"][0] == "12")
        await pilot.press("left")
        assert fields(pilot)["layers"][0] == "11"


async def test_the_table_of_models_is_behind_the_panel_on_wide_screens() -> None:
    async with stage_of().app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        box = panel(pilot).query_one(".box").region
        assert (box.x, box.right) == (41, 120)
        await pilot.resize_terminal(119, 36)
        await wait_until(pilot, lambda: panel(pilot).query_one(".box").region.width == 119)
        await pilot.press("escape")
        assert table(pilot).has_focus


PIRATE = make_variant("pirate", "F16", role=Role.ADAPTER)
POET = make_variant("poet", "F16", role=Role.ADAPTER)
FOREIGN = make_variant("foreign", "F16", role=Role.ADAPTER, architecture="gemma3")
EYES = make_variant("mmproj-Book", "F16", role=Role.MMPROJ, architecture="clip")


async def test_adapters_and_projectors_that_were_found_are_stepped_through() -> None:
    stage = Stage(variants=(BOOK, PIRATE, POET, FOREIGN, EYES), dry_run=ContextDryRun())
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("m")
        await wait_until(pilot, lambda: fields(pilot)["adapters"][1].startswith("2 found: pirate-F16"))
        assert fields(pilot)["projector"][1].startswith("1 found: mmproj-B")
        await on_field(pilot, "adapters")
        seen = []
        for _ in range(4):
            await pilot.press("right")
            seen.append([Path(path).name for path, _ in panel(pilot)._draft.plan.lora])
        both = ["pirate-F16.gguf", "poet-F16.gguf"]
        assert seen == [both[:1], both[1:], both, both]
        assert fields(pilot)["adapters"][0].startswith("pirate-F16")
        await sees(pilot, f"{PIRATE.path},{POET.path}")
        await on_field(pilot, "projector")
        await pilot.press("right")
        assert panel(pilot)._draft.plan.mmproj == str(EYES.path)


async def test_warnings_are_shown_and_their_rows_marked() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await on_field(pilot, "threads")
        await pilot.press("8", "enter")
        await sees(pilot, "! 8 threads on 4 physical cores")
        await on_field(pilot, "context")
        await pilot.press("9", "9", "9", "9", "9", "enter")
        await sees(pilot, "! 99999 tokens of context are more than the 65536")
        await sees(pilot, "(+1: rows marked !)")
        rows = {row.key: row.mark for row in panel(pilot).query_one(GroupedTable).rows}
        assert rows["context"] == rows["threads"] == "*!" and not rows["cache"]
        await pilot.press("x")
        await wait_until(pilot, lambda: "tokens of context are more" not in screen_text(pilot))


async def test_a_plan_becomes_a_models_own() -> None:
    stage = stage_of()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await on_field(pilot, "context")
        await pilot.press(*"4096", "enter", "d")
        await wait_until(pilot, lambda: stage.presets.own)
        (made,) = stage.presets.own
        assert made == Preset("Book", {"ctx_size": 4096}, "for Book", ("Book",))
        await pilot.press("escape")
        await wait_until(pilot, lambda: any("preset: Book" in row for row in rows_of(pilot)))
        await opened(pilot)
        await sees(pilot, "its own preset Book over the plan")
        await on_field(pilot, "context")
        await pilot.press(*"2048", "enter", "d")
        await told(pilot, "There is a preset Book")
        await pilot.press("d")
        await wait_until(pilot, lambda: stage.presets.own[0].options == {"ctx_size": 2048})
        assert len(stage.presets.own) == 1 and stage.presets.own[0].match == ("Book",)


async def test_the_engine_is_chosen_or_typed() -> None:
    async with stage_of().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("m")
        await on_field(pilot, "engine")
        await pilot.press("right")
        assert fields(pilot)["engine"][0] == "llama-server"
        await pilot.press("i", "ctrl+u", *"nonsense", "enter")
        await told(pilot, "there is no engine nonsense")
        await pilot.press("escape", "i", "ctrl+u", *"/opt/x/llama-server", "enter")
        await wait_until(pilot, lambda: panel(pilot)._draft.plan.engine == "/opt/x/llama-server")
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, PlanPanel))
