"""The frame: settings that change while the app runs, themes, quitting, ports that fail."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.errors import EngineError, QtuiError
from qtui.core.settings import LogLevel, Problem, Settings
from qtui.core.text import GIB
from qtui.ui.app import QtuiApp
from qtui.ui.panels.quit import QuitPanel, question
from qtui.ui.parts import Parts
from qtui.ui.running import Running
from qtui.ui.shell import Shell
from tests.fakes import FakeSettings, Reply
from tests.ui.stage import Stage, arena, models, screen_text, sees, wait_until


def told(app: QtuiApp) -> str:
    return "\n".join(notice.message for notice in app._notifications)


# Opening


async def test_the_frame_is_there_before_the_parts_and_keys_wait_for_the_place() -> None:
    stage = Stage()
    hold = asyncio.Event()
    app = stage.app()
    make = app._make_parts
    loop = asyncio.get_running_loop()

    def slow() -> Parts:
        asyncio.run_coroutine_threadsafe(hold.wait(), loop).result(30)
        return make()

    app._make_parts = slow
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "1 Models")
        assert app.places() == ()
        await pilot.press("ctrl+p", "3", "1", "3")
        assert app.places() == ()
        hold.set()
        await sees(pilot, "No model on a side yet")


async def test_parts_that_cannot_be_made_end_the_app_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    app = Stage().app()

    def broken() -> Parts:
        raise QtuiError("no home", "set HOME")

    app._make_parts = broken
    async with app.run_test() as pilot:
        await wait_until(pilot, lambda: app.return_code == 1)
    assert capsys.readouterr().err == "qtui: no home\nhint: set HOME\n"


# Settings that change


async def test_another_qtui_changes_the_settings_and_this_one_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shell, "SETTINGS_EVERY_S", 0.2)
    stage = Stage()
    app = stage.app()
    async with app.run_test(size=(100, 30)) as pilot:
        await sees(pilot, "6 files")
        stage.settings.now = Settings(theme="light", margin_ram=3 * GIB, keys={"models.chat": "space"})
        await wait_until(pilot, lambda: app.theme == "light")
        await wait_until(pilot, lambda: stage.applied and stage.applied[-1].margin_ram == 3 * GIB)
        await sees(pilot, "space chat")


async def test_an_option_holds_until_the_setting_changes() -> None:
    stage = Stage()
    app = stage.app(theme="light")
    async with app.run_test(size=(100, 30)) as pilot:
        await sees(pilot, "6 files")
        assert app.theme == "light"
        stage.settings.now = Settings(margin_ram=GIB)
        app.look_at_settings()
        await wait_until(pilot, lambda: stage.applied)
        assert app.theme == "light"
        stage.settings.now = Settings(margin_ram=GIB, theme="high-contrast")
        app.look_at_settings()
        await wait_until(pilot, lambda: app.theme == "high-contrast")


async def test_the_log_level_of_the_settings_is_taken() -> None:
    stage = Stage(settings=FakeSettings(Settings(log_level=LogLevel.ERROR)))
    app = stage.app()
    async with app.run_test() as pilot:
        await sees(pilot, "6 files")
        assert logging.getLogger("qtui").level == logging.ERROR
        stage.settings.now = Settings(log_level=LogLevel.DEBUG)
        app.look_at_settings()
        await wait_until(pilot, lambda: logging.getLogger("qtui").level == logging.DEBUG)


async def test_what_is_wrong_with_the_file_is_told_once() -> None:
    stage = Stage(settings=FakeSettings(Settings(), Problem("", "is not valid TOML: line 3"), Problem("x", "is y")))
    app = stage.app()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await sees(pilot, "6 files")
        assert told(app).count("is not valid TOML: line 3 (and 1 more)") == 1
        stage.settings.now = replace(stage.settings.now, theme="light")
        app.look_at_settings()
        await wait_until(pilot, lambda: app.theme == "light")
        assert told(app).count("is not valid TOML") == 1


async def test_what_cannot_be_used_for_other_reasons_is_told_too() -> None:
    app = Stage().app()
    make = app._make_parts
    app._make_parts = lambda: replace(make(), problems=(Problem("preset", "is not used: there is none"),))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await sees(pilot, "6 files")
        assert "preset is not used" in told(app)
        await pilot.press("comma")
        await sees(pilot, "preset is not used")
        assert told(app) == ""


async def test_a_theme_that_is_gone_leaves_the_one_that_is_shown() -> None:
    stage = Stage()
    app = stage.app()
    async with app.run_test() as pilot:
        await sees(pilot, "6 files")
        stage.settings.now = Settings(theme="gone", margin_ram=1)
        app.look_at_settings()
        await wait_until(pilot, lambda: stage.applied)
        assert app.theme == "dark"


# Quitting


def busy() -> Stage:
    stage = Stage()
    stage.engine.enqueue(Reply("never ends", hold=asyncio.Event()))
    return stage


async def ask_to_quit(pilot: Pilot[None]) -> None:
    await sees(pilot, "answering")
    await pilot.press("ctrl+q")
    await sees(pilot, "Quit qtui?")


async def test_quitting_asks_once_if_something_runs_and_says_what_stops() -> None:
    stage = busy()
    app = stage.duel("go")
    async with app.run_test(size=(100, 30)) as pilot:
        await ask_to_quit(pilot)
        text = screen_text(pilot)
        assert "A Alpha Q4_K_M is answering" in text
        assert "stops:" in text
        assert "resumes" in text
        await pilot.press("ctrl+q")
        await wait_until(pilot, lambda: not app.is_running or app._exit)
    assert len(stage.engine.sessions) == 2
    assert all(session.closed for session in stage.engine.sessions)


@pytest.mark.parametrize("key", ["escape", "n"])
async def test_one_may_stay(key: str) -> None:
    stage = busy()
    app = stage.duel("go")
    async with app.run_test(size=(80, 24)) as pilot:
        await ask_to_quit(pilot)
        await pilot.press(key)
        await wait_until(pilot, lambda: not isinstance(app.screen, QuitPanel))
        assert not app._exit
        assert not any(session.closed for session in stage.engine.sessions)


async def test_enter_quits_from_every_place() -> None:
    stage = busy()
    app = stage.duel("go")
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "answering")
        await pilot.press("tab", "1")
        await sees(pilot, "6 files")
        await pilot.press("ctrl+q")
        await sees(pilot, "Quit qtui?")
        await pilot.press("enter")
        await wait_until(pilot, lambda: app._exit)
    assert all(session.closed for session in stage.engine.sessions)


async def test_it_does_not_ask_when_nothing_runs() -> None:
    stage = Stage()
    app = stage.duel()
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready, loaded in")
        await wait_until(pilot, lambda: not arena(pilot).running())
        await pilot.press("ctrl+q")
        await wait_until(pilot, lambda: app._exit)


def test_the_question_says_what_stops_and_what_resumes() -> None:
    text = question([Running("A is answering", "the answer", ""), Running("a download", "at 43 %", "where it stopped")])
    assert text.plain.split("\n") == [
        "A is answering", "  stops: the answer", "a download", "  stops: at 43 %", "  resumes: where it stopped",
    ]  # fmt: skip
    assert "Nothing of it resumes" in question([Running("A", "x")]).plain


# Ports that raise


async def test_ports_that_raise_are_notices_and_the_app_goes_on() -> None:
    stage = Stage()

    async def no_info() -> object:
        raise EngineError("no child process can be started", "too many processes?")

    stage.engine.info = no_info  # type: ignore[method-assign,assignment]
    stage.settings.error = QtuiError("cannot write the settings: No space left on device", "free some space")
    app = stage.app()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await sees(pilot, "6 files")
        await wait_until(pilot, lambda: "no child process" in told(app))
        await pilot.press("comma")
        await sees(pilot, "keep free RAM")
        await pilot.press("j", "enter", *"2GiB", "enter")
        await wait_until(pilot, lambda: "No space left" in told(app))
        assert stage.settings.saved == []
        assert app.settings == Settings()
        await pilot.press("escape")
        await wait_until(pilot, lambda: app.screen is models(pilot))


async def test_no_color_shows_greys_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Stage().app()
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        assert app.no_color


def test_a_fake_store_has_a_path() -> None:
    assert FakeSettings().path == Path("/config/settings.toml")


@pytest.mark.parametrize(
    ("key", "text"), [("comma", "keep free RAM"), ("question_mark", "Everywhere"), ("ctrl+p", "Here")]
)
async def test_a_panel_in_a_terminal_that_is_too_small_says_so_and_comes_back(key: str, text: str) -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        await pilot.press(key)
        await sees(pilot, text)
        for width, height in ((40, 10), (1, 1), (200, 50), (59, 30), (61, 14), (30, 8)):
            await pilot.resize_terminal(width, height)
        await sees(pilot, "too small")
        assert text not in screen_text(pilot)
        await pilot.resize_terminal(80, 24)
        await sees(pilot, text)
