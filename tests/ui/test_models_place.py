from __future__ import annotations

import asyncio
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.errors import BadFileError, UsageError
from qtui.core.text import GIB
from tests.fakes import make_variant
from tests.ui.stage import (
    BROKEN,
    HUGE,
    LARGE,
    OTHER,
    PROJECTOR,
    SMALL,
    Stage,
    arena,
    rows_of,
    screen_text,
    sees,
    table,
    wait_until,
)


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
            "Q8_0 2.00 8.50 2.06 fits ? 12.34 4096 /models",
            "Q4_K_M 1.00 4.90 1.06 fits ? 13.34 4096 /models",
        ]
        assert "F16 400.00 8.00 400.06 from disk ? none 4096 /models" in rows_of(pilot)
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
        await wait_until(pilot, lambda: "Q8_0 2.00 8.50 2.06 from disk ? none 4096 /models" in rows_of(pilot))
        assert [row.key for row in table(pilot).rows] == keys


async def test_choosing_for_a_side_goes_to_models_and_back() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: ("load", "Q8_0") in stage.engine.journal)
        await pilot.press("escape", "B")
        await sees(pilot, "Choose a variant for side B")
        await wait_until(pilot, lambda: len(table(pilot).rows) == 11)
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
