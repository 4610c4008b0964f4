"""The Downloads panel over a port that a test plays by hand; and how it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.downloads.download import State
from qtui.core.downloads.messages import Fetched, FetchFailed, FetchNoted, FetchProgressed, FileFetched
from qtui.core.downloads.run import DownloadRun
from qtui.core.errors import Failure, QtuiError
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import GIB
from qtui.services.themes import read_themes
from qtui.ui.app import QtuiApp
from qtui.ui.messages import ChangeSetting, FetchVariant
from qtui.ui.panels.downloads import DownloadsPanel
from qtui.ui.parts import Parts
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.core.downloads.fake_port import FakeDownloads, a_download
from tests.fakes import FakeSettings
from tests.ui.readable import hard_to_read, mixed_colours
from tests.ui.stage import Stage, screen_text, sees, told, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen

SIZES = [(80, 24), (120, 36)]
A = a_download("Qwen3-8B-Q5_K_M.gguf", 5 * GIB)
B = a_download("Qwen3-8B-Q4_K_M.gguf", 4 * GIB, folder="/mnt/models")
C = a_download("gemma-3-12b-it-Q4_K_M.gguf", 7 * GIB)


def clock() -> Callable[[], float]:
    seconds: Iterator[float] = iter(float(second) for second in range(10_000))
    return lambda: next(seconds)


def app_on(port: FakeDownloads, stage: Stage | None = None, theme: str = "") -> QtuiApp:
    stage = stage or Stage()
    footprints = Footprints(stage.dry_run)
    parts = Parts(
        library=stage.library, machine=stage.machine, engine=stage.engine,
        guard=Guard(footprints, stage.machine, stage.engine), footprints=footprints, sessions=stage.sessions,
        plan=LoadPlan(), downloads=DownloadRun(port, margin=0, clock=clock()),
    )  # fmt: skip
    return QtuiApp(lambda: parts, store=FakeSettings(), theme=theme, theme_files=read_themes())


async def opened(pilot: Pilot[None]) -> DownloadsPanel:
    await sees(pilot, "6 files")
    await pilot.press("w")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, DownloadsPanel))
    panel = pilot.app.screen
    assert isinstance(panel, DownloadsPanel)
    return panel


def run_of(pilot: Pilot[None]) -> DownloadRun:
    app = pilot.app
    assert isinstance(app, QtuiApp) and app._parts.downloads is not None
    return app._parts.downloads


def states(pilot: Pilot[None]) -> dict[str, State]:
    return {one.title: one.state for one in run_of(pilot).queue.downloads}


def order(pilot: Pilot[None]) -> list[str]:
    return [one.id for one in run_of(pilot).queue.downloads]


def three(**states_of: State) -> FakeDownloads:
    """Three downloads of an earlier start."""
    port = FakeDownloads(free=1 << 50)
    port.stored = [A, B, replace(C, state=State.PAUSED)]
    port.here = {A.id: 2 * GIB, C.id: 1 * GIB}
    return port


async def test_nothing_to_fetch_says_how_it_begins() -> None:
    async with app_on(FakeDownloads()).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "qtui pull REPO:QUANT")
        await pilot.press("enter", "r", "x", "J", "K", "j", "G", "w")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, DownloadsPanel))


async def test_what_was_kept_goes_on_and_shows_in_the_top_line() -> None:
    port = three()
    async with app_on(port).run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        await sees(pilot, "2 downloads 22 %")
        await opened(pilot)
        port.say(A, *(FetchProgressed(2 * GIB + n * GIB // 16) for n in range(8)))
        await sees(pilot, "64.0")
        await sees(pilot, "fetching")
        await sees(pilot, "paused")
        assert "48 %" in screen_text(pilot)


async def test_a_download_is_paused_goes_on_and_is_moved() -> None:
    port = three()
    async with app_on(port).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        await pilot.press("enter")
        await wait_until(pilot, lambda: states(pilot)[A.title] is State.PAUSED)
        assert A.id not in port.running
        await pilot.press("enter")
        await wait_until(pilot, lambda: A.id in port.running)
        await pilot.press("J")
        await wait_until(pilot, lambda: order(pilot) == [B.id, A.id, C.id])
        assert pilot.app.screen.query_one(GroupedTable).key == A.id, "the cursor stays with it"
        await pilot.press("K")
        await wait_until(pilot, lambda: order(pilot) == [A.id, B.id, C.id])
        assert [one.id for one in port.kept_queue] == [A.id, B.id, C.id]


async def test_cancelling_asks_once() -> None:
    port = three()
    async with app_on(port).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        await pilot.press("x")
        await sees(pilot, "x again")
        await pilot.press("j", "k")
        await wait_until(pilot, lambda: "x again" not in screen_text(pilot))
        assert port.discarded == []
        await pilot.press("x", "x")
        await wait_until(pilot, lambda: port.discarded == [A.id])
        await wait_until(pilot, lambda: order(pilot) == [B.id, C.id])


async def test_a_failure_is_told_and_tried_again() -> None:
    port = three()
    async with app_on(port).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        port.say(A, FetchNoted("the connection broke; again in 2 s"))
        await sees(pilot, "the connection broke; again in")
        port.say(A, FetchFailed(Failure("no luck at all", "try another day", "network")))
        await sees(pilot, "failed")
        await sees(pilot, "no luck at all")
        await sees(pilot, "try another day")
        port.lines.clear()
        await pilot.press("r")
        await wait_until(pilot, lambda: A.id in port.running)


async def test_a_full_disk_is_told_in_the_top_line() -> None:
    port = three()
    async with app_on(port).run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        port.say(B, FetchFailed(Failure("the disk is full", "free some space", "disk_full")))
        await sees(pilot, "a download stopped (w)")
        assert set(states(pilot).values()) == {State.PAUSED}


async def test_what_is_finished_is_looked_for_in_the_library_at_once() -> None:
    port = three()
    stage = Stage()
    async with app_on(port, stage).run_test(size=(120, 36)) as pilot:
        await sees(pilot, "6 files")
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        stage.library.variants = stage.library.variants[:2]
        port.say(A, FileFetched(0, "/models/a.gguf"), Fetched(5 * GIB))
        await sees(pilot, "2 files")
        await told(pilot, "is here, verified")


async def test_a_place_asks_for_a_download() -> None:
    port = FakeDownloads(free=1 << 50)
    async with app_on(port).run_test(size=(120, 36)) as pilot:
        await sees(pilot, "6 files")
        pilot.app.screen.post_message(FetchVariant(A))
        await wait_until(pilot, lambda: port.running == {A.id})
        await sees(pilot, "1 download 0 %")
        port.free = 10
        pilot.app.screen.post_message(FetchVariant(C))
        await told(pilot, "not enough room")


async def test_quitting_says_what_goes_on_later() -> None:
    port = three()
    async with app_on(port).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "6 files")
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        await pilot.press("ctrl+q")
        await sees(pilot, "it goes on from there when qtui is started again")
        await pilot.press("y")
    assert port.running == set() and port.released
    assert [one.state for one in port.kept_queue] == [State.QUEUED, State.QUEUED, State.PAUSED]


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_downloads(kind: str) -> None:
    text = HOSTILE[kind]
    port = FakeDownloads(free=1 << 50, trouble=QtuiError(text, text))
    failure = Failure(text, text)
    hostile = replace(A, title=text, repository=text, commit=text, folder=text, note=text)
    port.stored = [
        hostile,
        replace(hostile, id="b", state=State.PAUSED, failure=failure),
        replace(hostile, id="c", state=State.FAILED, failure=failure, files=(replace(A.files[0], path=text),)),
    ]
    async with app_on(port).run_test(size=(60, 15), notifications=True) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: port.running)
        port.say(hostile, FetchNoted(text))
        for key in ("j", "j", "x", "k", "enter", "G", "enter"):
            await pilot.press(key)
            check_screen(pilot)
        await pilot.resize_terminal(120, 36)
        check_screen(pilot)
        await pilot.press("escape", "ctrl+q")
        check_screen(pilot)


THEMES = [file.name for file in read_themes(Path("/nowhere")) if file.shipped]


@pytest.mark.parametrize("theme", THEMES)
async def test_the_panel_can_be_read(theme: str) -> None:
    port = three()
    app = app_on(port, theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        port.say(A, FetchFailed(Failure("no luck", "another day")))
        await sees(pilot, "another day")
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()


@pytest.mark.parametrize("size", SIZES)
def test_how_it_looks(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    port = three()

    async def settle(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        port.say(A, *(FetchProgressed(2 * GIB + n * GIB // 16) for n in range(8)))
        port.say(B, FetchNoted("another program is downloading this: waiting for it"))
        await sees(pilot, "48 %")
        await asyncio.sleep(0)
        await wait_until(pilot, lambda: "64.0" in screen_text(pilot))

    assert snap_compare(app_on(port), terminal_size=size, run_before=settle)


async def test_how_many_run_at_once_follows_the_setting() -> None:
    port = FakeDownloads()
    app = app_on(port)
    async with app.run_test(size=(120, 36)) as pilot:
        await sees(pilot, "6 files")
        for download in (A, B, C):
            await run_of(pilot).add(download)
        await wait_until(pilot, lambda: port.running == {A.id, B.id})
        app.post_message(ChangeSetting("downloads.parallel", 3))
        await wait_until(pilot, lambda: port.running == {A.id, B.id, C.id})
