"""Two hundred random schedules of faults, and some through real processes that are killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.downloads.trouble import DamagedError
from tests.hub.content import Noise
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
