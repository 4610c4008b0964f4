from __future__ import annotations

from dataclasses import replace

from qtui.core.hardware import Gpu, MemorySample
from qtui.core.memory.steady import Steady
from qtui.core.text import GIB, MIB

START = MemorySample(0.0, 32 * GIB, 16 * GIB, 0, 0, gpus=(Gpu(0, "card", 12 * GIB, 8 * GIB),))


def at(time: float, ram: int = 16 * GIB, card: int | None = 8 * GIB) -> MemorySample:
    return replace(START, time=time, ram_available=ram, gpus=(replace(START.gpus[0], free=card),))


def test_small_moves_and_short_ones_change_nothing() -> None:
    steady = Steady()
    assert not steady.moved(START)
    for second in range(1, 10):
        assert not steady.moved(at(second, ram=16 * GIB - 127 * MIB))
    assert not steady.moved(at(10, ram=GIB))
    assert not steady.moved(at(12, ram=GIB))
    assert not steady.moved(at(13))  # back before 3 s were over
    assert not steady.moved(at(14, ram=GIB))
    assert not steady.moved(at(16.9, ram=GIB))


def test_a_move_that_lasts_is_told_once() -> None:
    steady = Steady()
    steady.moved(START)
    told = [steady.moved(at(second, ram=15 * GIB)) for second in range(1, 10)]
    assert told == [False, False, False, True, False, False, False, False, False]


def test_a_card_that_moves_or_goes_unknown_counts() -> None:
    steady = Steady()
    steady.moved(START)
    assert [steady.moved(at(s, card=7 * GIB)) for s in (1, 4)] == [False, True]
    assert [steady.moved(at(s, card=None)) for s in (5, 8)] == [False, True]
    assert [steady.moved(replace(at(s), gpus=())) for s in (9, 12)] == [False, True]
