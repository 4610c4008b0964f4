"""Making quants and matrices as one service: the children that do it, and what is left of those that were killed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import GatherEvent
from qtui.core.quantise.messages import QuantiseEvent, QuantisePlanned
from qtui.core.quantise.ports import Leftover
from qtui.core.quantise.recipe import Recipe, checked
from qtui.services.engine import part_files
from qtui.services.engine.gather import gather
from qtui.services.engine.quantise import first_shard, free_space, predict, quantise, refuse_same_file, result_files


class LocalWorkshop:
    """Works in children of this process."""

    def predict(self, source: Path, recipes: Sequence[Recipe]) -> AsyncGenerator[QuantisePlanned]:
        """Yield for each recipe what would be made, to the byte; nothing is written."""
        return predict(source, recipes)

    def quantise(
        self, source: Path, target: Path, recipe: Recipe, threads: int, *, overwrite: bool
    ) -> AsyncGenerator[QuantiseEvent]:
        """Make it; closing the iterator leaves nothing behind."""
        return quantise(source, target, recipe, threads, overwrite=overwrite)

    def gather(
        self, model: Path, text: Path, target: Path, *, ctx_size: int, chunks: int, plan: LoadPlan, overwrite: bool,
        process_output: bool = False, tool: str = "", reuse: bool = False,
    ) -> AsyncGenerator[GatherEvent]:  # fmt: skip
        """Gather an importance matrix; closing the iterator keeps what was gathered for the next time."""
        return gather(
            model, text, target, ctx_size=ctx_size, chunks=chunks, plan=plan, overwrite=overwrite,
            process_output=process_output, tool=tool, reuse=reuse,
        )  # fmt: skip

    def check_target(self, source: Path, target: Path, recipe: Recipe, *, overwrite: bool) -> None:
        """Raise why a result may not be written there."""
        source = first_shard(source)
        for result in result_files(source, target, checked(recipe)):
            refuse_same_file(source, result)
            part_files.refuse_target(result, overwrite=overwrite)

    def free_space(self, folder: Path) -> int | None:
        """Return the bytes that are free where a folder lies; None when it cannot be told."""
        return free_space(folder)

    def sweep(self, folder: Path | None = None) -> Sequence[Leftover]:
        """Remove the parts that killed processes left; returns what was removed."""
        return part_files.sweep([folder] if folder is not None else [])
