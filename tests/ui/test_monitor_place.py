"""The Monitor as it is driven: sessions, the question before one is stopped, logs, lines, sizes, hostile records."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from qtui.core.errors import QtuiError
from qtui.core.hardware import Gpu, ProcessMemory
from qtui.core.sessions import SessionState, plausible
from qtui.core.text import GIB, MIB
from qtui.ui.panels.log import LogPanel
from qtui.ui.places.monitor import MonitorPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.history_lines import HistoryLines
from tests.fakes import FakeSessions, make_seen
from tests.ui.stage import Stage, screen_lines, screen_text, sees, told, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)])
CARD = Gpu(0, "A card", 12 * GIB, 3 * GIB, processes=((4242, 5 * GIB),), busy=96.0, temperature=71, power=212.0)


def stage(*seen: object) -> Stage:
    made = Stage(variants=())
    made.sessions = FakeSessions(*(seen or (make_seen(), make_seen("s2", "Other Q2_K", pid=77))))  # type: ignore[arg-type]
    return made


async def opened(pilot: Pilot[None]) -> MonitorPlace:
    """Go to the Monitor and wait for the first moment."""
    await pilot.press("4")
    await sees(pilot, "CPU")
    assert isinstance(pilot.app.screen, MonitorPlace)
    return pilot.app.screen


def cursor(pilot: Pilot[None]) -> str | None:
    return pilot.app.screen.query_one(GroupedTable).key


def row(pilot: Pilot[None], start: str) -> str:
    """Return the row of the table that begins so."""
    lines = [line for line in screen_lines(pilot) if line.lstrip("› ").startswith(start)]
    return lines[0]


@SIZES
async def test_sessions_and_lines_at_both_sizes(size: tuple[int, int]) -> None:
    made = stage()
    made.machine.set(gpus=(CARD,))
    made.machine.now = replace(made.machine.now, cpu_percent=73.0, file_cache=6 * GIB, major_faults=12.0)
    made.sessions.seen[0] = make_seen(estimated_vram=5 * GIB)
    async with made.app().run_test(size=size) as pilot:
        await opened(pilot)
        first = row(pilot, "Tiny Q8_0")
        for text in ("answering", "0.41", "5.00", "+0.4 %", "41.2", "12 %"):
            assert text in first
        assert "STATE" in screen_text(pilot) and "EST" in screen_text(pilot)
        words = [line.split()[0] for line in screen_lines(pilot)[2:] if line.strip()]
        names = [word for word in words if word in LINES]
        assert names == ["RAM", "cache", "swap", "disk", "CPU", "GPU0", "t/s", "t/s"]
        shown = screen_text(pilot)
        assert "16.0 of 32.0 GiB   locked 0" in shown
        assert "12 major faults/s" in shown and "73 %" in shown and "9.0 of 12.0 GiB   96 %   71 °C   212 W" in shown
        assert "in ?   out ?" in shown  # unknown, never zero
        check_screen(pilot)


LINES = ("RAM", "cache", "swap", "disk", "CPU", "GPU0", "t/s")


async def test_a_tall_terminal_has_taller_lines() -> None:
    heights = []
    for size in ((80, 24), (120, 36), (120, 60)):
        async with stage().app().run_test(size=size) as pilot:
            await opened(pilot)
            heights.append(pilot.app.screen.query_one(HistoryLines).size.height)
    assert heights[0] < heights[1] == heights[2]


async def test_history_reaches_back_before_the_place_was_opened() -> None:
    made = stage()
    app = made.app()
    async with app.run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: app._vitals.history.moments)
        for second in range(1, 11):
            made.machine.now = replace(made.machine.now, time=1_700_000_000.0 + second)
            made.machine.set(available=(16 - second) * GIB)
            await wait_until(pilot, lambda: app._vitals.history.moments[-1:] and _newest(app) == made.machine.now)
        await opened(pilot)
        (line,) = [line for line in screen_lines(pilot) if line.strip().startswith("RAM ") and "locked" in line]
        assert len(line.split()[1]) >= 11  # a cell for every second since the start


def _newest(app: object) -> object:
    return app._vitals.history.latest.sample  # type: ignore[attr-defined]


async def test_without_sessions_it_says_how_to_get_one() -> None:
    made = stage()
    made.sessions.seen = []
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "No model is loaded")
        assert "s stop" not in screen_text(pilot)
        await pilot.press("s", "t")
        assert made.sessions.stopped == []
        made.sessions.seen = [make_seen()]
        made.machine.set(available=GIB)
        await sees(pilot, "Tiny Q8_0")
        await sees(pilot, "s stop")  # nobody has moved the cursor: it goes to the first session


async def test_stopping_asks_and_a_second_s_stops() -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("s")
        await sees(pilot, "Stop Tiny Q8_0 of another qtui (pid 4200)? Its answer is cut off.")
        assert made.sessions.stopped == []
        await pilot.press("s")
        await wait_until(pilot, lambda: made.sessions.stopped == ["s1"])
        await wait_until(pilot, lambda: cursor(pilot) == "s2")
        made.machine.set(available=GIB)
        await wait_until(pilot, lambda: "Tiny Q8_0" not in screen_text(pilot))
        assert "Stop " not in screen_text(pilot)


@pytest.mark.parametrize("key", ["escape", "j"])
async def test_what_was_asked_is_withdrawn(key: str) -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("s")
        await sees(pilot, "esc leave it")
        await pilot.press(key)
        await wait_until(pilot, lambda: "leave it" not in screen_text(pilot))
        await pilot.press("s")
        await sees(pilot, "Stop Other Q2_K" if key == "j" else "Stop Tiny Q8_0")
        assert made.sessions.stopped == []


async def test_a_session_that_ends_by_itself_takes_the_question_along() -> None:
    made = stage()
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("s")
        await sees(pilot, "Stop Tiny Q8_0")
        del made.sessions.seen[0]
        made.machine.set(available=GIB)
        await wait_until(pilot, lambda: "Stop " not in screen_text(pilot))
        assert cursor(pilot) == "s2"
        await pilot.press("s")
        await sees(pilot, "Stop Other Q2_K")


async def test_one_that_cannot_be_stopped_stays_and_says_why() -> None:
    made = stage()
    made.sessions.errors["s1"] = QtuiError("it does not end", "the kernel holds it")
    async with made.app().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("s", "s")
        await sees(pilot, "the kernel holds it")
        await sees(pilot, "Tiny Q8_0")
        assert "stopping" not in screen_text(pilot)


async def test_while_it_ends_it_is_not_stopped_twice() -> None:
    made = stage()
    hold = asyncio.Event()
    calls: list[str] = []

    async def stop(session_id: str) -> None:
        calls.append(session_id)
        await hold.wait()

    made.sessions.stop = stop  # type: ignore[method-assign]
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("s", "s")
        await sees(pilot, "stopping…")
        await pilot.press("s", "s")
        assert calls == ["s1"]
        hold.set()
        await wait_until(pilot, lambda: "stopping…" not in screen_text(pilot))


async def test_the_strip_tells_of_the_session_under_the_cursor() -> None:
    made = stage(
        make_seen(memory=ProcessMemory(200 * MIB, 220 * MIB, 0, 30 * MIB, 450 * MIB)),
        make_seen("s2", "Other Q2_K", pid=77, own=True, estimated_ram=None, plan={"ctx_size": "\x1b[2J"}),
    )
    async with made.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await sees(pilot, "id s1 · pid 4242 · for 1 min 40 s")
        for text in ("ctx 4096  KV F16", "of qtui 4200", "est 0.39 · actual 0.44 GiB (+12.5 %)", "swapped 0.029"):
            assert text in screen_text(pilot)
        await pilot.press("j")
        await sees(pilot, "id s2")
        assert "est ? · actual 0.41 GiB" in screen_text(pilot)
        assert "of this qtui" in screen_text(pilot)
        made.sessions.seen[1] = make_seen("s2", full_prompt=False)
        made.machine.set(available=GIB)
        await sees(pilot, "est 0.39 · actual 0.41 GiB (no full prompt yet)")
        await pilot.press("g")
        await sees(pilot, "id s1")


async def test_the_sides_of_the_arena_are_marked() -> None:
    made = stage()
    async with made.duel().run_test(size=(100, 30)) as pilot:
        await sees(pilot, "ready, loaded in")
        await wait_until(pilot, lambda: len(made.engine.sessions) == 2)
        made.sessions.seen = [make_seen(session.id, session.variant.title) for session in made.engine.sessions]
        await pilot.press("escape")
        await opened(pilot)
        made.machine.set(available=GIB)
        await sees(pilot, "A Alpha Q4_K_M")
        await sees(pilot, "B Alpha Q8_0")
        await sees(pilot, "A 41.2")


async def test_the_log_opens_follows_and_closes() -> None:
    made = stage()
    made.sessions.logs["s1"] = tuple(f"line {number}" for number in range(100))
    async with made.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "Log of Tiny Q8_0")
        await sees(pilot, "line 99")
        assert "line 3 " not in screen_text(pilot)
        made.sessions.logs["s1"] = (*made.sessions.logs["s1"], "the last one")
        assert isinstance(pilot.app.screen, LogPanel)
        pilot.app.screen._look()
        await sees(pilot, "the last one")
        await pilot.press("escape")
        await wait_until(pilot, lambda: "line 99" not in screen_text(pilot))
        await pilot.press("j", "enter")
        await sees(pilot, "There is no log")


async def test_a_log_that_cannot_be_read_is_a_sentence() -> None:
    made = stage()

    async def log(_: str) -> tuple[str, ...]:
        raise QtuiError("the folder is gone", "make it again")

    made.sessions.log = log  # type: ignore[method-assign,assignment]
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "the folder is gone make it again")


async def test_fifty_sessions_scroll_and_eight_cards_are_not_silently_cut() -> None:
    made = stage(*(make_seen(f"s{number:02d}", f"Model{number:02d} Q8_0") for number in range(50)))
    made.machine.set(gpus=tuple(replace(CARD, index=index) for index in range(8)))
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "more lines: this terminal is too low")
        await pilot.press("G")
        await sees(pilot, "Model49")
        await pilot.press("g")
        await sees(pilot, "Model00")
        for size in ((60, 15), (61, 19), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            check_screen(pilot)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_records(kind: str) -> None:
    text = HOSTILE[kind]
    plan = {"ctx_size": text, "cache_type_k": text, "load_mode": "mmap", "n_gpu_layers": text}
    seen = make_seen("s1", text, engine=text, path=text, plan=plan, since=float("nan"), rate=float("inf"))
    made = stage(replace(seen, record=plausible(seen.record)), make_seen("s2", "safe"))
    made.sessions.logs["s1"] = tuple(text.splitlines())
    made.machine.set(gpus=(Gpu(0, text, None, None),))
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        check_screen(pilot)
        for size in ((80, 24), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.press("s")
            await sees(pilot, "Stop")
            check_screen(pilot)
            await pilot.press("escape", "enter")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, LogPanel))
            await wait_until(pilot, lambda: "reading…" not in screen_text(pilot))
            check_screen(pilot)
            await pilot.press("escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, MonitorPlace))


async def test_a_loading_session_has_progress_and_no_verdict_on_its_estimate() -> None:
    made = stage(make_seen(state=SessionState.LOADING, progress=0.43, rate=None, context_used=None, full_prompt=False))
    async with made.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "loading 43 %")
        assert "+5.0 %" not in screen_text(pilot)


@SIZES
async def test_the_endpoint_of_a_session_is_copied(size: tuple[int, int]) -> None:
    address = "http://127.0.0.1:8080/v1"
    made = stage(make_seen(), make_seen("s2", "Other Q2_K", pid=77, endpoint=address))
    async with made.app().run_test(size=size) as pilot:
        await opened(pilot)
        assert "copy endpoint" not in screen_text(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard == ""
        await pilot.press("j")
        await sees(pilot, "copy endpoint")
        assert address in screen_text(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard == address
        await told(pilot, f"Copied {address}")
        check_screen(pilot)


def test_an_endpoint_that_is_none_is_not_shown() -> None:
    for text in ("javascript:alert(1)", "http://a b/v1", "http://x:80/v1\x1b[2J", "https://127.0.0.1:1/v1"):
        assert plausible(make_seen(endpoint=text).record).endpoint == ""
    assert plausible(make_seen(endpoint="http://[::1]:8080/v1").record).endpoint == "http://[::1]:8080/v1"
