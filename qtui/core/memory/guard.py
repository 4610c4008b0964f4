"""The guard: weighs a variant under a plan against what is free now, before anything is loaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

from qtui.core.engines import EngineKind, engine_kind
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.consumers import BUILT_IN, left_open
from qtui.core.memory.fit.placing import layers_asked, place, placed_text, placement_options
from qtui.core.memory.fit.scale import Scale
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.footprints import Footprints, Known
from qtui.core.memory.limits import limit_notes
from qtui.core.memory.plan import LoadPlan, resolve
from qtui.core.memory.turns import Urgency
from qtui.core.memory.verdict import Fit, Headroom, Margins, Verdict, engine_headroom, judge
from qtui.core.memory.warnings import Circumstances, PlanWarning, plan_warnings
from qtui.core.ports import Described, Machine
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
    """What this machine's limits change: swap, a cgroup."""
    warnings: tuple[PlanWarning, ...] = ()
    """What will not go as the plan says."""
    fitting: LoadPlan | None = None
    """Where it is `partial`: the plan that fits, with fewer layers on cards or experts in RAM; resolved."""


BuildOf = Callable[[str], Awaitable[EngineInfo | None]]
"""Tells the build of an engine by its name in a plan; None: there is none, or it does not tell."""


class Guard:
    """Weighs variants. `simulated` replaces what is free (`--ram`, `--vram`)."""

    def __init__(
        self, footprints: Footprints, machine: Machine, engine: Described,
        margins: Margins = Margins(), simulated: Headroom | None = None, *, build_of: BuildOf | None = None,
    ) -> None:  # fmt: skip
        self._footprints = footprints
        self._machine = machine
        self._engine = engine
        self.margins = margins
        """What is kept free; the user may change it at any time."""
        self._simulated = simulated
        self._build_of = build_of
        self.as_programs_do = False
        """What a plan leaves open is as its program does it when started by itself; else as qtui starts it."""

    def keeping(self, free: int) -> Guard:
        """Return a guard over the same footprints that keeps so many bytes free: of RAM, and of each card."""
        room = self._simulated
        if room is not None:
            room = replace(room, margin_ram=free, margin_vram=(free,) * len(room.free_vram))
        other = copy(self)
        other.margins, other._simulated = Margins(free, free), room
        return other

    async def resolve(self, variant: Variant, plan: LoadPlan) -> LoadPlan:
        """Return the plan with what is automatic resolved for this file, machine and engine."""
        info = await self._info(plan)
        return resolve(
            left_open(plan, variant.context_length) if self.as_programs_do else plan,
            trained_ctx=variant.context_length,
            layers=variant.layers,
            physical_cores=self._machine.hardware().physical_cores,
            gpu_count=len(info.gpus),
        )

    async def _info(self, plan: LoadPlan | None) -> EngineInfo:
        """Return the engine whose devices count for a plan: its own, as far as it tells them."""
        info = await self._engine.info()
        if plan is None or plan.engine == BUILT_IN.name or self._build_of is None or self._simulated is not None:
            return info
        if info.name != BUILT_IN.name:  # this guard is another engine's already
            return info
        return await self._build_of(plan.engine) or info

    async def headroom(self, fresh: bool = True, plan: LoadPlan | None = None) -> Headroom:
        """Return what is free less the margin, over the cards that the engine uses, of a plan where one is given."""
        if self._simulated is not None:
            return self._simulated
        sample = None if fresh else self._machine.latest()
        if sample is None:
            sample = await self._machine.sample()
        info = await self._info(plan)
        # NVML and CUDA may number cards differently; with one card, or the default order by bus, they agree.
        return engine_headroom(sample, self.margins, info.gpus)

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
        urgency: Urgency = Urgency.NOW,
    ) -> Weighing:
        """Weigh one variant by what llama.cpp says, and by the closed form where it cannot be asked.

        `giving_back`: held by sessions that would end for it. `beside`: what must stay resident beside it. `urgency`:
        how soon llama.cpp's answer is wanted.
        """
        ask = partial(self._footprints.ask, urgency=urgency)
        return await self._weigh(ask, variant, plan, giving_back=giving_back, beside=beside, fresh=fresh)

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
        room = (await self.headroom(fresh, resolved)).giving_back(giving_back).beside(beside)
        verdict = judge(known.footprint, room)
        fitting: LoadPlan | None = None
        words = ""
        if known.error is not None:
            verdict = Verdict(Fit.UNKNOWN, reason=known.error.message)
        elif verdict.fit is Fit.TOO_BIG and resolved.n_gpu_layers and beside == Pools():
            # Beside something else the question is whether both fit as planned.
            fitting, words = await self._placed(variant, resolved, known.footprint, room)
        if fitting is not None:
            verdict = replace(verdict, fit=Fit.PARTIAL, reason=f"{words}; {verdict.reason}")
        return Weighing(
            resolved, known.footprint, room, verdict, known.error,
            formula=self._footprints.computed(variant, resolved),
            notes=limit_notes(known.footprint, room, verdict),
            warnings=await self._warnings(variant, resolved, known.footprint, room),
            fitting=fitting,
        )  # fmt: skip

    async def _warnings(
        self, variant: Variant, resolved: LoadPlan, footprint: Footprint | None, room: Headroom
    ) -> tuple[PlanWarning, ...]:
        """Return what will not go as a plan says, with the build that would load it where that can be told."""
        engine, missing = await self._build(resolved.engine)
        return plan_warnings(
            Circumstances(variant, resolved, self._machine.hardware(), footprint, room, engine, engine_missing=missing)
        )

    async def _build(self, engine: str) -> tuple[EngineInfo | None, bool]:
        """Return the build behind an engine's name, None where it cannot be told; and whether there is none."""
        info = await self._engine.info()
        if (info.name == BUILT_IN.name) is (engine == BUILT_IN.name):
            return info, False
        found = await self._build_of(engine) if self._build_of is not None else None
        try:
            sought = self._build_of is not None and engine_kind(engine) is EngineKind.SERVER
        except UsageError:  # a program that is only weighed
            sought = False
        return found, sought and found is None

    async def scale(self, variant: Variant, resolved: LoadPlan, room: Headroom) -> Scale | None:
        """Return what a search over plans of a variant weighs on; None where there is no closed form for it."""
        try:
            probe = await self._footprints.bind(variant, resolved)
        except QtuiError:
            return None
        return Scale(probe, room) if probe is not None else None

    async def _placed(
        self, variant: Variant, resolved: LoadPlan, told: Footprint | None, room: Headroom
    ) -> tuple[LoadPlan | None, str]:
        """Return the plan as it would fit with other places for layers and experts, in words too; None: not at all."""
        computed = self._footprints.computed(variant, resolved)
        if told is not None and computed is not None:
            # What llama.cpp needs more than the closed form says, it will need elsewhere too.
            room = room.beside(told.pools.beyond(computed.pools))
        scale = await self.scale(variant, resolved, room)
        if scale is None:
            return None, ""
        wanted = replace(resolved, n_gpu_layers=layers_asked(scale, resolved))
        found = place(scale, wanted)
        return (None, "") if found is None or found == wanted else (found, placed_text(found, wanted))


def refusal(variant: Variant, weighing: Weighing) -> Failure | None:
    """Return why a load must not start, with the numbers and one suggestion; None when it may."""
    if weighing.error is not None and weighing.error.kind in ("bad_file", "plan_refused", "usage"):
        return Failure.of(weighing.error)
    if weighing.verdict.fit not in (Fit.TOO_BIG, Fit.PARTIAL) or weighing.footprint is None:
        return None
    if weighing.fitting is not None:
        hint = f"{placement_options(weighing.fitting, weighing.plan)}; --force loads all the same"
        return Failure(f"{variant.title}: {weighing.verdict.reason}", hint, kind="memory")
    footprint = weighing.footprint
    context, weights = footprint.kind_bytes("context"), footprint.kind_bytes("weights")
    if context > footprint.total // 4:
        hint = (
            f"the context takes {size(context)} of it: a smaller --ctx-size, or --cache-type-k q8_0 --cache-type-v q8_0"
        )
    else:
        hint = f"the weights take {size(weights)} of it: a smaller quant"
    return Failure(f"{variant.title} {weighing.verdict.reason}", f"{hint}; --force loads all the same", kind="memory")
