"""The guard: weighs a variant under a plan against what is free now, before anything is loaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from qtui.core.errors import Failure, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.consumers import left_open
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.footprints import Footprints, Known
from qtui.core.memory.limits import limit_notes
from qtui.core.memory.plan import LoadPlan, resolve
from qtui.core.memory.verdict import Fit, Headroom, Margins, Verdict, headroom, judge
from qtui.core.ports import Engine, Machine
from qtui.core.text import size


@dataclass(frozen=True, slots=True)
class Weighing:
    """One variant under one plan against the memory of this moment."""

    plan: LoadPlan
    """Resolved."""
    footprint: Footprint | None
    headroom: Headroom
    verdict: Verdict
    error: QtuiError | None = None
    """Why there is no footprint: a bad file, or a plan that llama.cpp refuses."""
    formula: Footprint | None = None
    """The closed form beside a dry run, as far as it was computed."""
    notes: tuple[str, ...] = ()
    """What this machine's limits change: locking, swap, a cgroup."""


class Guard:
    """Weighs variants. `simulated` replaces what is free (`--ram`, `--vram`)."""

    def __init__(
        self, footprints: Footprints, machine: Machine, engine: Engine,
        margins: Margins = Margins(), simulated: Headroom | None = None,
    ) -> None:  # fmt: skip
        self._footprints = footprints
        self._machine = machine
        self._engine = engine
        self._margins = margins
        self._simulated = simulated

    async def resolve(self, variant: Variant, plan: LoadPlan) -> LoadPlan:
        """Return the plan with what is automatic resolved for this file, machine and engine."""
        info = await self._engine.info()
        return resolve(
            left_open(plan, variant.context_length),
            trained_ctx=variant.context_length,
            layers=variant.layers,
            physical_cores=self._machine.hardware().physical_cores,
            gpu_count=len(info.gpus),
        )

    async def headroom(self, fresh: bool = True) -> Headroom:
        """Return what is free less the margin, over the cards that the engine uses."""
        if self._simulated is not None:
            return self._simulated
        sample = None if fresh else self._machine.latest()
        if sample is None:
            sample = await self._machine.sample()
        info = await self._engine.info()
        # NVML and CUDA may number cards differently; with one card, or the default order by bus, they agree.
        return headroom(sample, self._margins, tuple(range(len(info.gpus))))

    async def estimate(
        self,
        variant: Variant,
        plan: LoadPlan,
        *,
        giving_back: Pools = Pools(),
        beside: Pools = Pools(),
        fresh: bool = True,
    ) -> Weighing:
        """Weigh one variant by what can be told at once: what is known, else the closed form. As `weigh` otherwise."""
        return await self._weigh(
            self._footprints.estimate, variant, plan, giving_back=giving_back, beside=beside, fresh=fresh
        )

    async def weigh(
        self,
        variant: Variant,
        plan: LoadPlan,
        *,
        giving_back: Pools = Pools(),
        beside: Pools = Pools(),
        fresh: bool = True,
    ) -> Weighing:
        """Weigh one variant by what llama.cpp says, and by the closed form where it cannot be asked.

        `giving_back`: held by sessions that would end for it. `beside`: what must stay resident beside it.
        """
        return await self._weigh(
            self._footprints.ask, variant, plan, giving_back=giving_back, beside=beside, fresh=fresh
        )

    async def _weigh(
        self,
        source: Callable[[Variant, LoadPlan], Awaitable[Known]],
        variant: Variant,
        plan: LoadPlan,
        *,
        giving_back: Pools,
        beside: Pools,
        fresh: bool,
    ) -> Weighing:
        resolved = await self.resolve(variant, plan)
        known: Known
        try:
            resolved.check()
            known = await source(variant, resolved)
        except QtuiError as error:
            known = Known(error=error)
        room = (await self.headroom(fresh)).giving_back(giving_back).beside(beside)
        verdict = judge(known.footprint, room)
        if known.error is not None:
            verdict = Verdict(Fit.UNKNOWN, reason=known.error.message)
        return Weighing(
            resolved, known.footprint, room, verdict, known.error,
            formula=self._footprints.computed(variant, resolved),
            notes=limit_notes(known.footprint, room, verdict, self._machine.hardware().memlock_limit),
        )  # fmt: skip


def refusal(variant: Variant, weighing: Weighing) -> Failure | None:
    """Return why a load must not start, with the numbers and one suggestion; None when it may."""
    if weighing.error is not None and weighing.error.kind in ("bad_file", "plan_refused", "usage"):
        return Failure.of(weighing.error)
    if weighing.verdict.fit is not Fit.TOO_BIG or weighing.footprint is None:
        return None
    footprint = weighing.footprint
    context, weights = footprint.kind_bytes("context"), footprint.kind_bytes("weights")
    if context > footprint.total // 4:
        hint = (
            f"the context takes {size(context)} of it: a smaller --ctx-size, or --cache-type-k q8_0 --cache-type-v q8_0"
        )
    else:
        hint = f"the weights take {size(weights)} of it: a smaller quant"
    return Failure(f"{variant.title} {weighing.verdict.reason}", f"{hint}; --force loads all the same", kind="memory")
