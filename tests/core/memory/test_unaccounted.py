"""What past runs have shown that llama.cpp leaves out on a card goes before what is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.footprint import ExtraItem
from qtui.core.memory.plan import ALL_LAYERS, LoadPlan
from qtui.core.memory.unaccounted import FRESH_S, LEAST_RUNS, ByCard, LeftOut, Unaccounted
from qtui.core.origin import Origin
from qtui.core.text import MIB
from tests.core.memory.closed_form.headers import with_cards
from tests.core.memory.fit.test_propose import Headers
from tests.core.memory.fit.test_propose import variant as header_variant
from tests.fakes import ScriptedEngine

PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=ALL_LAYERS)


class Past:
    """A history that counts how often it is read."""

    def __init__(self, *sizes: int) -> None:
        self.now: ByCard = {"A card": Unaccounted.of(sizes)} if sizes else {}
        self.read = 0
        self.error: QtuiError | None = None

    async def unaccounted(self) -> ByCard:
        self.read += 1
        if self.error:
            raise self.error
        return self.now


def model() -> Variant:
    return replace(header_variant("llama3.1-8b"), path=Path("/m/llama3.1-8b.gguf"))


async def items_on_cards(past: Past, cards: int = 1) -> list[ExtraItem]:
    engine = ScriptedEngine()
    engine.engine_info = with_cards(*[24] * cards)
    formula = ClosedForm(Headers(), engine, LeftOut(past.unaccounted))
    footprint = await formula.footprint(model(), PLAN)
    return [item for item in footprint.extra if item.pool.startswith("vram")]


async def test_a_median_of_enough_runs_replaces_what_is_computed_on_every_such_card() -> None:
    found = await items_on_cards(Past(300 * MIB, 310 * MIB, 500 * MIB), cards=2)
    assert [(item.item, item.pool) for item in found] == [
        ("driver and libraries", "vram0"), ("driver and libraries", "vram1")
    ]  # fmt: skip
    assert {(item.bytes, item.band, item.origin) for item in found} == {(310 * MIB, 190 * MIB, Origin.MEASURED)}


@pytest.mark.parametrize("sizes", [(), (300 * MIB,) * (LEAST_RUNS - 1), (-5 * MIB,) * LEAST_RUNS])
async def test_too_few_runs_and_less_than_nothing_say_nothing(sizes: tuple[int, ...]) -> None:
    assert [item.item for item in await items_on_cards(Past(*sizes))] == ["driver context", "cuBLAS workspace"]


async def test_another_card_is_computed() -> None:
    past = Past(300 * MIB, 300 * MIB, 300 * MIB)
    past.now = {"Another card": past.now["A card"]}
    assert [item.origin for item in await items_on_cards(past)] == [Origin.COMPUTED, Origin.COMPUTED]


async def test_without_cards_the_history_is_not_even_opened() -> None:
    past = Past(300 * MIB)
    assert await items_on_cards(past, cards=0) == [] and past.read == 0


async def test_the_history_is_read_once_a_minute_and_one_that_is_damaged_says_nothing() -> None:
    now = 0.0
    past = Past(1, 2, 3)
    left_out = LeftOut(past.unaccounted, lambda: now)
    for _ in range(5):
        assert (await left_out.by_card())["A card"].median == 2
    assert past.read == 1
    now, past.error = FRESH_S, QtuiError("damaged")
    assert await left_out.by_card() == {} and past.read == 2
    assert await LeftOut().by_card() == {}
