"""What making quants needs of the outside world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import GatherEvent
from qtui.core.quantise.messages import QuantiseEvent, QuantisePlanned
from qtui.core.quantise.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Leftover:
    """A part of a file that nobody makes any more, since what made it was killed."""

    path: Path
    size: int
    """Bytes."""


class Workshop(Protocol):
    """Makes quants and matrices, in processes of their own. All raise QtuiError."""

    def predict(self, source: Path, recipes: Sequence[Recipe]) -> AsyncGenerator[QuantisePlanned]:
        """Yield for each recipe what would be made, to the byte; nothing is written."""
        ...

    def quantise(
        self, source: Path, target: Path, recipe: Recipe, threads: int, *, overwrite: bool
    ) -> AsyncGenerator[QuantiseEvent]:
        """Make it; closing the iterator leaves nothing behind."""
        ...

    def gather(
        self, model: Path, text: Path, target: Path, *, ctx_size: int, chunks: int, plan: LoadPlan, overwrite: bool,
        process_output: bool = False, tool: str = "", reuse: bool = False,
    ) -> AsyncGenerator[GatherEvent]:  # fmt: skip
        """Gather an importance matrix; closing the iterator keeps what was gathered for the next time.

        `reuse`: a finished one of the same model, text, context and number of chunks at the target is taken as it is.
        `tool` is a llama-imatrix that does it instead.
        """
        ...

    def check_target(self, source: Path, target: Path, recipe: Recipe, *, overwrite: bool) -> None:
        """Raise why a result may not be written there."""
        ...

    def free_space(self, folder: Path) -> int | None:
        """Return the bytes that are free where a folder lies; None when it cannot be told."""
        ...

    def sweep(self, folder: Path | None = None) -> Sequence[Leftover]:
        """Remove the parts that killed processes left; returns what was removed."""
        ...
