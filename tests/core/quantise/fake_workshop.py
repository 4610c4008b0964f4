"""A workshop that makes nothing: what a test says of every type, steps, and a gate that holds the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import Gathered, GatherEvent, GatherProgressed, GatherStarted
from qtui.core.quantise.messages import Quantised, QuantiseEvent, QuantisePlanned, QuantiseProgressed, TypeShare
from qtui.core.quantise.ports import Leftover
from qtui.core.quantise.recipe import Recipe

MIX = (TypeShare("IQ2_S", 2, 1000),)


@dataclass
class FakeWorkshop:
    """Tells what it is told to."""

    planned: QuantisePlanned = field(default_factory=lambda: QuantisePlanned(Recipe("Q2_K"), (1000,), 2, 400, 400, MIX))
    left: Sequence[Leftover] = ()
    free: int | None = 1 << 40
    done: list[str] = field(default_factory=list)
    of_kind: dict[str, QuantisePlanned] = field(default_factory=dict)
    """What is said of single types."""
    hold: asyncio.Event | None = None
    """Waited for after half of the tensors."""
    hold_asking: asyncio.Event | None = None
    """Waited for before the last of what is asked together."""
    free_at: dict[Path, int] = field(default_factory=dict)
    """What is free in single folders."""
    fails: QtuiError | None = None
    """Raised when something is to be predicted."""
    closed: bool = False
    """What was being made was stopped."""

    async def predict(self, source: Path, recipes: Sequence[Recipe]) -> AsyncGenerator[QuantisePlanned]:
        self.done.append("predict")
        if self.fails is not None:
            raise self.fails
        for recipe in recipes:
            if recipe is recipes[-1] and self.hold_asking is not None:
                await self.hold_asking.wait()
            yield replace(self.of_kind.get(recipe.kind, self.planned), recipe=recipe)

    async def quantise(
        self, source: Path, target: Path, recipe: Recipe, threads: int, *, overwrite: bool
    ) -> AsyncGenerator[QuantiseEvent]:
        self.done.append(f"quantise {recipe.imatrix}")
        yield replace(self.of_kind.get(recipe.kind, self.planned), recipe=recipe)
        try:
            for step in range(4):
                if step == 2 and self.hold is not None:
                    await self.hold.wait()
                yield QuantiseProgressed(step, 4, f"t{step}", step * 100, 400)
            yield Quantised(1000, 1.0, (str(target),))
        except (asyncio.CancelledError, GeneratorExit):
            self.closed = True
            raise

    async def gather(
        self, model: Path, text: Path, target: Path, *, ctx_size: int, chunks: int, plan: LoadPlan, overwrite: bool,
        process_output: bool = False, tool: str = "", reuse: bool = False,
    ) -> AsyncGenerator[GatherEvent]:  # fmt: skip
        self.done.append(f"gather {target}")
        yield GatherStarted(2048, 4, 1)
        for done in (2, 3, 4):
            yield GatherProgressed(done, 4)
        yield Gathered(7, 4, 2048, 2.0, file=str(target))

    def check_target(self, source: Path, target: Path, recipe: Recipe, *, overwrite: bool) -> None:
        self.done.append("check")

    def free_space(self, folder: Path) -> int | None:
        return self.free_at.get(folder, self.free)

    def sweep(self, folder: Path | None = None) -> Sequence[Leftover]:
        return self.left
