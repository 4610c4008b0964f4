"""The lines of the Monitor as they are driven: the cursor on them, charts, spans of time, the mouse, hostile names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from qtui.core.hardware import Foreign, Gpu
from qtui.core.sessions import plausible
from qtui.core.settings import Settings
from qtui.core.text import GIB
from qtui.ui.panels.log import LogPanel
from qtui.ui.places.monitor import MonitorPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.history_lines import HistoryLines
from tests.fakes import FakeSettings, make_seen
from tests.ui.stage import screen_lines, screen_text, sees, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen
from tests.ui.test_monitor_place import CARD, _newest, opened, stage

SIZES = pytest.mark.parametrize("size", [(60, 15), (80, 24), (120, 36)])


def lines(pilot: Pilot[None]) -> HistoryLines:
    return pilot.app.screen.query_one(HistoryLines)


def current(pilot: Pilot[None]) -> str:
    """Return the key of the line that has the cursor; empty while a session has it."""
    series = lines(pilot).current
    return series.key if lines(pilot).has_focus and series is not None else ""


async def sample(pilot: Pilot[None], made: object, seconds: float = 1.0, **changes: object) -> None:
    """Let one sample more come in."""
    machine = made.machine  # type: ignore[attr-defined]
    machine.now = replace(machine.now, time=machine.now.time + seconds, **changes)
    machine.changed.set()
    await wait_until(pilot, lambda: _newest(pilot.app) == machine.now)


@SIZES
async def test_the_cursor_goes_over_the_sessions_and_then_the_lines(size: tuple[int, int]) -> None:
    made = stage()
    async with made.app().run_test(size=size) as pilot:
        place = await opened(pilot)
        table = place.query_one(GroupedTable)
        assert table.has_focus and current(pilot) == ""
        await pilot.press("j", "j")
        assert (table.key, current(pilot)) == ("s2", "RAM")
        check_screen(pilot)
        await pilot.press("j", "j", "j", "j", "j", "j", "j")
        assert current(pilot) == "t/s s2"
        assert any(line.startswith("›t/s") for line in screen_lines(pilot))  # it scrolls where there is no room
        check_screen(pilot)
        await pilot.press("g")
        assert current(pilot) == "RAM"
        await pilot.press("k")
        assert (table.key, current(pilot)) == ("s2", "")
        await pilot.press("G")
        assert current(pilot) == "t/s s2"
        await pilot.press("g", "g")
        assert (table.key, current(pilot)) == ("s1", "")
        await pilot.press("pagedown", "pagedown")
        assert current(pilot) == "RAM"
        await pilot.press("pageup")
        assert (table.key, current(pilot)) == ("s2", "")


async def test_on_a_line_there_is_nothing_to_stop_and_no_log() -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "s stop")
        await pilot.press("G", "G")
        await sees(pilot, "enter chart")
        assert "s stop" not in screen_text(pilot) and "enter log" not in screen_text(pilot)
        await pilot.press("s", "s", "enter")
        await pilot.pause()
        assert made.sessions.stopped == [] and not isinstance(pilot.app.screen, LogPanel)


async def test_a_question_about_a_session_is_withdrawn_when_the_cursor_goes_to_the_lines() -> None:
    made = stage(make_seen())
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("s")
        await sees(pilot, "Stop Tiny Q8_0")
        await pilot.press("j")
        await wait_until(pilot, lambda: "Stop Tiny Q8_0" not in screen_text(pilot))
        await pilot.press("s")
        assert made.sessions.stopped == []


@SIZES
async def test_enter_makes_a_line_a_chart_and_esc_all_lines_again(size: tuple[int, int]) -> None:
    made = stage()
    made.machine.set(gpus=(CARD,))
    async with made.app().run_test(size=size) as pilot:
        await opened(pilot)
        before = lines(pilot).size.height
        await pilot.press("G", "j", "enter")
        await sees(pilot, "1 min ago")
        text = screen_text(pilot)
        assert "min 16.0   median 16.0   max 16.0 GiB" in text and "32.0 ┤" in text and "now" in text
        assert "major faults" not in text
        assert "Other Q2_K" in text  # sessions stay in view
        assert lines(pilot).size.height > before
        check_screen(pilot)
        await pilot.press("j", "j", "j", "j")
        await sees(pilot, "GPU0  9.0 of 12.0 GiB")
        await pilot.press("g", "k")  # a chart is left with esc
        assert current(pilot) == "RAM" and "1 min ago" in screen_text(pilot)
        await pilot.press("escape")
        await sees(pilot, "major faults")
        assert current(pilot) == "RAM" and "1 min ago" not in screen_text(pilot)
        assert lines(pilot).size.height == before


async def test_a_chart_shows_what_is_unknown_as_a_gap() -> None:
    made = stage()
    made.machine.set(gpus=(CARD,))
    async with made.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        for second in range(30):
            await sample(pilot, made, gpus=(replace(CARD, free=None if 10 < second < 20 else 3 * GIB),))
        await pilot.press("G", "G", "k", "k", "enter")
        await sees(pilot, "? unknown in 9 of 31 samples")
        assert "min 9.0   median 9.0   max 9.0 GiB" in screen_text(pilot)
        assert any(line.count("?") > 10 for line in screen_lines(pilot))


async def test_a_chart_goes_on_while_samples_come_and_ends_with_its_series() -> None:
    made = stage()
    made.machine.set(gpus=(CARD,))
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("G", "G", "k", "k", "enter")
        await sees(pilot, "GPU0  9.0 of 12.0 GiB")
        await sample(pilot, made, gpus=(replace(CARD, free=2 * GIB),))
        await sees(pilot, "GPU0  10.0 of 12.0 GiB")
        await sample(pilot, made, gpus=())  # the card is lost
        await sees(pilot, "major faults")
        assert not lines(pilot).charted and "9.0 ┤" not in screen_text(pilot)
        await sees(pilot, "enter chart")


async def test_plus_and_minus_change_the_span_of_lines_and_chart() -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "the last minute")
        assert "- less time" not in screen_text(pilot)
        await pilot.press("minus")
        await sees(pilot, "the last minute")
        await pilot.press("plus")
        await sees(pilot, "the last 5 minutes")
        await pilot.press("G", "j", "enter")
        await sees(pilot, "5 min ago")
        await pilot.press("plus", "plus")
        await sees(pilot, "15 min ago")
        assert "the last 15 minutes" in screen_text(pilot) and "+ more time" not in screen_text(pilot)
        await pilot.press("minus")
        await sees(pilot, "5 min ago")
        assert "the last 5 minutes" in screen_text(pilot)


async def test_a_longer_span_shows_what_the_last_minute_has_lost() -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sample(pilot, made, seconds=1, ram_available=2 * GIB)
        await sample(pilot, made, seconds=100, ram_available=20 * GIB)
        await pilot.press("G", "j")
        await sees(pilot, "max 12.0 GiB")
        await pilot.press("plus")
        await sees(pilot, "max 30.0 GiB")
        assert "over the last 5 minutes" in screen_text(pilot)


async def test_the_mouse_moves_the_cursor_and_opens_a_chart() -> None:
    made = stage()
    async with made.app().run_test(size=(120, 60)) as pilot:
        await opened(pilot)
        await pilot.click(HistoryLines, offset=(5, 3 * 4))  # four rows each, below the title
        assert current(pilot) == "disk"
        assert not lines(pilot).charted
        await pilot.click(HistoryLines, offset=(5, 3 * 4))
        await sees(pilot, "1 min ago")
        await pilot.click(HistoryLines, offset=(5, 5))
        assert current(pilot) == "disk" and lines(pilot).charted
        await pilot.click(GroupedTable, offset=(5, 2))  # going to a session leaves the chart
        await wait_until(pilot, lambda: not lines(pilot).charted)
        assert (current(pilot), pilot.app.screen.query_one(GroupedTable).key) == ("", "s2")


async def test_without_sessions_the_lines_have_the_cursor_and_keep_it_once_it_was_moved() -> None:
    made = stage()
    made.sessions.seen = []
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: current(pilot) == "RAM")
        await sees(pilot, "enter chart")
        await pilot.press("j", "enter")
        await sees(pilot, "1 min ago")
        assert "No model is loaded" not in screen_text(pilot)  # the chart has the whole screen
        made.sessions.seen = [make_seen()]
        await sample(pilot, made)
        await sees(pilot, "Tiny Q8_0")
        assert lines(pilot).charted and current(pilot) == "swap"
        await pilot.press("escape", "g", "g")
        await sees(pilot, "s stop")
        made.sessions.seen = []
        await sample(pilot, made)
        await wait_until(pilot, lambda: current(pilot) == "swap" or current(pilot) == "RAM")


async def test_a_remedy_is_asked_for_beside_a_chart() -> None:
    made = stage(make_seen(plan={"ctx_size": 8192}, estimated_context=8 * GIB))
    async with made.app().run_test(size=(80, 24)) as pilot:
        place = await opened(pilot)
        await pilot.press("G", "j", "enter")
        for _ in range(6):
            await sample(pilot, made, ram_available=GIB // 2)
        await wait_until(pilot, lambda: place.vitals.alarms and place.vitals.alarms[0].remedy is not None)
        await sees(pilot, "! RAM 0.5 GiB free")
        await pilot.press("t")
        await sees(pilot, "anew with")
        assert lines(pilot).charted
        check_screen(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "anew with" not in screen_text(pilot))
        assert lines(pilot).charted  # one thing after the other
        await pilot.press("escape")
        assert not lines(pilot).charted


@SIZES
async def test_a_process_that_is_not_ours_is_told_of_and_cannot_be_stopped(size: tuple[int, int]) -> None:
    made = stage(make_seen())
    other = Foreign(4242, "python", GIB, 3 * GIB // 2, "/models/Big-Q4_0.gguf")
    made.machine.now = replace(made.machine.now, foreign=(other,), gpus=(CARD,))
    async with made.app().run_test(size=size) as pilot:
        await opened(pilot)
        await sees(pilot, "python: Big")
        assert "pid 4242" in screen_text(pilot)
        await pilot.press("j")
        await wait_until(pilot, lambda: "s stop" not in screen_text(pilot))
        assert "enter log" not in screen_text(pilot)
        if size[1] > 15:
            assert "RAM 1.00 GiB   VRAM 1.50 GiB" in screen_text(pilot)
            assert "maps /models/Big-Q4_0.gguf" in screen_text(pilot)
        await pilot.press("s", "s", "enter")
        await pilot.pause()
        assert made.sessions.stopped == [] and isinstance(pilot.app.screen, MonitorPlace)
        check_screen(pilot)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_names_in_charts_and_rows(kind: str) -> None:
    text = HOSTILE[kind]
    seen = make_seen("s1", text, engine=text, path=text)
    made = stage(replace(seen, record=plausible(seen.record)))
    made.machine.now = replace(
        made.machine.now, gpus=(Gpu(0, text, None, None),), foreign=(Foreign(7, text, None, None, text),)
    )
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for size in ((80, 24), (120, 36), (60, 15)):
            await pilot.resize_terminal(*size)
            await pilot.press("g", "g", "j")
            check_screen(pilot)
            await pilot.press("G")
            check_screen(pilot)
            assert current(pilot) == "t/s s1"
            await pilot.press("enter")
            await sees(pilot, "1 min ago")
            check_screen(pilot)
            await pilot.press("k")
            await sees(pilot, "nothing of it is known")
            check_screen(pilot)
            await pilot.press("escape")


async def test_keys_of_ones_own_leave_enter_to_sessions_and_to_lines() -> None:
    made = stage()
    made.settings = FakeSettings(replace(Settings(), keys={"monitor.stop": "X", "monitor.longer": "m"}))
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "X stop")
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LogPanel))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, MonitorPlace))
        await pilot.press("G", "j", "enter", "m")
        await sees(pilot, "5 min ago")


async def test_a_blind_round_covers_a_chart_too() -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        place = await opened(pilot)
        await pilot.press("G", "G", "enter")
        await sees(pilot, "1 min ago")
        place.show_vitals(replace(place.vitals, covered=True))
        await sees(pilot, "hidden while a blind round is open")
        for key in ("enter", "plus", "s", "j", "t", "G"):
            await pilot.press(key)
            await pilot.pause()
            assert not any(word in screen_text(pilot) for word in ("41.2", "Tiny", "1 min ago", "more time", "chart"))
            assert isinstance(pilot.app.screen, MonitorPlace)
        place.show_vitals(replace(place.vitals, covered=False))
        await sees(pilot, "major faults")
        await sees(pilot, "s stop")
