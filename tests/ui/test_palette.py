from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.ui.command import MODAL
from qtui.ui.commands import COMMANDS
from qtui.ui.panels.keys import KeysPanel
from qtui.ui.panels.palette import Entry, PalettePanel, palette_rows
from qtui.ui.panels.settings import SettingsPanel
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.ui.stage import SMALL, Stage, arena, field_of, models, screen_text, sees, table, wait_until


async def palette(pilot: Pilot[None]) -> PalettePanel:
    await pilot.press("ctrl+p")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, PalettePanel))
    await wait_until(pilot, lambda: pilot.app.screen.query_one(GroupedTable).rows)
    assert isinstance(pilot.app.screen, PalettePanel)
    return pilot.app.screen


def ids(panel: PalettePanel) -> list[str]:
    return [row.key for row in panel.query_one(GroupedTable).rows if row.cells]


async def test_it_lists_every_command_with_its_key() -> None:
    async with Stage().app().run_test(size=(100, 40)) as pilot:
        await sees(pilot, "6 files")
        panel = await palette(pilot)
        wanted = {c.id for c in COMMANDS if c.bound and c.where not in MODAL} - {"palette"}
        assert set(ids(panel)) == wanted
        for row in panel.query_one(GroupedTable).rows:
            if row.cells:
                command = next(c for c in COMMANDS if c.id == row.key)
                assert [str(cell) for cell in row.cells] == [command.shown_keys, command.help]


async def test_words_filter_and_enter_runs() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        panel = await palette(pilot)
        await pilot.press(*"again files")
        await wait_until(pilot, lambda: ids(panel) == ["models.rescan"])
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(stage.library.scanned) == 2)
        assert pilot.app.screen is models(pilot)


async def test_arrows_move_and_escape_leaves_everything_as_it_was() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        key = table(pilot).key
        panel = await palette(pilot)
        first = panel.query_one(GroupedTable).key
        await pilot.press("down", "up", "pagedown", "pageup")
        assert panel.query_one(GroupedTable).key == first
        await pilot.press("down")
        assert panel.query_one(GroupedTable).key != first
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is models(pilot))
        assert table(pilot).key == key


async def test_nothing_found_runs_nothing() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        panel = await palette(pilot)
        await pilot.press(*"zzz", "enter", "down")
        assert ids(panel) == []
        assert pilot.app.screen is panel


async def test_it_opens_over_a_field_and_gives_the_field_back() -> None:
    async with Stage().duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready, loaded in")
        await pilot.press(*"one")
        panel = await palette(pilot)
        await pilot.press(*"new line in")
        await wait_until(pilot, lambda: ids(panel) == ["field.newline"])
        await pilot.press("enter")
        await wait_until(pilot, lambda: field_of(pilot).text == "one\n")
        assert field_of(pilot).has_focus


async def test_a_command_of_another_place_goes_there() -> None:
    async with Stage().duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready, loaded in")
        panel = await palette(pilot)
        await pilot.press(*"models filter words terms")
        await wait_until(pilot, lambda: "models.filter" in ids(panel))
        await pilot.press("enter")
        await sees(pilot, "6 files")
        await wait_until(pilot, lambda: pilot.app.screen is models(pilot))


@pytest.mark.parametrize(("words", "kind"), [("these keys", KeysPanel), ("settings folders", SettingsPanel)])
async def test_it_opens_panels(words: str, kind: type) -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        await palette(pilot)
        await pilot.press(*words, "enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, kind))


async def test_it_opens_once_and_not_over_itself() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        panel = await palette(pilot)
        await pilot.press("ctrl+p", "ctrl+p")
        assert pilot.app.screen is panel
        assert panel.query_one(Input).has_focus


async def test_a_click_chooses_and_a_second_runs() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        panel = await palette(pilot)
        await pilot.press(*"arena chat compare")
        await wait_until(pilot, lambda: ids(panel)[:1] == ["go.arena"])
        await pilot.click(GroupedTable, offset=(10, 2))
        await wait_until(pilot, lambda: "No model on a side yet" in screen_text(pilot))
        assert pilot.app.screen is arena(pilot)


def test_here_comes_first() -> None:
    entries = [Entry(command, here=command.id == "arena.zoom") for command in COMMANDS]
    rows = palette_rows(entries, [])
    assert str(rows[0].heading) == "Here"
    assert rows[1].key == "arena.zoom"
    assert str(rows[2].heading) == "Everywhere"
