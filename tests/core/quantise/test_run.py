"""The run that makes a quant, over a workshop that makes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.errors import Failure, MemoryRefusedError, UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.messages import QuantisePlanned
from qtui.core.quantise.ports import Leftover
from qtui.core.quantise.recipe import Recipe
from qtui.core.quantise.run import Advanced, Foretold, Made, MatrixGathered, Order, Phase, Swept, make
from qtui.core.quantise.weighing import Weigh
from tests.core.quantise.fake_workshop import MIX, FakeWorkshop

ORDER = Order(Path("/m/a.gguf"), Path("/out/b.gguf"), Recipe("Q2_K"))


async def run(order: Order, workshop: FakeWorkshop, weigh: Weigh | None = None) -> list[object]:
    ticks = iter(range(0, 10_000, 2))
    return [event async for event in make(order, workshop, weigh, lambda: float(next(ticks)))]


async def test_a_quant_is_foretold_made_and_timed() -> None:
    foretold, *steps, made = await run(ORDER, FakeWorkshop())
    assert isinstance(foretold, Foretold) and foretold.failure is None
    assert [(step.fraction, step.left) for step in steps if isinstance(step, Advanced)] == [
        (0.0, None), (0.25, 6.0), (0.5, 4.0), (0.75, 2.0),
    ]  # fmt: skip
    assert isinstance(made, Made) and made.result.elapsed == 10.0


async def test_what_a_killed_run_left_is_told_first() -> None:
    left = Leftover(Path("/out/.b.part"), 5)
    first, *_ = await run(ORDER, FakeWorkshop(left=[left]))
    assert first == Swept((left,))


async def test_a_matrix_is_gathered_beside_the_result_and_used() -> None:
    workshop = FakeWorkshop()
    order = Order(ORDER.source, ORDER.target, Recipe("Q2_K"), text=Path("/t.txt"))
    events = await run(order, workshop)
    assert workshop.done == [
        "check", "predict", "gather /out/b.imatrix.gguf", "quantise /out/b.imatrix.gguf",
    ]  # fmt: skip
    phases = [event.phase for event in events if isinstance(event, Advanced)]
    assert phases == [Phase.GATHERING] * 3 + [Phase.MAKING] * 4
    assert any(isinstance(event, MatrixGathered) for event in events)


async def test_nothing_is_gathered_for_what_cannot_be_made() -> None:
    workshop = FakeWorkshop(planned=QuantisePlanned(Recipe("Q2_K"), (1000,), 2, 400, 400, MIX, requantised=("Q8_0",)))
    with pytest.raises(UsageError, match="quantised already"):
        await run(Order(ORDER.source, ORDER.target, Recipe("Q2_K"), text=Path("/t.txt")), workshop)
    assert workshop.done == ["check", "predict"]


async def test_a_type_that_needs_a_matrix_is_no_obstacle_to_gathering_one() -> None:
    planned = QuantisePlanned(Recipe("IQ2_S"), (1000,), 2, 400, 400, MIX, needs_matrix=True)
    workshop = FakeWorkshop(planned=planned)
    await run(Order(ORDER.source, ORDER.target, Recipe("IQ2_S"), text=Path("/t.txt")), workshop)
    assert workshop.done[-1].startswith("quantise")


async def test_a_model_too_large_for_gathering_is_refused_before_it_is_loaded() -> None:
    asked: list[LoadPlan] = []

    async def weigh(plan: LoadPlan) -> Failure | None:
        asked.append(plan)
        return Failure("needs 9 GiB, 4 are free", "close something", "memory")

    workshop = FakeWorkshop()
    with pytest.raises(MemoryRefusedError, match="needs 9 GiB"):
        await run(Order(ORDER.source, ORDER.target, Recipe("Q2_K"), text=Path("/t.txt")), workshop, weigh)
    assert workshop.done == ["check", "predict"]
    assert (asked[0].ctx_size, asked[0].batch_size, asked[0].ubatch_size) == (512, 512, 512)


async def test_a_disk_too_small_is_foretold() -> None:
    events = await run(ORDER, FakeWorkshop(free=10))
    told = next(event for event in events if isinstance(event, Foretold))
    assert told.failure is not None and "has 10 B free" in told.failure.message


async def test_a_matrix_and_a_text_together_are_refused() -> None:
    order = Order(ORDER.source, ORDER.target, Recipe("Q2_K", imatrix="m.gguf"), text=Path("/t.txt"))
    with pytest.raises(UsageError, match="a matrix is given, and a text"):
        await run(order, FakeWorkshop())
