"""Counters that grow, and what they say of the time between two readings."""

from __future__ import annotations

import mmap
from pathlib import Path

import psutil
import pytest

from qtui.services.machine.activity import Activity, ActivityMeter, Counters, between, read_counters
from tests.services.machine.test_cgroup import put


def test_what_happened_between_two_readings() -> None:
    before = Counters(10.0, 100.0, 1000.0, 50, 4096, 0)
    now = Counters(12.0, 103.0, 1004.0, 60, 4096, 8192)
    assert between(before, now) == Activity(75.0, 5.0, 0.0, 4096.0)


def test_what_is_not_counted_or_falls_is_unknown() -> None:
    assert between(Counters(1.0), Counters(2.0)) == Activity()
    assert between(Counters(1.0, 5.0, 9.0, 7, 7, 7), Counters(2.0, 4.0, 8.0, 6, 6, 6)) == Activity()
    assert between(Counters(1.0, 5.0, 9.0), Counters(2.0, 5.0, 9.0)).cpu_percent is None


def test_asked_again_at_once_it_tells_the_same() -> None:
    readings = iter(
        [Counters(0.0, major_faults=0), Counters(0.1, major_faults=9), Counters(1.0, major_faults=10),
         Counters(1.2, major_faults=99), Counters(2.0, major_faults=100)]
    )  # fmt: skip
    meter = ActivityMeter(lambda: next(readings))
    assert [meter.measure().major_faults for _ in range(5)] == [None, None, 10.0, 10.0, 90.0]


def test_the_real_counters_grow() -> None:
    first, second = read_counters(), read_counters()
    assert second.time >= first.time
    assert first.cpu_total is not None and first.cpu_busy is not None
    assert 0 < first.cpu_busy < first.cpu_total
    assert second.cpu_total is not None and second.cpu_total >= first.cpu_total


@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc/vmstat")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pgfault 5\npgmajfault 17\npswpin 2\npswpout x\n", (17, 2, None)),
        ("", (None, None, None)),
        ("\xff pgmajfault\npgmajfault\n", (None, None, None)),
    ],
)
def test_paging_is_read_from_vmstat(tmp_path: Path, text: str, expected: tuple[int | None, ...]) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/vmstat").write_text(text, encoding="latin-1")
    counters = read_counters(tmp_path)
    swapped_in = None if expected[1] is None else expected[1] * mmap.PAGESIZE
    assert (counters.major_faults, counters.swapped_in, counters.swapped_out) == (expected[0], swapped_in, expected[2])


@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc/vmstat")
def test_no_vmstat_is_unknown(tmp_path: Path) -> None:
    put(tmp_path / "proc", loadavg="0 0 0")
    assert read_counters(tmp_path).major_faults is None
