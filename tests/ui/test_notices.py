"""Notices: where they stand, how many, and that they go with the place or the panel that they were told in."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from qtui.ui.panels.keys import KeysPanel
from qtui.ui.places.models import ModelsPlace
from tests.fakes import Reply
from tests.ui.stage import LARGE, SMALL, Stage, screen_lines, sees, wait_until
from tests.ui.test_arena_place import both_ready
from tests.ui.test_chat import say

KEPT = (
    "prompts, answers and numbers are kept in /home/user/.local/share/qtui/history.sqlite3; the setting history.keep = "
    "all, numbers or nothing says how much, and qtui history --delete-all removes it"
)


def notices(pilot: Pilot[None]) -> list[str]:
    return [one.message for one in pilot.app._notifications]


def toasts(pilot: Pilot[None]) -> list[Toast]:
    return [toast for toast in pilot.app.screen.query(Toast) if toast.region.height]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_no_notice_covers_the_numbers_of_a_side(size: tuple[int, int]) -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("one"), variant=SMALL)
    stage.engine.enqueue(Reply("two"), variant=LARGE)
    app = stage.duel()
    async with app.run_test(size=size, notifications=True) as pilot:
        await both_ready(pilot)
        await say(pilot, "why")
        await sees(pilot, "two")
        app._tell_keeping(KEPT)
        app.notify("1 of 1 for B: not enough to tell; 5 more in a row for it would be", markup=False)
        await wait_until(pilot, lambda: len(toasts(pilot)) == 2)
        assert sum(line.count("peak 0.44") for line in screen_lines(pilot)) == 2
        for toast in toasts(pilot):
            assert toast.region.y >= 2 and toast.region.bottom <= size[1] - 6 and toast.region.x >= size[0] // 2 - 1


async def test_a_place_and_a_panel_open_without_what_was_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtui.ui.notices.OF_NOW_S", -1.0)
    app = Stage().app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, ModelsPlace))
        app.notify("copied")
        app.notify("it failed", severity="error")
        await wait_until(pilot, lambda: len(toasts(pilot)) == 2)
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: isinstance(app.screen, KeysPanel))
        await wait_until(pilot, lambda: notices(pilot) == ["it failed"])  # nobody can have read it yet
        await wait_until(pilot, lambda: [str(toast.render()) for toast in toasts(pilot)] == ["it failed"])
        monkeypatch.setattr("qtui.ui.notices.SEEN_S", -1.0)
        await pilot.press("escape")
        app.notify("saved")
        await wait_until(pilot, lambda: "saved" in notices(pilot))
        await pilot.press("4")
        await wait_until(pilot, lambda: notices(pilot) == [])


async def test_what_a_key_tells_and_opens_stays() -> None:
    app = Stage().app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, ModelsPlace))
        app.notify("the price of it")
        await app.switch_mode("monitor")
        await wait_until(pilot, lambda: notices(pilot) == ["the price of it"])


async def test_few_stand_there_at_once_and_none_twice() -> None:
    app = Stage().app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, ModelsPlace))
        app.notify("broken", severity="error")
        for text in ("one", "two", "two", "three"):
            app.notify(text)
        await wait_until(pilot, lambda: notices(pilot) == ["broken", "three"])
        app.notify("broken too", severity="error")
        await wait_until(pilot, lambda: notices(pilot) == ["broken", "broken too"])
        await wait_until(pilot, lambda: len(toasts(pilot)) == 2)
