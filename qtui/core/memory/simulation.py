"""Graphics cards that are not here: what the closed form computes with for `--vram`, and why llama.cpp is not asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qtui.core.errors import EngineError
from qtui.core.hardware import Device, DeviceKind, EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Described, DryRun

BACKEND = "CUDA"
"""Simulated cards are laid out by the rules of the most common backend."""


class SimulatedCards:
    """An engine's description with cards of given free memory in place of its own.

    As many as it has keep their names and their backend; any other number are CUDA cards.
    """

    def __init__(self, engine: Described, free: Sequence[int]) -> None:
        self._engine = engine
        self._free = tuple(free)

    async def info(self) -> EngineInfo:
        """Return the engine's description with the simulated cards first, as llama.cpp lists them."""
        info = await self._engine.info()
        own = info.gpus
        if len(own) != len(self._free):
            own = tuple(
                Device(f"{BACKEND}{index}", "simulated", DeviceKind.GPU, size, size)
                for index, size in enumerate(self._free)
            )
        cards = tuple(replace(card, free=size) for card, size in zip(own, self._free, strict=True))
        others = tuple(device for device in info.devices if device not in info.gpus)
        return replace(info, devices=(*cards, *others))


class NotAsked:
    """Stands in for the dry run where there is nobody to ask: the closed form stays, and says why.

    Args:
        reason: the sentence.
        hint: what to do about it.
    """

    def __init__(self, reason: str, hint: str) -> None:
        self._reason = reason
        self._hint = hint

    @staticmethod
    def about(cards: int) -> NotAsked:
        """Return what stands in where so many cards are made up: llama.cpp only knows those that it finds."""
        named = f"{cards} simulated GPU{'s' if cards != 1 else ''}"
        return NotAsked(f"llama.cpp cannot be asked about {named}", "leave --vram out to ask about this machine")

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Raise EngineError with the reason."""
        raise EngineError(self._reason, self._hint)

    async def recall(self, _variant: Variant, _plan: LoadPlan) -> Footprint | None:
        """Return None: nothing was ever answered."""
        return None

    async def close(self) -> None:
        """Do nothing: there is nothing to end."""


class SharedAsFree:
    """A dry run of several cards whose shares follow the simulated free memory, as llama.cpp's follow the real."""

    def __init__(self, dry_run: DryRun, free: Sequence[int]) -> None:
        self._dry_run = dry_run
        self._shares = tuple(map(float, free))

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan; raises as the dry run does."""
        if plan.tensor_split or len(self._shares) < 2 or not all(self._shares):
            return await self._dry_run.footprint(variant, plan)
        told = await self._dry_run.footprint(variant, replace(plan, tensor_split=self._shares))
        return replace(told, plan=replace(told.plan, tensor_split=()))

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return what is remembered; one whose shares are set here is asked anew."""
        if plan.tensor_split or len(self._shares) < 2 or not all(self._shares):
            return await self._dry_run.recall(variant, plan)
        return None

    async def close(self) -> None:
        """End the helpers."""
        await self._dry_run.close()
