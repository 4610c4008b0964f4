"""Footprints by the engine of a plan: each program is asked about its own devices, one elsewhere about nothing.

They are of sessions as qtui starts them: a llama-server then keeps no earlier prompts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from qtui.core.engines import is_url
from qtui.core.errors import EngineError
from qtui.core.library.variant import Variant
from qtui.core.memory.consumers import BUILT_IN
from qtui.core.memory.extras import PROMPT_CACHE
from qtui.core.memory.fit.scale import Probe
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Described, DryRun, Formula

OtherOf = Callable[[str], Awaitable[tuple[Described, DryRun] | None]]
"""Finds what an engine's name means where it has devices of its own; None: the built-in engine answers for it."""


def refuse_elsewhere(plan: LoadPlan) -> None:
    """Refuse to say what a plan needs on another machine.

    Raises:
        EngineError: its engine is one that is named by its address.
    """
    if is_url(plan.engine):
        raise EngineError("it runs at its own address: what it needs there is not known", "it is not weighed")


def as_started(footprint: Footprint) -> Footprint:
    """Return a footprint without what a program takes only when it is started by itself."""
    kept = tuple(item for item in footprint.extra if item.item != PROMPT_CACHE)
    saved = sum(item.bytes for item in footprint.extra) - sum(item.bytes for item in kept)
    if not saved:
        return footprint
    pools = replace(footprint.pools, ram_anonymous=footprint.pools.ram_anonymous - saved)
    return replace(footprint, extra=kept, pools=pools, peak=footprint.peak - saved)


class DryRunByEngine:
    """Implements `core.ports.DryRun` over the dry runs of several engines."""

    def __init__(self, built_in: DryRun, other: OtherOf) -> None:
        self._built_in = built_in
        self._other = other
        self._used: list[DryRun] = []

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan; see `core.ports.DryRun`."""
        refuse_elsewhere(plan)
        return as_started(await (await self._of(plan)).footprint(variant, plan))

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return what was answered before; see `core.ports.DryRun`."""
        if is_url(plan.engine):
            return None
        told = await (await self._of(plan)).recall(variant, plan)
        return as_started(told) if told is not None else None

    async def close(self) -> None:
        """End the helpers of all engines that were asked."""
        for dry_run in (self._built_in, *self._used):
            await dry_run.close()

    async def _of(self, plan: LoadPlan) -> DryRun:
        found = await self._other(plan.engine) if plan.engine != BUILT_IN.name else None
        if found is None:
            return self._built_in
        if found[1] not in self._used:
            self._used.append(found[1])
        return found[1]


class FormulaByEngine:
    """Implements `core.ports.Formula`: each engine's devices decide. `make` returns the closed form of an engine."""

    def __init__(self, built_in: Formula, other: OtherOf, make: Callable[[Described], Formula]) -> None:
        self._built_in = built_in
        self._other = other
        self._make = make

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan; see `core.ports.Formula`."""
        refuse_elsewhere(plan)
        return as_started(await (await self._of(plan)).footprint(variant, plan))

    async def bind(self, variant: Variant, plan: LoadPlan) -> Probe:
        """Read all that a search over plans of one variant needs; see `core.ports.Formula`."""
        refuse_elsewhere(plan)
        return await (await self._of(plan)).bind(variant, plan)

    async def _of(self, plan: LoadPlan) -> Formula:
        found = await self._other(plan.engine) if plan.engine != BUILT_IN.name else None
        return self._built_in if found is None else self._make(found[0])
