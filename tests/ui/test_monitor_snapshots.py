"""How the Monitor looks, at the smallest and at a comfortable size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from qtui.core.hardware import Gpu
from qtui.core.sessions import SessionState
from qtui.core.text import GIB, MIB
from tests.fakes import make_seen
from tests.ui.stage import Stage, sees, wait_until

START = 1_700_000_000.0


SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)])


@SIZES
def test_monitor(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    check(snap_compare, size, swapping=False)


@SIZES
def test_monitor_in_alarm(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    check(snap_compare, size, swapping=True)


@SIZES
def test_monitor_with_a_chart(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """The card's memory, of which nothing is known for some seconds."""
    check(snap_compare, size, swapping=False, keys=("G", "G", "k", "k", "enter"), lost=range(30, 38))


def check(
    snap_compare: Callable[..., bool], size: tuple[int, int], *, swapping: bool, keys: tuple[str, ...] = (),
    lost: range = range(0),
) -> None:  # fmt: skip
    """Compare the picture of a minute at whose end memory is swapped out, or is not, after some keys."""
    made = Stage(variants=())
    app = made.app()

    async def a_minute(pilot: Pilot[None]) -> None:
        """Load, read and answer, second by second."""
        await pilot.press("4")
        for second in range(1, 50):
            answering = second > 12
            card = Gpu(
                0, "A card", 12 * GIB, None if second in lost else (12 - min(second, 12) * 5 // 6) * GIB,
                processes=((4242, 5 * GIB),),
                busy=96.0 if answering else 4.0, temperature=71, power=212.0,
            )  # fmt: skip
            first = make_seen(
                "a1b2c3d4", "Qwen3-8B Q4_K_M", estimated_vram=5 * GIB, own=True, rate=41.2 if answering else None,
                state=SessionState.ANSWERING if answering else SessionState.LOADING,
                progress=None if answering else second / 12,
            )  # fmt: skip
            other = make_seen("e5f60718", "gemma-3-12b-it Q4_K_M", pid=77, state=SessionState.READY, rate=28.3)
            made.sessions.seen = [first, other]
            sample = replace(
                made.machine.now, time=START + second, gpus=(card,), ram_available=(20 - second // 5) * GIB,
                file_cache=6 * GIB, cpu_percent=float(20 + second), major_faults=float(30 * (second % 17 == 0)),
                swap_in=0.0, swap_out=1.5 * MIB if swapping and second > 40 else 0.0,
                swap_used=second // 41 * GIB // 4 if swapping else 0,
            )  # fmt: skip
            made.machine.now = sample
            made.machine.changed.set()
            await wait_until(pilot, lambda wanted=sample: _newest(pilot) == wanted)  # type: ignore[misc]
        await sees(pilot, f"in 0   out {'1.5' if swapping else '0'} MiB/s")
        await pilot.press(*keys)
        await sees(pilot, "1 min ago" if keys else "the last minute")

    assert snap_compare(app, terminal_size=size, run_before=a_minute)


def _newest(pilot: Pilot[None]) -> object:
    latest = pilot.app._vitals.history.latest  # type: ignore[attr-defined]
    return latest.sample if latest else None
