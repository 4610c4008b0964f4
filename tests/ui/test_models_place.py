from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.errors import BadFileError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import DeviceBytes, Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Margins
from qtui.core.origin import Origin
from qtui.core.presets import Preset
from qtui.core.settings import Settings
from qtui.core.text import GIB, MIB
from tests.fakes import FakePresets, make_facts, make_variant
from tests.ui.stage import (
    BROKEN,
    HUGE,
    LARGE,
    OTHER,
    PROJECTOR,
    SHELF,
    SMALL,
    Stage,
    arena,
    models,
    rows_of,
    screen_lines,
    screen_text,
    sees,
    table,
    told,
    wait_until,
)

ROW = DeviceBytes("CPU", 2 * GIB, 2 * GIB, 0, Origin.DRY_RUN)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the scan is over and every footprint is known."""
    await wait_until(pilot, lambda: "6 files, 4 models" in screen_text(pilot) and "looking" not in screen_text(pilot))
    await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)))


async def move_to(pilot: Pilot[None], path: Path) -> None:
    await wait_until(pilot, lambda: any(row.key == str(path) for row in table(pilot).rows))
    while table(pilot).key != str(path):
        before = table(pilot).key
        await pilot.press("j")
        assert table(pilot).key != before, "the cursor reached the end"


async def test_a_scan_fills_the_table_and_the_dry_run_its_needs() -> None:
    stage = Stage()
    async with stage.app(folders=(Path("/a"),)).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        assert stage.library.scanned == [(Path("/a"),)]
        assert rows_of(pilot)[:3] == [
            "Alpha  llama  2.1B  2 here",
            "Q8_0 2.00 8.50 2.06 fits ? ? 12.34 4096 /models",
            "Q4_K_M 1.00 4.90 1.06 fits ? ? 13.34 4096 /models",
        ]
        await wait_until(pilot, lambda: "F16 400.00 8.00 400.06 from disk ? – none 4096 /models" in rows_of(pilot))
        asked = {path for path, _ in stage.dry_run.asked}
        assert asked == {SMALL.path, LARGE.path, OTHER.path, HUGE.path}  # neither the broken one nor the projector
        assert "fits: needs 2.06 GiB" in screen_text(pilot)


async def test_rows_appear_before_the_scan_is_over_and_the_cursor_stays_with_its_row() -> None:
    stage = Stage(variants=(OTHER, SMALL, LARGE))
    stage.library.hold = asyncio.Event()
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await sees(pilot, "looking")
        stage.library.hold.set()
        await sees(pilot, "3 files, 2 models")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 5)
        assert table(pilot).key is not None


async def test_the_cursor_stays_with_its_row_when_rows_come_before_it() -> None:
    stage = Stage(variants=(OTHER,))
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: table(pilot).key == str(OTHER.path))
        stage.library.variants = [OTHER, SMALL, LARGE]
        await pilot.press("R")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 5)
        assert table(pilot).key == str(OTHER.path)


async def test_visible_rows_are_asked_first() -> None:
    many = tuple(make_variant(f"M{i:02}", "Q4_0") for i in range(40))
    stage = Stage(variants=many)
    stage.dry_run.hold = asyncio.Event()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "40 files, 40 models")
        await pilot.press("G")
        stage.dry_run.hold.set()
        await wait_until(pilot, lambda: len(stage.dry_run.asked) == 40)
        order = [path for path, _ in stage.dry_run.asked]
        assert order.index(many[39].path) < order.index(many[20].path)


async def test_a_file_that_cannot_be_loaded_says_so_and_is_not_put_on_a_side() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36), notifications=True) as pilot:
        await settled(pilot)
        for variant in (BROKEN, PROJECTOR):
            await move_to(pilot, variant.path)
            await pilot.press("a", "enter")
            await sees(pilot, "cannot be loaded")
        assert stage.engine.journal == []
        assert "2 of 3 shards here" in screen_text(pilot)


async def test_what_the_dry_run_refuses_is_said_in_the_strip() -> None:
    stage = Stage(variants=(SMALL,))
    stage.dry_run.errors[SMALL.path] = BadFileError("tensor 7 lies outside of the file", "fetch it again")
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await sees(pilot, "tensor 7 lies outside of the file")
        await sees(pilot, "fetch it again")


async def test_a_and_b_mark_sides_and_enter_opens_the_arena_on_a() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await move_to(pilot, SMALL.path)
        await pilot.press("b")
        await wait_until(pilot, lambda: next(r for r in table(pilot).rows if r.key == str(SMALL.path)).mark == "B")
        await pilot.press("b")
        await wait_until(pilot, lambda: not any(row.mark for row in table(pilot).rows))
        await pilot.press("b", "k")
        assert table(pilot).key == str(LARGE.path)
        assert stage.engine.journal == []  # marking loads nothing
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen.query("SidePane"))
        await wait_until(pilot, lambda: ("load", "Q4_K_M") in stage.engine.journal)
        assert [what for what in stage.engine.journal if what[0] == "load"] == [("load", "Q8_0"), ("load", "Q4_K_M")]
        assert "Q8_0" in screen_text(pilot)
        await pilot.press("escape", "1")
        await wait_until(pilot, lambda: sum("loaded" in row for row in rows_of(pilot)) == 2)


async def test_the_filter_takes_words_and_goes_again() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"alpha q8")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 2)
        assert "1 of 6 files" in screen_text(pilot)
        await pilot.press("enter")
        assert pilot.app.screen.focused is table(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 11)
        assert pilot.app.screen.query_one(Input).value == ""


async def test_down_leaves_the_filter_for_the_rows_that_are_left() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "Beta")
        await pilot.press("slash", *"beta", "down")
        await wait_until(pilot, lambda: table(pilot).has_focus)
        assert models(pilot).query_one(Input).value == "beta"
        await pilot.press("down", "escape")
        await sees(pilot, "Alpha")


async def test_letters_in_the_filter_are_letters() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"ab3R?")
        assert pilot.app.screen.query_one(Input).value == "ab3R?"
        assert stage.engine.journal == []


async def test_without_models_it_says_where_was_looked() -> None:
    stage = Stage(variants=())
    async with stage.app(folders=(Path("/my/models"),)).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "No models here yet")
        assert "/my/models" in screen_text(pilot)
        stage.library.variants = [SMALL]
        await pilot.press("R")
        await sees(pilot, "1 file, 1 model")
        await wait_until(pilot, lambda: table(pilot).has_focus)


async def test_a_scan_that_fails_keeps_what_it_found() -> None:
    stage = Stage(variants=(SMALL,))

    async def scan(folders: object = ()) -> object:
        yield SMALL
        raise UsageError("/nowhere cannot be read", "choose another folder")

    stage.library.scan = scan  # type: ignore[method-assign,assignment]
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "/nowhere cannot be read")
        assert len(table(pilot).rows) == 2


async def test_verdicts_follow_free_memory_only_when_it_moves_for_good() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        keys = [row.key for row in table(pilot).rows]
        for second in range(5):
            stage.machine.now = type(stage.machine.now)(
                1_700_000_001.0 + second, 32 * GIB, 2 * GIB, 8 * GIB, 0
            )  # fmt: skip
            stage.machine.changed.set()
            await wait_until(pilot, lambda: not stage.machine.changed.is_set())
        await wait_until(pilot, lambda: "Q8_0 2.00 8.50 2.06 from disk ? ? none 4096 /models" in rows_of(pilot))
        assert [row.key for row in table(pilot).rows] == keys


async def test_choosing_for_a_side_goes_to_models_and_back() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: ("load", "Q8_0") in stage.engine.journal)
        await pilot.press("escape", "B")
        await sees(pilot, "Choose a variant for side B")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 11)
        await sees(pilot, "enter take for B")
        assert "enter chat" not in screen_text(pilot) and "a side A" not in screen_text(pilot)
        await move_to(pilot, OTHER.path)
        await pilot.press("enter")
        await sees(pilot, "Alpha Q8_0 made room for Beta Q6_K")
        await wait_until(pilot, lambda: ("load", "Q6_K") in stage.engine.journal)
        assert ("close", "Q8_0") in stage.engine.journal
        assert ("close", "Q4_K_M") not in stage.engine.journal
        assert arena(pilot).is_current


async def test_the_plan_is_shown() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "plan: ctx up to 8192  KV F16  GPU layers auto  load auto")


async def test_s_sorts_by_the_next_thing_and_the_head_says_so() -> None:
    stage = Stage()
    stage.dry_run.totals = {SMALL.path: 5 * GIB, LARGE.path: 1 * GIB}
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        orders = []
        for title in ("SIZE v", "BPW v", "NEEDS v", "T/S v", "VARIANT v"):
            await pilot.press("s")
            await sees(pilot, title)
            orders.append([Path(row.key).stem for row in table(pilot).rows if row.cells])
        assert orders[0][:3] == ["Gamma-F16", "Beta-Q6_K", "Alpha-Q8_0"]
        assert orders[2][:3] == ["Alpha-Q8_0", "Alpha-Q4_K_M", "Beta-Q6_K"]
        assert orders[4][:2] == ["Alpha-Q8_0", "Alpha-Q4_K_M"]
        assert all(len(order) == len(SHELF) for order in orders)


async def test_rows_stay_where_they_are_while_footprints_come() -> None:
    stage = Stage(variants=(SMALL, LARGE, OTHER))
    stage.dry_run.totals = {SMALL.path: 3 * GIB, LARGE.path: 2 * GIB, OTHER.path: 1 * GIB}
    stage.dry_run.hold = asyncio.Event()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "3 files, 2 models")
        await pilot.press("s", "s", "s")
        await sees(pilot, "NEEDS v")
        key = table(pilot).key
        stage.dry_run.hold.set()
        await wait_until(
            pilot,
            lambda: next(row.key for row in table(pilot).rows if row.cells) == str(OTHER.path),
            "sorted in the end",
        )
        assert table(pilot).key == key


async def test_terms_filter_and_wrong_ones_are_named() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"fits quant:q4,q8 >4bpw")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 3)
        assert "2 of 6 files" in screen_text(pilot)
        await pilot.press(*" colour:red")
        await sees(pilot, "left out: colour:red there is no colour: here")
        assert "2 of 6 files" in screen_text(pilot)
        await pilot.press("enter", "slash")
        assert pilot.app.screen.query_one(Input).value == "fits quant:q4,q8 >4bpw colour:red"
        assert not [command for command in ("p plan", "? keys") if command in screen_text(pilot)]
        await pilot.press("escape")
        await wait_until(pilot, lambda: "left out" not in screen_text(pilot))


async def test_files_that_come_and_go_come_and_go() -> None:
    stage = Stage(variants=(SMALL, LARGE, OTHER))
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)) and len(rows_of(pilot)) == 5)
        await move_to(pilot, OTHER.path)
        asked = len(stage.dry_run.asked)
        first = make_variant("Aaa", "Q4_0")
        stage.library.variants = [first, LARGE, OTHER]
        stage.library.changed.set()
        await wait_until(pilot, lambda: [row.key for row in table(pilot).rows if row.cells] == [
            str(first.path), str(LARGE.path), str(OTHER.path),
        ])  # fmt: skip
        assert table(pilot).key == str(OTHER.path)
        await wait_until(pilot, lambda: len(stage.dry_run.asked) == asked + 1)  # only the new one
        grown = make_variant("Beta", "Q6_K", size=4 * GIB, architecture="qwen3")
        stage.library.variants = [first, LARGE, grown]
        stage.library.changed.set()
        await wait_until(pilot, lambda: any("Q6_K 4.00 8.00 4.06" in row for row in rows_of(pilot)))
        stage.library.variants = []
        stage.library.changed.set()
        await sees(pilot, "No models here yet")
        stage.library.variants = [SMALL]
        stage.library.changed.set()
        await wait_until(pilot, lambda: table(pilot).key == str(SMALL.path) and table(pilot).has_focus)


async def test_a_change_during_a_scan_is_looked_at_after_it() -> None:
    stage = Stage(variants=(SMALL, LARGE))
    stage.library.hold = asyncio.Event()
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await sees(pilot, "looking")
        stage.library.changed.set()
        await wait_until(pilot, lambda: not stage.library.changed.is_set())
        stage.library.variants = [SMALL, LARGE, OTHER]
        stage.library.hold.set()
        await sees(pilot, "3 files, 2 models")
        assert len(stage.library.scanned) == 2


async def test_the_strip_tells_the_mix_and_the_details_panel_the_rest() -> None:
    stage = Stage()
    stage.library.told[LARGE.path] = make_facts(LARGE, metadata={"general.licence": "[bold]MIT\x1b[0m"})
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await sees(pilot, "mix Q8_0 99 %  F32 1 % · imatrix unknown · trained to 4096")
        await pilot.press("o")
        await sees(pilot, "general.licence")
        assert "[bold]MIT\ufffd[0m" in screen_text(pilot)
        await pilot.press("G", "k", "pagedown", "pageup", "g", "j", "o")
        await wait_until(pilot, lambda: table(pilot).has_focus)
        await move_to(pilot, OTHER.path)
        stage.library.errors[str(OTHER.path)] = BadFileError("tensor 3 lies outside of the file", "fetch it again")
        await pilot.press("o")
        await sees(pilot, "tensor 3 lies outside of the file")
        await pilot.press("escape")


async def test_a_suggestion_is_weighed_shown_and_taken() -> None:
    stage = Stage(variants=(OTHER,))
    stage.machine.set(available=int(4.65 * GIB))
    plans: dict[int, int] = {8192: 4 * GIB, 4096: 4 * GIB, 2048: 3 * GIB + 16 * MIB}
    weigh = stage.dry_run.footprint

    async def footprint(variant: Variant, plan: LoadPlan) -> Footprint:
        stage.dry_run.totals[variant.path] = plans.get(plan.ctx_size, 3 * GIB)
        return replace(await weigh(variant, plan), devices=(ROW,))

    stage.dry_run.footprint = footprint  # type: ignore[method-assign]
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "fits with ctx 2048")
        assert "t take it" in screen_text(pilot)
        await pilot.press("t")
        await sees(pilot, "plan: ctx 2048")
        await wait_until(pilot, lambda: any("3.02 fits" in row for row in rows_of(pilot)))
        assert "take it" not in screen_text(pilot)


async def test_a_smaller_variant_is_suggested_where_no_context_helps() -> None:
    stage = Stage(variants=(SMALL, LARGE))
    stage.dry_run.totals = {LARGE.path: 20 * GIB}
    stage.dry_run.hold = None
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await move_to(pilot, LARGE.path)
        await sees(pilot, "fits: Q4_K_M, 1.06 GiB")
        await pilot.press("t")
        assert table(pilot).key == str(SMALL.path)


async def test_the_command_of_a_row_is_copied() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await move_to(pilot, SMALL.path)
        await pilot.press("y")
        await told(pilot, "Copied: llama-server --model /models/Alpha-Q4_K_M.gguf --ctx-size 4096")
        assert pilot.app.clipboard == (
            "llama-server --model /models/Alpha-Q4_K_M.gguf --ctx-size 4096 --parallel 1 --fit off"
        )
        await move_to(pilot, PROJECTOR.path)
        await pilot.press("y")
        await told(pilot, "Beta F16 cannot be loaded: its role is projector")


async def test_other_folders_and_margins_hold_at_once() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        before = Settings()
        models(pilot).settings_changed(before, replace(before, models_dirs=(Path("/new"),)))
        await wait_until(pilot, lambda: len(stage.library.scanned) == 2)
        guard = models(pilot)._guard
        guard.margins = Margins(ram=15 * GIB)
        models(pilot).settings_changed(before, replace(before, margin_ram=15 * GIB))
        await wait_until(pilot, lambda: any("1.06 tight" in row for row in rows_of(pilot)))


@pytest.mark.parametrize("width", [60, 79, 80, 99, 100, 119, 120, 200])
async def test_no_line_is_wider_than_the_screen(width: int) -> None:
    stage = Stage(presets=FakePresets(Preset("a-preset-with-a-long-name", {"ctx_size": 1024}, match=("Alpha*",))))
    async with stage.app().run_test(size=(width, 24)) as pilot:
        await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)) and len(rows_of(pilot)) > 5)
        for keys in ((), ("slash", "x", ":"), ("escape", "o"), ("escape", "p"), ("m", "G")):
            await pilot.press(*keys)
            assert all(cell_len(line) <= width for line in screen_lines(pilot))
