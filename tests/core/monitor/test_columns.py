"""Rows of samples as comma-separated values."""

from __future__ import annotations

import csv
from dataclasses import replace

from qtui.core.hardware import Foreign, Gpu, GroupEvents, MemorySample, Pressure, Throttle
from qtui.core.monitor.columns import head, row
from qtui.core.monitor.history import Moment
from qtui.core.text import GIB
from tests.fakes import make_seen

CARD = Gpu(0, "A card", 12 * GIB, 4 * GIB, busy=97.0, temperature=70, power=200.126, throttled=(Throttle.HEAT,))
FULL = MemorySample(
    1000.12345, 32 * GIB, 20 * GIB, 8 * GIB, GIB, 4 * GIB, 3 * GIB, (CARD,), cpu_percent=12.345, swap_in=0.0,
    anonymous=GIB, memory_pressure=Pressure(1.5, 0.5), group_events=GroupEvents(1, 2, 3), oom_kills=9,
    foreign=(Foreign(7, "x", 1, GIB),),
)  # fmt: skip


def parsed(moment: Moment, gpus: int, *alarms: str) -> dict[str, str]:
    names, values = csv.reader((head(gpus) + row(moment, gpus, alarms)).splitlines())
    return dict(zip(names, values, strict=True))


def test_everything_that_is_known() -> None:
    values = parsed(Moment(FULL, (make_seen(),)), 1, "swap", "headroom")
    assert (values["time"], values["ram_available"], values["cpu_percent"]) == ("1000.123", str(20 * GIB), "12.35")
    assert (values["swap_in_per_s"], values["memory_pressure_some"], values["oom_kills"]) == ("0.0", "1.5", "3")
    assert (values["gpu0_power"], values["gpu0_throttled"]) == ("200.13", "heat")
    assert (values["sessions"], values["rate"], values["foreign_vram"]) == ("1", "41.2", str(GIB))
    assert values["alarms"] == "swap+headroom"


def test_what_is_unknown_is_empty_and_never_zero() -> None:
    values = parsed(Moment(MemorySample(1.0, None, None, None, None)), 2)
    known = {name for name, value in values.items() if value}
    assert known == {"time", "sessions", "sessions_resident", "rate"}
    assert values["sessions_resident"] == "0"  # of no session


def test_a_card_that_comes_later_has_no_columns_and_one_that_goes_has_empty_ones() -> None:
    assert parsed(Moment(replace(FULL, gpus=())), 1)["gpu0_free"] == ""
    assert "gpu1_free" not in parsed(Moment(replace(FULL, gpus=(CARD, CARD))), 1)
