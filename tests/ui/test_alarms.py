"""Alarms on screen: in the top line of every place, in Monitor, and the remedy that `t` takes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from qtui.core.hardware import Foreign
from qtui.core.memory.plan import LoadPlan
from qtui.core.sessions import SessionSeen
from qtui.core.settings import Settings
from qtui.core.text import GIB
from qtui.ui.places.monitor import MonitorPlace
from tests.fakes import FakeSettings, make_seen
from tests.ui.stage import SMALL, Stage, arena, screen_lines, screen_text, sees, told, wait_until

PLAN = {**LoadPlan().as_json(), "ctx_size": 8192}


def loaded(session_id: str = "s1", **fields: object) -> SessionSeen:
    seen = make_seen(session_id, "Alpha Q4_K_M", plan=PLAN)
    return replace(seen, record=replace(seen.record, estimated_context=8 * GIB, **fields))  # type: ignore[arg-type]


async def run_low(stage: Stage, free: int = GIB // 2) -> None:
    """Let some samples come in which RAM is short."""
    stage.machine.now = replace(stage.machine.now, ram_available=free)
    for _ in range(6):
        stage.machine.now = replace(stage.machine.now, time=stage.machine.now.time + 1)
        stage.machine.changed.set()
        while stage.machine.changed.is_set():
            await asyncio.sleep(0)


async def open_monitor(pilot: Pilot[None]) -> MonitorPlace:
    await wait_until(pilot, lambda: pilot.app.opened)  # type: ignore[attr-defined]
    await pilot.press("4")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, MonitorPlace))
    assert isinstance(pilot.app.screen, MonitorPlace)
    return pilot.app.screen


async def test_an_alarm_stands_in_the_top_line_of_every_place_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.sessions.seen = [loaded()]
    with caplog.at_level(logging.WARNING, logger="qtui"):
        async with stage.app().run_test(size=(120, 30)) as pilot:
            await sees(pilot, "Alpha")
            assert "!" not in screen_lines(pilot)[1]
            await run_low(stage)
            await sees(pilot, "! RAM 0.5 GiB free, you keep 1.6")
            assert "4 then t: KV q8_0" in screen_lines(pilot)[1]
            await open_monitor(pilot)
            await sees(pilot, "t: KV q8_0")
    assert any(record.message.startswith("alarm: RAM 0.5 GiB free") for record in caplog.records)


async def test_the_margins_of_the_settings_hold() -> None:
    stage = Stage(settings=FakeSettings(replace(Settings(), margin_ram=GIB // 4)))
    stage.sessions.seen = [loaded()]
    async with stage.app().run_test(size=(120, 30)) as pilot:
        await sees(pilot, "Alpha")
        await run_low(stage)
        await pilot.pause()
        assert "you keep" not in screen_text(pilot)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_monitor_in_alarm_fits(size: tuple[int, int]) -> None:
    stage = Stage()
    stage.sessions.seen = [loaded()]
    async with stage.app().run_test(size=size) as pilot:
        place = await open_monitor(pilot)
        await run_low(stage)
        await sees(pilot, "! RAM 0.5 GiB")
        assert "Alpha" in screen_text(pilot)
        assert place.query_one(".alarms").size.height == 1


async def test_t_asks_and_loads_the_side_anew_with_the_one_change() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: stage.engine.sessions and stage.engine.sessions[0].pid is not None)
        await wait_until(pilot, lambda: arena(pilot).panes.sides["A"].loaded is not None)
        session = stage.engine.sessions[0]
        stage.sessions.seen = [loaded(session.id, pid=session.pid)]
        await run_low(stage, free=5 * GIB // 4)
        await pilot.press("escape", "escape")
        await open_monitor(pilot)
        await sees(pilot, "t: KV q8_0")
        await pilot.press("t")
        await sees(pilot, "Load Alpha Q4_K_M anew with KV q8_0?")
        await pilot.press("escape")
        await wait_until(pilot, lambda: "anew with" not in screen_text(pilot))
        assert len(stage.engine.sessions) == 1
        await pilot.press("t", "t")
        await wait_until(pilot, lambda: len(stage.engine.sessions) == 2)
        assert session.closed
        assert stage.engine.sessions[1].plan.cache_type_k == "q8_0"


async def test_the_session_of_another_qtui_is_left_to_it() -> None:
    stage = Stage()
    stage.sessions.seen = [loaded()]
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await open_monitor(pilot)
        await run_low(stage)
        await sees(pilot, "t: KV q8_0")
        await pilot.press("t", "t")
        await told(pilot, "belongs to another qtui")


async def test_others_that_take_memory_are_rows_without_a_log_or_an_end() -> None:
    stage = Stage()
    other = Foreign(77, "evil[/red]\x1b[2J", 2 * GIB, None, "/m/Big-Q4_0.gguf")
    stage.machine.now = replace(stage.machine.now, foreign=(other,))
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await open_monitor(pilot)
        await sees(pilot, "Big-Q4_0.gguf")
        await sees(pilot, "not ours")
        assert "\x1b" not in screen_text(pilot)
        await pilot.press("s", "enter", "t")
        await pilot.pause()
        assert stage.sessions.stopped == []
        assert isinstance(pilot.app.screen, MonitorPlace)
