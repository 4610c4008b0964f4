"""Text in the panels of the frame can be read in every theme."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qtui.core.settings import Problem, Settings
from qtui.services.themes import read_themes
from tests.fakes import FakeSettings, Reply
from tests.ui.readable import hard_to_read, mixed_colours, pieces
from tests.ui.stage import Stage, sees

THEMES = [file.name for file in read_themes(Path("/nowhere")) if file.shipped]
PANELS = {
    "settings": (["comma"], "keep free RAM"),
    "typing": (["comma", "j", "enter", *"much", "enter"], "not a size"),
    "choosing": (["comma", "j", "j", "j", "j", "enter"], "ONE OF"),
    "keys": (["question_mark"], "Everywhere"),
    "palette": (["ctrl+p", *"side"], "Here"),
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("panel", PANELS)
async def test_panels(theme: str, panel: str) -> None:
    keys, text = PANELS[panel]
    stage = Stage(settings=FakeSettings(Settings(theme=theme), Problem("x", "is not known")))
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        await pilot.press(*keys)
        await sees(pilot, text)
        assert app.current_theme.name == theme
        assert len(list(pieces(pilot))) > 10
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()


@pytest.mark.parametrize("theme", THEMES)
async def test_the_question_before_quitting(theme: str) -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("never ends", hold=asyncio.Event()))
    app = stage.duel("go", theme=theme)
    async with app.run_test(size=(60, 15)) as pilot:
        await sees(pilot, "answering")
        await pilot.press("ctrl+q")
        await sees(pilot, "stops:")
        # The place behind it is dimmed on purpose.
        said = {line for line in hard_to_read(pilot) if any(word in line for word in ("stops", "stay", "Nothing"))}
        assert said == set()
