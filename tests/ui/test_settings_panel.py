from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.errors import QtuiError
from qtui.core.settings import LogLevel, Problem, Settings
from qtui.core.text import GIB, MIB
from qtui.services.settings import SettingsFile
from qtui.ui.panels.settings import SettingsPanel
from qtui.ui.present.settings import problem_lines, removed_value, setting_lines, typed_text, typed_value
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.fakes import FakeSettings
from tests.ui.stage import Stage, models, screen_text, sees, wait_until


async def opened(pilot: Pilot[None]) -> SettingsPanel:
    await sees(pilot, "6 files")
    await pilot.press("comma")
    await sees(pilot, "keep free RAM")
    assert isinstance(pilot.app.screen, SettingsPanel)
    return pilot.app.screen


async def go_to(pilot: Pilot[None], line: str) -> None:
    lines = pilot.app.screen.query_one("#lines", GroupedTable)
    index = next(i for i, row in enumerate(lines.rows) if row.key == line)
    await pilot.press("g", *"j" * index)
    await wait_until(pilot, lambda: lines.key == line)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 15)])
async def test_it_shows_every_setting_its_file_and_what_is_wrong_with_it(size: tuple[int, int]) -> None:
    settings = Settings(models_dirs=(Path("~/models"), Path("/big")), margin_ram=2 * GIB, keys={"keys": "f1"})
    stage = Stage(settings=FakeSettings(settings, Problem("them", "is not known", "/config/settings.toml")))
    async with stage.app().run_test(size=size) as pilot:
        panel = await opened(pilot)
        shown = " ".join(str(cell) for row in panel.query_one("#lines", GroupedTable).rows for cell in row.cells)
        for text in ("~/models", "/big", "2GiB", "built-in", "dark", "Hugging Face cache", "warning", "1 changed"):
            assert text in shown
        await sees(pilot, "them is not known")
        await sees(pilot, "settings.toml")


async def test_typing_saves_and_shows() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await go_to(pilot, "margins.gpu")
        await pilot.press("enter", *"512MiB", "enter")
        await wait_until(pilot, lambda: stage.settings.saved == [Settings(margin_gpu=512 * MIB)])
        await sees(pilot, "512MiB")
        assert stage.applied[-1].margin_gpu == 512 * MIB
        await pilot.press("x")
        await wait_until(pilot, lambda: stage.settings.now == Settings())
        await sees(pilot, "1GiB")


async def test_what_cannot_be_used_is_said_and_stays_in_the_field() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot)
        await go_to(pilot, "margins.ram")
        await pilot.press("enter", *"much", "enter")
        await sees(pilot, "not a size")
        assert panel.query_one(Input).value == "much"
        await pilot.press("escape")
        await sees(pilot, "enter change")
        assert stage.settings.saved == []
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is models(pilot))


async def test_folders_come_change_and_go() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter", *"/models/a", "enter")
        await wait_until(pilot, lambda: stage.settings.now.models_dirs == (Path("/models/a"),))
        await pilot.press("g", "enter", *"~/b", "enter")
        await wait_until(pilot, lambda: stage.settings.now.models_dirs == (Path("/models/a"), Path("~/b")))
        await sees(pilot, "2 of your own")
        await go_to(pilot, "folder:0")
        await pilot.press("enter", "end", *"/c", "enter")
        await wait_until(pilot, lambda: stage.settings.now.models_dirs == (Path("/models/a/c"), Path("~/b")))
        await go_to(pilot, "folder:0")
        await pilot.press("x")
        await wait_until(pilot, lambda: stage.settings.now.models_dirs == (Path("~/b"),))
        await wait_until(pilot, lambda: stage.applied[-1].models_dirs == (Path("~/b"),))


async def test_models_looks_again_when_folders_change() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        before = len(stage.library.scanned)
        await pilot.press("enter", *"/models/a", "enter")
        await wait_until(pilot, lambda: len(stage.library.scanned) == before + 1)


async def test_themes_are_shown_while_one_chooses_and_the_old_one_comes_back() -> None:
    stage = Stage()
    app = stage.app()
    async with app.run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await go_to(pilot, "theme")
        await pilot.press("enter")
        choices = panel.query_one("#choices", GroupedTable)
        await wait_until(pilot, lambda: choices.key == "dark")
        await pilot.press("j")
        await wait_until(pilot, lambda: app.theme == choices.key != "dark")
        await pilot.press("escape")
        await wait_until(pilot, lambda: app.theme == "dark")
        assert stage.settings.saved == []
        await pilot.press("enter", "G")
        await wait_until(pilot, lambda: app.theme == choices.key)
        chosen = app.theme
        await pilot.press("enter")
        await wait_until(pilot, lambda: stage.settings.now.theme == chosen)
        assert app.theme == chosen


async def test_a_theme_that_cannot_be_saved_is_not_kept() -> None:
    stage = Stage()
    stage.settings.error = QtuiError("cannot write the settings: No space left on device", "free some space")
    app = stage.app()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await opened(pilot)
        await go_to(pilot, "theme")
        await pilot.press("enter", "G", "enter")
        await wait_until(pilot, lambda: any("No space left" in n.message for n in app._notifications))
        await wait_until(pilot, lambda: app.theme == "dark")


async def test_choosing_a_log_level() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await go_to(pilot, "log_level")
        await pilot.press("enter", "g", "enter")
        await wait_until(pilot, lambda: stage.settings.now.log_level is LogLevel.DEBUG)


@pytest.mark.parametrize("line", ["keys"])
async def test_what_is_changed_in_the_file_says_so(line: str) -> None:
    stage = Stage()
    async with stage.app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await go_to(pilot, line)
        await sees(pilot, "in the file")
        await pilot.press("enter", "x")
        await pilot.pause()
        assert not panel.has_class("typing") and not panel.has_class("choosing")
        assert stage.settings.saved == []


async def test_another_qtuis_change_is_shown_while_it_is_open() -> None:
    stage = Stage()
    app = stage.app()
    async with app.run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await go_to(pilot, "margins.ram")
        await pilot.press("enter", *"3G")
        stage.settings.said = (Problem("x", "is new"),)
        stage.settings.now = replace(stage.settings.now, downloads_parallel=7, models_dirs=(Path("/new"),))
        app.look_at_settings()
        await sees(pilot, "/new")
        await sees(pilot, "x is new")
        assert panel.query_one(Input).value == "3G"
        await pilot.press("enter")
        await wait_until(pilot, lambda: stage.settings.now.margin_ram == 3 * GIB)
        assert stage.settings.now.downloads_parallel == 7


async def test_two_apps_change_different_settings(tmp_path: Path) -> None:
    one, two = Stage(), Stage()
    one.settings = SettingsFile(tmp_path)  # type: ignore[assignment]
    two.settings = SettingsFile(tmp_path)  # type: ignore[assignment]
    first, second = one.app(), two.app()
    async with first.run_test(size=(80, 24)) as here:
        await opened(here)
        await go_to(here, "margins.ram")
        await here.press("enter", *"2GiB", "enter")
        await wait_until(here, lambda: first.settings.margin_ram == 2 * GIB)
    async with second.run_test(size=(80, 24)) as there:
        await opened(there)
        await go_to(there, "downloads.parallel")
        await there.press("enter", "backspace", "5", "enter")
        await wait_until(there, lambda: second.settings == Settings(margin_ram=2 * GIB, downloads_parallel=5))
    assert SettingsFile(tmp_path).load() == Settings(margin_ram=2 * GIB, downloads_parallel=5)


def test_typed_values() -> None:
    settings = Settings(models_dirs=(Path("/a"), Path("/b")), margin_ram=GIB)
    lines = {line.id: line for line in setting_lines(settings, ["dark"])}
    assert typed_text(settings, lines["margins.ram"]) == "1GiB"
    assert typed_text(settings, lines["downloads.parallel"]) == "2"
    assert typed_text(settings, lines["folder:1"]) == "/b"
    assert typed_text(settings, lines["models.folders"]) == ""
    assert typed_value(settings, lines["folder:1"], " /c ") == ["/a", "/c"]
    assert typed_value(settings, lines["models.folders"], "") == ["/a", "/b"]
    assert typed_value(settings, lines["downloads.parallel"], "4") == 4
    assert typed_value(settings, lines["downloads.parallel"], "\u0664") == "\u0664"
    assert typed_value(settings, lines["margins.ram"], "  ") is None
    assert removed_value(settings, lines["folder:0"]) == ["/b"]
    assert removed_value(settings, lines["theme"]) is None
    assert problem_lines([]).plain == ""


async def test_changed_keys_are_shown() -> None:
    settings = Settings(keys={"models.chat": "space", "models.copy": ""})
    async with Stage(settings=FakeSettings(settings)).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await go_to(pilot, "keys")
        await sees(pilot, "models.chat space, models.copy none")


async def test_escape_leaves_from_everywhere() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("comma")
        await wait_until(pilot, lambda: pilot.app.screen is models(pilot))
        assert "Settings" not in screen_text(pilot)
