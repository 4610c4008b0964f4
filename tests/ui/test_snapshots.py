"""How the two places look, at the smallest and at a comfortable size. `pytest --snapshot-update` takes new pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from qtui.core.hardware import Gpu, ProcessMemory
from qtui.core.text import GIB
from tests.fakes import Reply
from tests.ui.stage import BROKEN, HUGE, LARGE, OTHER, PROJECTOR, SMALL, Stage, arena, rows_of, sees, wait_until

SIZES = [(80, 24), (120, 36)]
FIRST = (
    "The sky looks **blue** because air scatters short wavelengths more.\n\n1. Sunlight holds all colours.\n2. `1/x^4`"
)
SECOND = "The sky is blue.\n\n- At noon the path is short.\n- At dusk it is long."


def stage() -> Stage:
    made = Stage(variants=(SMALL, LARGE, OTHER, HUGE, BROKEN, PROJECTOR))
    made.machine.now = replace(made.machine.now, gpus=(Gpu(0, "A card", 12 * GIB, 8 * GIB),))
    peak = ProcessMemory(peak=int(1.14 * GIB))
    made.engine.enqueue(Reply(FIRST, thinking="Rayleigh it is", generation_rate=41.2, memory=peak), variant=SMALL)
    made.engine.enqueue(Reply(SECOND, generation_rate=44.0, memory=peak, finish_reason="length"), variant=LARGE)
    return made


@pytest.mark.parametrize("size", SIZES)
def test_models(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await sees(pilot, "6 files, 4 models")
        await wait_until(pilot, lambda: not any("asking" in row for row in rows_of(pilot)))
        await pilot.press("a", "j", "b")

    assert snap_compare(stage().app(), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", SIZES)
def test_arena(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await sees(pilot, "44.0 t/s")
        await wait_until(pilot, lambda: not arena(pilot)._operations.running)
        await pilot.press("escape")

    app: Any = stage().duel("Why is the sky blue?")
    assert snap_compare(app, terminal_size=size, run_before=settle)
