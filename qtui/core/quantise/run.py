"""The run that makes a quant: clears what was left before, gathers a matrix, predicts the result, then makes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from time import monotonic

from qtui.core.errors import Failure, UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import CTX_SIZE, Gathered, GatherProgressed, GatherStarted
from qtui.core.quantise.messages import Quantised, QuantisePlanned, QuantiseProgressed
from qtui.core.quantise.obstacles import no_room, obstacle, remarks
from qtui.core.quantise.ports import Leftover, Workshop
from qtui.core.quantise.recipe import Recipe
from qtui.core.quantise.weighing import Weigh, refuse_too_large
from qtui.core.rate import RateMeter


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made."""

    source: Path
    target: Path
    recipe: Recipe
    threads: int = 0
    overwrite: bool = False
    text: Path | None = None
    """Gather a matrix over this text first."""
    chunks: int = 0
    """Of the text at most; 0: all."""
    ctx_size: int = CTX_SIZE
    plan: LoadPlan = field(default_factory=LoadPlan)
    """How the model is loaded for gathering."""

    @property
    def matrix_target(self) -> Path:
        """Return where the matrix that is gathered goes: beside the result."""
        return self.target.with_name(f"{self.target.name.removesuffix('.gguf')}.imatrix.gguf")


class Phase(StrEnum):
    """What is done."""

    GATHERING = "gathering"
    MAKING = "making"


@dataclass(frozen=True, slots=True)
class Swept:
    """Parts that killed processes had left were removed."""

    leftovers: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True)
class Foretold:
    """What would be made, what is free for it, and what stands against it."""

    planned: QuantisePlanned
    free: int | None
    failure: Failure | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advanced:
    """A chunk was computed, or a tensor is being converted."""

    phase: Phase
    done: int
    total: int
    what: str = ""
    """The tensor."""
    fraction: float = 0.0
    left: float | None = None
    """Seconds; None until it can be told."""


@dataclass(frozen=True, slots=True)
class MatrixGathered:
    """The matrix is there, and is used."""

    gathered: Gathered


@dataclass(frozen=True, slots=True)
class Made:
    """The result is there."""

    result: Quantised
    foretold: Foretold


MakeEvent = Swept | GatherStarted | Advanced | MatrixGathered | Foretold | Made


async def make(
    order: Order, workshop: Workshop, weigh: Weigh | None = None, clock: Callable[[], float] = monotonic
) -> AsyncGenerator[MakeEvent]:
    """Make what is ordered; `weigh` tells whether the model fits for gathering a matrix.

    Closing the iterator leaves no part of the result, and what was gathered of a matrix.

    Raises:
        QtuiError: something stands against it (told by `Foretold` before), or it fails.
    """
    if order.text is not None and order.recipe.imatrix:
        raise UsageError("a matrix is given, and a text to gather one from", "give one of the two")
    if swept := tuple(await asyncio.to_thread(workshop.sweep, order.target.parent)):
        yield Swept(swept)
    workshop.check_target(order.source, order.target, order.recipe, overwrite=order.overwrite)
    recipe = order.recipe
    if order.text is not None:
        await _refuse_early(order, workshop)
        await refuse_too_large(weigh, order.plan, order.ctx_size)
        async with aclosing(_gather(order, workshop, clock)) as gathering:
            async for event in gathering:
                yield event
        recipe = replace(recipe, imatrix=str(order.matrix_target))
    told: Foretold | None = None
    meter, started = RateMeter(), clock()
    async with aclosing(
        workshop.quantise(order.source, order.target, recipe, order.threads, overwrite=order.overwrite)
    ) as making:
        async for step in making:
            if isinstance(step, QuantisePlanned):
                yield (told := foretell(step, workshop, order.target.parent))
            elif isinstance(step, QuantiseProgressed):
                meter.add(clock(), step.read)
                share = step.read / step.whole if step.whole else 0.0
                left = meter.time_left(step.whole - step.read)
                yield Advanced(Phase.MAKING, step.done, step.total, step.tensor, share, left)
            elif told is not None:
                # The whole of the time, the file's way to the disk included.
                yield Made(replace(step, elapsed=clock() - started), told)


def foretell(planned: QuantisePlanned, workshop: Workshop, folder: Path) -> Foretold:
    """Return a plan with what is free in a folder and what stands against it."""
    free = workshop.free_space(folder)
    failure = obstacle(planned) or no_room(planned.size, free, str(folder))
    return Foretold(planned, free, failure, () if planned.problem else tuple(remarks(planned)))


async def predict(
    source: Path, recipes: Sequence[Recipe], workshop: Workshop, folder: Path
) -> AsyncGenerator[Foretold]:
    """Yield for each recipe what it would make, and whether it would fit in a folder."""
    async with aclosing(workshop.predict(source, recipes)) as plans:
        async for planned in plans:
            yield foretell(planned, workshop, folder)


async def _refuse_early(order: Order, workshop: Workshop) -> None:
    """Raise what stands against it whatever the matrix will be, before hours are spent on one."""
    async with aclosing(predict(order.source, [order.recipe], workshop, order.target.parent)) as told:
        async for one in told:
            failure = one.failure
            if failure is not None and one.planned.needs_matrix:
                waived = replace(one.planned, needs_matrix=False)
                failure = foretell(waived, workshop, order.target.parent).failure
            if failure is not None:
                raise failure.as_error()


async def _gather(order: Order, workshop: Workshop, clock: Callable[[], float]) -> AsyncGenerator[MakeEvent]:
    assert order.text is not None
    async with aclosing(
        workshop.gather(
            order.source, order.text, order.matrix_target, ctx_size=order.ctx_size, chunks=order.chunks,
            plan=order.plan, overwrite=order.overwrite, reuse=True,
        )
    ) as events:  # fmt: skip
        meter = RateMeter()
        async for event in events:
            if isinstance(event, GatherStarted):
                meter.add(clock(), event.resumed)
                yield event
            elif isinstance(event, GatherProgressed):
                meter.add(clock(), event.done)
                left = meter.time_left(event.total - event.done)
                yield Advanced(Phase.GATHERING, event.done, event.total, "", event.done / event.total, left)
            else:
                yield MatrixGathered(event)
