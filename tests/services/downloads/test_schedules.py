"""Two hundred random schedules of faults, and some through real processes that are killed."""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from qtui.core.downloads.messages import Fetched, FetchFailed, FetchProgressed
from qtui.core.downloads.trouble import DamagedError
from qtui.services.downloads.client import DownloadsClient, Endpoint
from tests.hub.content import Noise
from tests.hub.faults import Fault, Kind
from tests.hub.server import LocalHub
from tests.services.downloads.place import NAME, Place, make_place
from tests.services.downloads.schedules import PACE, SIZE, Schedule

GROUPS, EACH = 10, 20


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_file_gets_its_name_only_with_the_right_bytes(hub: LocalHub, tmp_path: Path, group: int) -> None:
    for seed in range(group * EACH, (group + 1) * EACH):
        place = make_place(hub, tmp_path / str(seed), {NAME: Noise(SIZE, 1)})
        schedule = Schedule(seed)
        try:
            suffer(place, schedule)
            recover(place)
        except AssertionError:
            print("seed", seed, *schedule.story, sep="\n  ")
            raise
    print(f"seeds {group * EACH} to {(group + 1) * EACH - 1}")


def suffer(place: Place, schedule: Schedule) -> None:
    """Run a few times with faults, stops, tampering and changes; the name is right or missing after each."""
    for _ in range(schedule.random.randint(1, 4)):
        place.hub.faults[:] = schedule.faults()
        place.restart()
        ran = place.run(place.job(pace=PACE), stop_at=schedule.stop_at())
        schedule.story.append(f"-> {ran.error or ('stopped' if ran.stopped else 'done')}")
        assert place.is_right() or not place.landing().name.exists()
        schedule.tamper(place)
        schedule.change(place)


def recover(place: Place) -> None:
    """Run without faults: bytes that were flipped before are found once and thrown away, then all is well."""
    place.hub.faults.clear()
    place.restart()
    ran = place.run(place.job(pace=replace(PACE, stall=5.0)))
    if ran.error is not None:
        assert isinstance(ran.error, DamagedError), ran.error
        ran = place.run(place.job(pace=replace(PACE, stall=5.0)))
    assert ran.error is None, ran.error
    assert place.is_right()
    assert place.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1020))
async def test_children_that_are_killed_at_any_moment(hub: LocalHub, tmp_path: Path, seed: int) -> None:
    """The same with real processes, which SIGKILL ends at a random byte."""
    place = make_place(hub, tmp_path / "cache", {NAME: Noise(SIZE * 20, 1)})
    schedule = Schedule(seed)
    client = DownloadsClient(lambda: Endpoint(hub.endpoint), cache=lambda: place.cache, pace=PACE)
    for _ in range(schedule.random.randint(1, 3)):
        hub.faults[:] = [*schedule.faults(), Fault(Kind.SLOW, f"*{NAME}", rate=40 << 20)]
        deadline = schedule.random.randint(0, SIZE * 20)
        async with aclosing(client.fetch(place.download())) as events:
            async for event in events:
                if isinstance(event, FetchProgressed) and event.done >= deadline:
                    for child in psutil.Process().children():
                        with suppress(psutil.NoSuchProcess):  # it may have ended by itself
                            child.kill()
        assert place.is_right() or not place.landing().name.exists(), seed
        schedule.tamper(place)
    hub.faults.clear()
    patient = DownloadsClient(lambda: Endpoint(hub.endpoint), cache=lambda: place.cache)
    for _ in range(2):
        ended = [event async for event in patient.fetch(place.download())][-1]
        if isinstance(ended, Fetched):
            break
        assert isinstance(ended, FetchFailed) and ended.failure.kind == DamagedError.kind, (seed, ended)
    assert isinstance(ended, Fetched), seed
    assert place.is_right() and place.leftovers() == []
    print("seed", seed)
