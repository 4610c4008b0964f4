"""The queue's rules and the rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.downloads.download import Download, State
from qtui.core.downloads.queue import Queue, Room, failed, lack_of_room, paused, resumed
from qtui.core.errors import Failure, UsageError
from qtui.core.rate import RateMeter, left_text
from tests.core.downloads.fake_port import a_download

A, B, C = (a_download(f"{name}-Q4_K_M.gguf") for name in "ABC")


def queue(*downloads: Download) -> Queue:
    made = Queue()
    for download in downloads:
        made = made.put(download)
    return made


def order(one: Queue) -> str:
    return "".join(download.title[0] for download in one.downloads)


def test_two_run_at_once_in_their_order() -> None:
    made = queue(A, B, C)
    assert made.next() == A
    made = made.put(replace(A, state=State.RUNNING))
    assert made.next() == B
    made = made.put(replace(B, state=State.VERIFYING))
    assert made.next() is None
    assert replace(made, parallel=3).next() == C
    assert made.put(replace(A, state=State.PAUSED)).next() == C


@pytest.mark.parametrize(
    ("one", "by", "after"), [(A, 1, "BAC"), (C, -1, "ACB"), (C, -9, "CAB"), (A, 9, "BCA"), (B, 0, "ABC")]
)
def test_a_download_moves_and_stops_at_the_ends(one: Download, by: int, after: str) -> None:
    assert order(queue(A, B, C).moved(one.id, by)) == after


def test_putting_keeps_the_place() -> None:
    assert order(queue(A, B, C).put(replace(B, done=5))) == "ABC"
    assert queue(A, B).put(replace(B, done=5)).get(B.id).done == 5
    assert order(queue(A, B, C).without(B.id)) == "AC"
    with pytest.raises(UsageError):
        queue(A).get("nothing")


def test_pause_and_resume_leave_what_is_over_alone() -> None:
    done = replace(A, state=State.DONE)
    assert paused(done) == done and resumed(done) == done
    running = replace(A, state=State.RUNNING, rate=5.0, time_left=3.0)
    assert paused(running) == replace(A, state=State.PAUSED)
    broken = failed(running, Failure("no"))
    assert (broken.state, broken.failure, broken.rate) == (State.FAILED, Failure("no"), None)
    assert resumed(broken) == A
    assert resumed(running) is running


def test_what_the_hub_replaced_makes_room() -> None:
    newer = a_download("A-Q4_K_M.gguf", sha256="cd" * 32)
    assert queue(A, B).superseded_by(newer) == (A,)
    assert queue(replace(A, state=State.DONE), B).superseded_by(newer) == ()
    assert queue(A).superseded_by(a_download("A-Q4_K_M.gguf", sha256="cd" * 32, folder="/x")) == ()


def test_every_disk_needs_room_and_a_margin() -> None:
    assert lack_of_room([Room("/a", 100, 90), Room("/b", 20, 10)], 10) is None
    lack = lack_of_room([Room("/a", 100, 90), Room("/b", 20, 11)], 10)
    assert lack is not None and "/b" in lack.message
    assert lack_of_room([Room("/a", 5, 0)], 10) is None, "nothing is left to write"


def test_the_rate_is_of_late_and_the_time_left_of_longer() -> None:
    meter = RateMeter()
    assert meter.rate() is None and meter.time_left(10) is None
    for second in range(30):
        meter.add(float(second), second * 100)
    assert meter.rate() == pytest.approx(100)
    assert meter.time_left(1000) == pytest.approx(10)
    for second in range(30, 36):
        meter.add(float(second), 2900 + (second - 29) * 1000)
    assert meter.rate() == pytest.approx(1000)
    left = meter.time_left(1000)
    assert left is not None and 1 < left < 10


def test_a_time_left_is_not_told_to_the_hundredth() -> None:
    assert [left_text(one) for one in (None, 0.3, 41.6, 200.2)] == ["", "a few s", "42 s", "3 min 20 s"]


def test_a_stall_shows_as_no_rate_and_no_time() -> None:
    meter = RateMeter()
    for second in range(40):
        meter.add(float(second), 100)
    assert meter.rate() == 0
    assert meter.time_left(100) is None


def test_fewer_bytes_than_before_start_the_rate_anew() -> None:
    meter = RateMeter()
    meter.add(0.0, 0)
    meter.add(5.0, 500)
    meter.add(5.5, 10)
    assert meter.rate() is None
    meter.add(6.5, 110)
    assert meter.rate() == pytest.approx(100)
