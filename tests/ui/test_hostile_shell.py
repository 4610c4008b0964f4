"""The hostile strings against the frame: settings, themes, palette, the question before quitting, notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.events import Paste

from qtui.core.errors import QtuiError
from qtui.core.settings import Problem, Settings
from qtui.core.themes import ThemeFile
from qtui.services.themes import read_themes
from tests.fakes import FakeSettings, Reply
from tests.ui.stage import Stage, sees, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen, hostile_variant


@pytest.mark.parametrize("kind", HOSTILE)
async def test_settings_and_their_problems(kind: str) -> None:
    text = HOSTILE[kind]
    path = text.replace("\0", "")[:300] or "x"
    settings = Settings(
        models_dirs=(Path("/" + path), Path("~" + path)), engine=text, theme=text, preset=text,
        downloads_dir=Path(path), keys={text: text, "models.chat": text}, margin_ram=1,
    )  # fmt: skip
    store = FakeSettings(settings, Problem(text, text, text), Problem("", text))
    store.path = Path("/" + path)
    store.error = QtuiError(text, text)
    stage = Stage(settings=store)
    files = [*read_themes(), ThemeFile(text, Path("/" + path), text), ThemeFile("x", Path("/x"), problem=text)]
    app = stage.app(theme=text, theme_files=files)
    async with app.run_test(size=(60, 15), notifications=True) as pilot:
        await wait_until(pilot, lambda: app.opened)
        check_screen(pilot)
        await pilot.press("comma")
        for _ in range(5):
            await pilot.press("j", "j", "j")
            check_screen(pilot)
        await pilot.resize_terminal(120, 36)
        await pilot.press("g", "j", "enter")
        check_screen(pilot)
        await pilot.press(*"3x", "enter")
        check_screen(pilot)
        await pilot.press("escape", "x")
        await pilot.pause()
        check_screen(pilot)
        await pilot.press("escape", "question_mark", "G")
        check_screen(pilot)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_is_pasted_into_the_palette(kind: str) -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        await pilot.press("ctrl+p")
        pilot.app.screen.post_message(Paste(HOSTILE[kind]))
        await pilot.pause()
        check_screen(pilot)
        await pilot.press("down", "enter", "escape")
        check_screen(pilot)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_runs_when_one_quits(kind: str) -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("never ends", hold=asyncio.Event()))
    app = stage.duel("go", A=hostile_variant(HOSTILE[kind], 1), B=hostile_variant(HOSTILE[kind], 2))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: any(place.running() for place in app.places()))
        await wait_until(pilot, lambda: "ask" in {what for what, _ in stage.engine.journal})
        await pilot.press("ctrl+q")
        await sees(pilot, "Quit qtui?")
        check_screen(pilot)
        await pilot.press("escape")
        check_screen(pilot)
