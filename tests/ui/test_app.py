from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from rich.console import Console
from textual.pilot import Pilot

from qtui.core.errors import EngineError
from qtui.core.hardware import EngineInfo
from tests.fakes import Reply
from tests.ui.stage import LARGE, SMALL, Stage, arena, field_of, screen_lines, screen_text, sees, table, wait_until


async def test_it_opens_on_models_and_builds_the_arena_when_it_is_visited() -> None:
    stage = Stage()
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        assert list(app._places) == ["models"]
        await pilot.press("3")
        await sees(pilot, "No model on a side yet")
        await pilot.press("escape", "1")
        await sees(pilot, "6 files")
        assert stage.library.scanned == [()]


async def test_it_opens_on_two_variants_with_a_prompt_that_is_sent() -> None:
    stage = Stage()
    app = stage.duel("What is 23 + 45?")
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: screen_text(pilot).count("40.0 t/s") == 2)
        assert screen_text(pilot).count("› What is 23 + 45?") == 2
        assert list(app._places) == ["arena"]  # Models, and its scan, only when it is visited
        assert stage.library.scanned == []


async def test_the_top_line_follows_the_machine() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await sees(pilot, "RAM 16.0 of 32.0 GiB free")
        stage.machine.set(available=3 << 30, swap_used=1 << 30)
        await sees(pilot, "RAM 3.0 of 32.0 GiB free")
        await sees(pilot, "swap 1.0")
        await sees(pilot, "llama.cpp 0.5.0 (abcdef0) CPU")


async def test_without_an_engine_it_opens_lists_and_says_why() -> None:
    stage = Stage()
    stage.engine.engine_info = EngineInfo("built-in", problem="llama_cpp cannot be imported", usable=False)
    async with stage.app().run_test(size=(100, 40)) as pilot:
        await sees(pilot, "no engine: llama_cpp cannot be imported")
        await sees(pilot, "6 files")
        await pilot.press("question_mark")
        await sees(pilot, "llama.cpp cannot be used")
        await pilot.press("escape")
        await wait_until(pilot, lambda: "This machine" not in screen_text(pilot))


async def test_an_engine_that_cannot_be_asked_is_a_notice() -> None:
    stage = Stage()

    async def info() -> EngineInfo:
        raise EngineError("no child process can be started", "too many processes?")

    stage.engine.info = info  # type: ignore[method-assign]
    async with stage.app().run_test(size=(100, 30), notifications=True) as pilot:
        await sees(pilot, "no child process")
        await sees(pilot, "6 files")


@pytest.mark.parametrize("text", ["x", "typed and kept"])
async def test_a_terminal_that_is_too_small_says_so_and_recovers(text: str) -> None:
    stage = Stage()
    async with stage.duel().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "ready, loaded in")
        await pilot.press(*text.replace(" ", "_"))
        await pilot.resize_terminal(40, 10)
        await sees(pilot, "too small")
        assert all(len(line) <= 40 for line in screen_lines(pilot))
        await pilot.resize_terminal(80, 24)
        await sees(pilot, text.replace(" ", "_"))
        assert "too small" not in screen_text(pilot)
        assert field_of(pilot).has_focus


async def test_a_storm_of_sizes_is_harmless() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "6 files")
        for width, height in ((1, 1), (60, 15), (59, 15), (60, 14), (200, 60), (61, 16), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert max(len(line) for line in screen_lines(pilot)) <= width
        await sees(pilot, "Alpha")
        assert table(pilot).key is not None


async def test_the_keys_panel_closes_with_the_key_that_opened_it() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        await pilot.press("question_mark")
        await sees(pilot, "Everywhere")
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: "Everywhere" not in screen_text(pilot))


async def test_quitting_ends_every_session() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("never ends", hold=asyncio.Event()))
    async with stage.duel("go").run_test(size=(80, 24)) as pilot:
        await sees(pilot, "answering")
        await pilot.press("ctrl+q")
    assert len(stage.engine.sessions) == 2
    assert all(session.closed for session in stage.engine.sessions)


async def crash(pilot: Pilot[None]) -> None:
    secret = "hf_secret_of_a_local"

    def broken(_: object) -> None:
        raise ValueError(f"broken by {len(secret)} letters \x1b[2J")

    arena(pilot).show_vitals = broken  # type: ignore[method-assign,assignment]
    pilot.app._parts.machine.set(available=1 << 30)  # type: ignore[attr-defined]
    await wait_until(pilot, lambda: pilot.app.return_code == 1)


async def test_a_crash_ends_every_session_and_prints_no_locals() -> None:
    stage = Stage()
    app = stage.duel()
    printed = Console(file=io.StringIO(), width=200)
    with pytest.raises(ValueError, match="broken by 20 letters"):
        async with app.run_test(size=(80, 24)) as pilot:
            await sees(pilot, "ready, loaded in")
            app.error_console = printed
            await crash(pilot)
    assert all(session.closed for session in stage.engine.sessions)
    text = printed.file.getvalue()  # type: ignore[attr-defined]
    assert "qtui crashed: ValueError: broken by 20 letters" in text
    assert "hf_secret" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("theme", ["light", "no-such-theme"])
async def test_a_theme_is_taken_or_its_absence_reported(theme: str) -> None:
    stage = Stage()
    app = stage.app(theme=theme)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await sees(pilot, "6 files")
        if theme == "light":
            assert app.theme == theme
        else:
            await sees(pilot, "There is no theme no-such-theme")


async def test_the_same_variant_may_stand_on_both_sides() -> None:
    stage = Stage()
    async with stage.duel("go", A=SMALL, B=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "identical")
        assert [q for what, q in stage.engine.journal if what == "load"] == ["Q4_K_M", "Q4_K_M"]


async def test_taking_a_side_off_ends_its_session() -> None:
    stage = Stage(variants=(SMALL, replace(LARGE)))
    async with stage.duel().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: [w for w, _ in stage.engine.journal].count("load") == 2)
        await pilot.press("escape", "1")
        await wait_until(pilot, lambda: table(pilot).key == str(LARGE.path))
        await pilot.press("b", "3")
        await wait_until(pilot, lambda: ("close", "Q8_0") in stage.engine.journal)
        await wait_until(pilot, lambda: "B Alpha" not in screen_text(pilot))
