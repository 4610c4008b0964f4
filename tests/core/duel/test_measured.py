"""Measured rounds: order, warm-up, repeats of a round whose side died, and what the numbers say."""

from __future__ import annotations

import math
import random

import pytest

from qtui.core.duel.measured import REPEATS, Measured, MeasuredEvent, Ratio, RoundBegins, RoundRepeated, measured_rounds
from qtui.core.duel.run import DuelMode, RoundEnded
from qtui.core.duel.spread import Spread, median_interval
from qtui.core.duel.statistics import Interval
from qtui.core.errors import Failure
from tests.core.duel.test_run import BIG, DIED, SMALL, World
from tests.fakes import Reply


async def events_of(world: World, rounds: int, *prompts: str, mode: DuelMode | None = None) -> list[MeasuredEvent]:
    await world.put()
    try:
        return [event async for event in measured_rounds(world.duel, prompts or ("What?",), rounds, mode=mode)]
    finally:
        await world.duel.close()


def measured(events: list[MeasuredEvent]) -> Measured:
    assert isinstance(events[-1], Measured)
    return events[-1]


async def test_every_round_draws_its_order_anew_and_runs_in_it() -> None:
    world = World()
    events = await events_of(world, 12)
    orders = [event.order for event in events if isinstance(event, RoundBegins)]
    assert len(orders) == 13
    assert {("A", "B"), ("B", "A")} == set(orders)
    quants = {"A": BIG.quant, "B": SMALL.quant}
    asked = [quant for what, quant in world.engine.journal if what == "ask"]
    assert asked == [quants[label] for order in orders for label in order]
    again = await events_of(World(), 12)
    assert [event.order for event in again if isinstance(event, RoundBegins)] == orders


async def test_one_answers_at_a_time_from_an_empty_cache_and_a_new_conversation() -> None:
    world = World()
    await events_of(world, 3)
    kinds = [what for what, _ in world.engine.journal if what in ("ask", "answered")]
    assert kinds == ["ask", "answered"] * 8
    requests = [request for session in world.engine.sessions for request in session.requests]
    assert not any(request.reuse_prefix for request in requests)
    assert {len(request.messages) for request in requests} == {1}


async def test_the_first_round_is_discarded() -> None:
    world = World()
    for variant in (BIG, SMALL):
        world.engine.enqueue(Reply(generation_rate=1.0), Reply(generation_rate=40.0), variant=variant)
    told = measured(await events_of(world, 2))
    assert [side.generation_rate.samples for side in told.sides] == [(40.0, 40.0), (40.0, 40.0)]
    assert len(told.rounds) == 2
    assert "after one that is discarded" in told.method


async def test_prompts_are_measured_one_after_the_other() -> None:
    told = measured(await events_of(World(), 2, "One?", "Two?"))
    assert [ended.prompt for ended in told.rounds] == ["One?", "One?", "Two?", "Two?"]


async def test_a_round_in_which_a_side_died_is_repeated_and_the_rest_is_kept() -> None:
    world = World()
    world.engine.enqueue(*[Reply()] * 7, Reply("half", failure=DIED, fatal=True), variant=SMALL)
    events = await events_of(world, 20)
    told = measured(events)
    assert [(event.number, event.side) for event in events if isinstance(event, RoundRepeated)] == [(7, "B")]
    assert len(told.rounds) == 20
    assert told.failure is None
    assert all(side.answer for ended in told.rounds for side in ended.sides)
    assert [quant for what, quant in world.engine.journal if what == "load"].count(SMALL.quant) == 2


async def test_a_side_that_dies_again_and_again_ends_it_with_what_was_measured() -> None:
    world = World()
    world.engine.enqueue(*[Reply()] * 3, *[Reply(failure=DIED, fatal=True)] * 9, variant=SMALL)
    events = await events_of(world, 20)
    told = measured(events)
    assert len([event for event in events if isinstance(event, RoundRepeated)]) == REPEATS
    assert (len(told.rounds), told.failure) == (2, DIED)
    assert "2 rounds of 20 that were wanted" in told.method


async def test_what_is_refused_is_not_tried_again() -> None:
    world = World()
    world.engine.enqueue(Reply(failure=Failure("the prompt is too long", kind="prompt")), variant=BIG)
    events = await events_of(world, 3)
    assert sum(isinstance(event, RoundEnded) for event in events) == 1
    assert measured(events).rounds == ()


async def test_the_ratio_compares_the_sides_round_by_round() -> None:
    world = World()
    rates = [40.0, 41.0, 39.0, 60.0, 40.0, 42.0, 38.0]
    world.engine.enqueue(*(Reply(generation_rate=value) for value in rates), variant=BIG)
    world.engine.enqueue(*(Reply(generation_rate=value * 1.5) for value in rates), variant=SMALL)
    told = measured(await events_of(world, 6))
    assert told.ratio is not None
    assert told.ratio.median == pytest.approx(1.5)
    assert told.ratio.sentence == "B generates 1.500 times as fast as A (1.500 to 1.500)"
    assert told.outliers[0].startswith("A: 60.0 t/s in round 3 stands out from a median of 40.5")
    assert told.sides[0].generation_rate.stdev is not None
    assert told.sides[0].peak == 450 << 20


def test_a_ratio_around_one_shows_nothing() -> None:
    assert Ratio(1.01, Interval(0.98, 1.03)).sentence.endswith("no difference shown")
    assert "would tell" in Ratio(1.01, None).sentence


async def test_together_is_told_as_what_it_is() -> None:
    told = measured(await events_of(World(), 2, mode=DuelMode.TOGETHER))
    assert "the rates are shared" in told.method


def test_outliers_stand_out_and_stay_in() -> None:
    assert Spread((10.0, 10.1, 9.9, 10.0, 15.0)).outliers == (4,)
    assert Spread((10.0, 10.0, 10.0, 10.0, 10.0, 15.0)).outliers == (5,)
    assert Spread((10.0,) * 6).outliers == ()
    assert Spread((1.0, 100.0, 1.0, 1.0)).outliers == ()
    assert Spread(()).as_json()["median"] is None


@pytest.mark.parametrize(("total", "low", "high"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (20, 6, 15)])
def test_the_interval_of_the_median_is_the_textbooks(total: int, low: int, high: int) -> None:
    """Conover's and Hollander-Wolfe's tables of order statistics for a median, 95 %."""
    assert median_interval([float(k) for k in range(total, 0, -1)]) == Interval(low, high)


def test_five_values_give_no_interval() -> None:
    assert median_interval([1.0] * 5) is None


def test_the_interval_of_the_median_covers_as_often_as_it_says() -> None:
    drawn = random.Random(7)
    covered = 0
    for _ in range(2000):
        interval = median_interval([drawn.expovariate(1.0) for _ in range(10)])
        assert interval is not None
        covered += interval.low <= math.log(2) <= interval.high
    assert covered / 2000 > 0.95
