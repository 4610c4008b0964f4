"""The download run over a port that a test plays by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from qtui.core.downloads.download import Download, State
from qtui.core.downloads.messages import Fetched, FetchFailed, FetchNoted, FetchProgressed, FileFetched
from qtui.core.downloads.run import (
    DownloadChanged,
    DownloadEvent,
    DownloadFinished,
    DownloadRun,
    FileArrived,
    QueueChanged,
)
from qtui.core.downloads.trouble import DiskFullError
from qtui.core.errors import Failure, QtuiError, UsageError
from tests.core.downloads.fake_port import FakeDownloads, a_download

A, B, C = (a_download(f"{name}-Q4_K_M.gguf") for name in "ABC")
FULL = FetchFailed(Failure("the disk is full", "free some", DiskFullError.kind))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def port() -> FakeDownloads:
    return FakeDownloads()


@pytest.fixture
def run(port: FakeDownloads) -> DownloadRun:
    return DownloadRun(port, margin=0, clock=Clock())


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until a condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come about")


def states(run: DownloadRun) -> list[State]:
    return [download.state for download in run.queue.downloads]


async def test_two_start_and_the_third_follows(port: FakeDownloads, run: DownloadRun) -> None:
    for download in (A, B, C):
        await run.add(download)
    await until(lambda: len(port.running) == 2)
    assert port.started == [A.id, B.id]
    assert states(run) == [State.RUNNING, State.RUNNING, State.QUEUED]
    port.say(A, Fetched(1000))
    await until(lambda: C.id in port.running)
    assert states(run) == [State.DONE, State.RUNNING, State.RUNNING]
    await run.close()
    assert port.running == set()


async def test_what_a_child_says_becomes_state(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    seen: list[DownloadEvent] = []

    async def follow() -> None:
        async for event in run.follow(A.id):
            seen.append(event)

    following = asyncio.create_task(follow())
    await until(lambda: seen)
    port.say(A, FetchProgressed(100, checking=True), FetchProgressed(200), FetchProgressed(300))
    await until(lambda: run.queue.get(A.id).done == 300)
    now = run.queue.get(A.id)
    assert (now.state, now.rate, now.time_left) == (State.RUNNING, 100.0, 7.0)
    assert now.fraction == pytest.approx(0.3)
    port.say(A, FetchNoted("the connection broke; trying again"))
    await until(lambda: run.queue.get(A.id).note)
    port.say(A, FileFetched(0, "/models/A"), Fetched(900))
    await following
    assert isinstance(seen[-1], DownloadFinished) and seen[-1].received == 900
    arrived = [event for event in seen if isinstance(event, FileArrived)]
    assert [event.path for event in arrived] == ["/models/A"]
    verifying = [e for e in seen if isinstance(e, DownloadChanged) and e.download.state is State.VERIFYING]
    assert verifying and verifying[0].download.rate is None
    done = run.queue.get(A.id)
    assert (done.state, done.done, done.paths, done.note) == (State.DONE, 1000, ("/models/A",), "")
    assert port.kept_queue == (done,)


async def test_pausing_ends_the_child_and_measures_what_came(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    await until(lambda: port.running)
    port.here[A.id] = 450
    await run.pause(A.id)
    assert port.running == set()
    assert (run.queue.get(A.id).state, run.queue.get(A.id).done) == (State.PAUSED, 450)
    assert port.kept_queue[0].state is State.PAUSED
    await run.resume(A.id)
    await until(lambda: port.running)
    assert port.started == [A.id, A.id]
    await run.close()


async def test_a_failure_stays_in_the_queue_and_can_be_tried_again(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    port.say(A, FetchFailed(Failure("gone", "list again", "changed")))
    await until(lambda: states(run) == [State.FAILED])
    assert run.queue.get(A.id).failure == Failure("gone", "list again", "changed")
    await run.resume(A.id)
    await until(lambda: states(run) == [State.RUNNING])
    assert run.queue.get(A.id).failure is None
    await run.close()


async def test_a_child_that_ends_without_a_word_is_a_failure(port: FakeDownloads, run: DownloadRun) -> None:
    class Mute(FakeDownloads):
        async def fetch(self, download: Download):  # type: ignore[no-untyped-def]
            return
            yield

    mute = DownloadRun(Mute(), margin=0)
    await mute.add(A)
    await until(lambda: states(mute) == [State.FAILED])


async def test_a_full_disk_stops_all_of_them(port: FakeDownloads, run: DownloadRun) -> None:
    for download in (A, B, C):
        await run.add(download)
    await until(lambda: len(port.running) == 2)
    port.here = {A.id: 10, B.id: 20}
    port.say(A, FULL)
    await until(lambda: set(states(run)) == {State.PAUSED})
    assert port.running == set()
    assert [download.done for download in run.queue.downloads] == [10, 20, 0]
    assert all(one.failure == FULL.failure for one in run.queue.downloads)
    assert port.discarded == []
    await run.close()


async def test_the_whole_queue_must_fit(port: FakeDownloads, run: DownloadRun) -> None:
    port.free = 1500
    await run.add(A)
    with pytest.raises(DiskFullError, match="not enough room"):
        await run.add(B)
    assert [one.id for one in run.queue.downloads] == [A.id]
    await run.pause(A.id)
    await run.add(B)
    with pytest.raises(DiskFullError):
        await run.resume(A.id)
    await run.close()


async def test_a_start_without_room_fails_before_the_first_byte(port: FakeDownloads, run: DownloadRun) -> None:
    await run.set_parallel(1)
    await run.add(A)
    await run.add(B)
    await until(lambda: port.running)
    port.free = 10
    port.say(A, Fetched(1000))
    await until(lambda: states(run) == [State.DONE, State.PAUSED])
    assert port.started == [A.id]


async def test_cancelling_removes_what_came(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    await until(lambda: port.running)
    await run.cancel(A.id)
    assert port.running == set() and port.discarded == [A.id]
    assert run.queue.downloads == () and port.kept_queue == ()
    with pytest.raises(UsageError):
        await run.cancel(A.id)


async def test_cancelling_what_is_done_keeps_the_file(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    port.say(A, Fetched(1000))
    await until(lambda: states(run) == [State.DONE])
    await run.cancel(A.id)
    assert port.discarded == [] and run.queue.downloads == ()


async def test_the_queue_survives_a_restart(port: FakeDownloads, run: DownloadRun) -> None:
    await run.set_parallel(1)
    for download in (A, B, C):
        await run.add(download)
    await run.pause(C.id)
    await run.move(C.id, -2)
    await until(lambda: port.running)
    await run.close()
    assert port.released
    left = port.kept_queue
    assert [one.title[0] for one in left] == ["C", "A", "B"]
    assert [one.state for one in left] == [State.PAUSED, State.QUEUED, State.QUEUED]
    later = FakeDownloads(stored=list(left), here={A.id: 77})
    again = DownloadRun(later, parallel=1)
    await again.restore()
    await until(lambda: later.running)
    assert later.running == {A.id}
    assert [one.state for one in again.queue.downloads] == [State.PAUSED, State.RUNNING, State.QUEUED]
    assert again.queue.get(A.id).done == 77
    await again.close()


async def test_adding_takes_up_what_was_kept(port: FakeDownloads, run: DownloadRun) -> None:
    port.stored = [replace(A, state=State.PAUSED, done=5)]
    port.here[A.id] = 500
    added = await run.add(A)
    assert (added.state, added.done) == (State.RUNNING, 500)
    await run.close()


async def test_adding_again_resumes_and_a_done_one_starts_over(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    await run.pause(A.id)
    assert (await run.add(A)).state is State.RUNNING
    port.say(A, Fetched(1000))
    await until(lambda: states(run) == [State.DONE])
    assert (await run.add(A)).state is State.RUNNING
    assert len(run.queue.downloads) == 1
    await run.close()


async def test_a_newer_version_takes_the_place_of_an_unfinished_one(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    await until(lambda: port.running)
    newer = a_download("A-Q4_K_M.gguf", sha256="cd" * 32)
    await run.add(newer)
    assert port.discarded == [A.id]
    assert [one.id for one in run.queue.downloads] == [newer.id]
    await run.close()


async def test_a_queue_that_cannot_be_kept_goes_on_and_says_so(port: FakeDownloads, run: DownloadRun) -> None:
    port.trouble = QtuiError("read-only")
    await run.add(A)
    assert "read-only" in run.problem
    port.say(A, Fetched(1000))
    await until(lambda: states(run) == [State.DONE])


async def test_every_listener_hears_all_until_the_end(port: FakeDownloads, run: DownloadRun) -> None:
    heard: list[list[DownloadEvent]] = [[], []]

    async def listen(into: list[DownloadEvent]) -> None:
        async for event in run.events():
            into.append(event)

    tasks = [asyncio.create_task(listen(into)) for into in heard]
    await until(lambda: all(heard))
    await run.add(A)
    port.say(A, Fetched(1000))
    await until(lambda: states(run) == [State.DONE])
    await run.close()
    await asyncio.gather(*tasks)
    assert heard[0] == heard[1]
    assert isinstance(heard[0][0], QueueChanged)
    assert any(isinstance(event, DownloadFinished) for event in heard[0])


async def test_following_ends_when_nothing_works_on_it(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    await run.pause(A.id)
    assert [type(event) async for event in run.follow(A.id)] == [DownloadChanged]
    with pytest.raises(UsageError):
        async for _ in run.follow("nothing"):
            pass


async def test_closing_twice_and_pausing_what_is_over_are_harmless(port: FakeDownloads, run: DownloadRun) -> None:
    await run.add(A)
    port.say(A, Fetched(1000))
    await until(lambda: states(run) == [State.DONE])
    await run.pause(A.id)
    assert states(run) == [State.DONE]
    await run.close()
    await run.close()
