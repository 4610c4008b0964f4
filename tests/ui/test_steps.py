"""`<` and `>` in the Arena: the next variant of the model, its price first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.duel.steps import next_variant
from qtui.core.errors import BadFileError
from qtui.core.text import GIB
from tests.fakes import make_variant
from tests.ui.stage import BROKEN, LARGE, OTHER, PROJECTOR, SMALL, Stage, arena, screen_text, sees, told, wait_until
from tests.ui.test_blind import blind
from tests.ui.test_chat import rested

MIDDLE = make_variant("alpha", "Q6_K", size=GIB + GIB // 2)
COPY = replace(LARGE, path=Path("/models/copy/Alpha-Q8_0.gguf"))
SHELF = (SMALL, LARGE, MIDDLE, OTHER, BROKEN, PROJECTOR, COPY)


async def resting(pilot: Pilot[None]) -> None:
    await rested(pilot)
    await pilot.press("escape")


def held(pilot: Pilot[None]) -> list[str]:
    return [side.variant.quant for side in arena(pilot).panes.sides.values() if side.variant]


def test_steps_go_by_size_within_the_model() -> None:
    assert next_variant(SMALL, SHELF, 1) == MIDDLE
    assert next_variant(LARGE, SHELF, -1) == MIDDLE
    assert next_variant(LARGE, SHELF, 1) is None  # a copy is no step
    assert next_variant(SMALL, SHELF, -1) is None
    assert next_variant(OTHER, SHELF, -1) is None


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_the_price_comes_first_and_the_variant_with_the_second_press(size: tuple[int, int]) -> None:
    stage = Stage(variants=SHELF)
    async with stage.duel(A=SMALL, B=OTHER).run_test(size=size) as pilot:
        await resting(pilot)
        await pilot.press(">")
        await sees(pilot, "A Q6_K · needs")
        line = next(line for line in screen_text(pilot).splitlines() if "Q6_K · needs" in line)
        assert " GiB (+" in line
        assert "t/s" in line
        assert "> again" in line
        assert held(pilot) == ["Q4_K_M", "Q6_K"]
        await pilot.press(">")
        await wait_until(pilot, lambda: arena(pilot).panes.sides["A"].variant == MIDDLE)
        await wait_until(pilot, lambda: "again" not in screen_text(pilot))
        await resting(pilot)
        await pilot.press("<")
        await sees(pilot, "A Q4_K_M · needs")
        assert " GiB (-" in screen_text(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "again" not in screen_text(pilot))
        assert arena(pilot).panes.sides["A"].variant == MIDDLE


async def test_the_side_that_has_the_focus_steps() -> None:
    stage = Stage(variants=SHELF)
    async with stage.duel(A=OTHER, B=LARGE).run_test(size=(120, 36)) as pilot:
        await resting(pilot)
        arena(pilot).panes["B"].transcript.focus()
        await pilot.press("<")
        await sees(pilot, "B Q6_K · needs")
        await pilot.press(">")  # the other direction is another question
        await told(pilot, "No larger variant of this model is here.")
        assert arena(pilot).panes.sides["B"].variant == LARGE


async def test_a_variant_that_cannot_be_weighed_has_no_price_and_no_step_tells_in_a_blind_round() -> None:
    stage = Stage(variants=SHELF)
    stage.dry_run.errors[MIDDLE.path] = BadFileError("[b]broken[/b]", "x")
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await resting(pilot)
        await pilot.press(">")
        await sees(pilot, "needs ?")
        await blind(pilot)
        await pilot.press(">")
        await rested(pilot)
        assert "needs" not in screen_text(pilot)
