"""The run that makes a quant, over a workshop that makes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qtui.core.errors import UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import Gathered, GatherEvent, GatherProgressed, GatherStarted
from qtui.core.quantise.messages import Quantised, QuantiseEvent, QuantisePlanned, QuantiseProgressed, TypeShare
from qtui.core.quantise.ports import Leftover
from qtui.core.quantise.recipe import Recipe
from qtui.core.quantise.run import Advanced, Foretold, Made, MatrixGathered, Order, Phase, Swept, make

MIX = (TypeShare("IQ2_S", 2, 1000),)


@dataclass
class FakeWorkshop:
    """Tells what it is told to."""

    planned: QuantisePlanned = field(default_factory=lambda: QuantisePlanned(Recipe("Q2_K"), (1000,), 2, 400, 400, MIX))
    left: Sequence[Leftover] = ()
    free: int | None = 1 << 40
    done: list[str] = field(default_factory=list)

    async def predict(self, source: Path, recipes: Sequence[Recipe]) -> AsyncGenerator[QuantisePlanned]:
        self.done.append("predict")
        yield self.planned

    async def quantise(
        self, source: Path, target: Path, recipe: Recipe, threads: int, *, overwrite: bool
    ) -> AsyncGenerator[QuantiseEvent]:
        self.done.append(f"quantise {recipe.imatrix}")
        yield self.planned
        for step in range(4):
            yield QuantiseProgressed(step, 4, f"t{step}", step * 100, 400)
        yield Quantised(1000, 1.0, (str(target),))

    async def gather(
        self, model: Path, text: Path, target: Path, *, ctx_size: int, chunks: int, plan: LoadPlan, overwrite: bool
    ) -> AsyncGenerator[GatherEvent]:
        self.done.append(f"gather {target}")
        yield GatherStarted(2048, 4, 1)
        for done in (2, 3, 4):
            yield GatherProgressed(done, 4)
        yield Gathered(7, 4, 2048, 2.0, file=str(target))

    def check_target(self, source: Path, target: Path, recipe: Recipe, *, overwrite: bool) -> None:
        self.done.append("check")

    def free_space(self, folder: Path) -> int | None:
        return self.free

    def sweep(self, folder: Path | None = None) -> Sequence[Leftover]:
        return self.left


ORDER = Order(Path("/m/a.gguf"), Path("/out/b.gguf"), Recipe("Q2_K"))


async def run(order: Order, workshop: FakeWorkshop) -> list[object]:
    ticks = iter(range(0, 10_000, 2))
    return [event async for event in make(order, workshop, lambda: float(next(ticks)))]


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


async def test_a_disk_too_small_is_foretold() -> None:
    events = await run(ORDER, FakeWorkshop(free=10))
    told = next(event for event in events if isinstance(event, Foretold))
    assert told.failure is not None and "has 10 B free" in told.failure.message


async def test_a_matrix_and_a_text_together_are_refused() -> None:
    order = Order(ORDER.source, ORDER.target, Recipe("Q2_K", imatrix="m.gguf"), text=Path("/t.txt"))
    with pytest.raises(UsageError, match="a matrix is given, and a text"):
        await run(order, FakeWorkshop())
