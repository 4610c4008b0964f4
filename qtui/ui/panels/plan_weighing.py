"""What every edit of a plan costs one variant: weighed, paced, and what its fields may be for that file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from textual import on, work

from qtui.core.current_plan import CurrentPlan
from qtui.core.forecast import Forecast
from qtui.core.library.beside import adapters_of, projectors_of
from qtui.core.library.variant import Variant
from qtui.core.memory.changes import PlanWeighed, weigh_changes
from qtui.core.memory.fit.propose import propose
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.plan_ranges import Around
from qtui.core.memory.speed import Speed
from qtui.core.plan_draft import PlanDraft
from qtui.ui.pacer import HOPELESS
from qtui.ui.panels.panel import TablePanel
from qtui.ui.plan_messages import AroundKnown, PlanEffect, PlanPaced, PlanProposed

REST_S = 0.1
"""A value stands so long before it is asked what it costs: keys that are held step past many."""

Found = Callable[[], Awaitable[Sequence[Variant]]]
"""Finds the variants of this machine."""


@dataclass(frozen=True, slots=True)
class Weighers:
    """What a plan is weighed with."""

    guard: Guard
    forecast: Forecast | None = None
    """None: rates are not predicted."""
    found: Found | None = None
    """None: no adapters and projectors are looked for."""


class WeighingPanel(TablePanel[None]):
    """A panel in which a plan is edited. `draw` shows what is known by now."""

    def __init__(self, *, current: CurrentPlan, variant: Variant | None, around: Around, weighers: Weighers) -> None:
        super().__init__()
        self._current = current
        self._draft = PlanDraft.of(current.plan, current.presets)
        self._variant = variant
        self._around = around
        self._weighers = weighers
        self._whole: Weighing | None = None
        self._without: dict[str, Weighing] = {}
        """By the field that is as it was before."""
        self._paces: dict[str, Speed] = {}
        """How fast it would generate, under the whole plan by the empty name."""
        self._edits = 0

    def draw(self) -> None:
        """Show what is known by now."""
        raise NotImplementedError

    def for_variant(self, plan: LoadPlan) -> LoadPlan:
        """Return what becomes of a plan for the variant, which may have a preset of its own."""
        return plan if self._variant is None else replace(self._current, plan=plan).of(self._variant)

    def ask(self) -> None:
        """Ask what the draft costs, once it has stood for a moment; forget what an older one cost."""
        self._edits += 1
        self._whole = None
        self._without.clear()
        self._paces.clear()
        edit = self._edits
        if self._variant is not None and self._variant.loadable and not self._draft.refusal:
            self.set_timer(REST_S, lambda: self._weigh(edit) if edit == self._edits else None)

    @on(PlanEffect)
    def show_effect(self, event: PlanEffect) -> None:
        """Show what the plan, or one change of it, needs."""
        if event.edit != self._edits:
            return
        if event.field:
            self._without[event.field] = event.weighing
        else:
            self._whole = event.weighing
        if self._weighers.forecast is not None and event.weighing.verdict.fit not in HOPELESS:
            pace: Callable[[], Awaitable[None]] = partial(self._pace, event.edit, event.field, event.weighing)
            self.run_worker(pace, group=f"pace {event.field}", exclusive=True)
        self.draw()

    @on(PlanPaced)
    def show_pace(self, event: PlanPaced) -> None:
        """Show how fast it would be."""
        if event.edit == self._edits:
            self._paces[event.field] = event.speed
            self.draw()

    @on(AroundKnown)
    def show_around(self, event: AroundKnown) -> None:
        """Show what fields may be for this file."""
        self._around = event.around
        self.draw()

    @work(exclusive=True, group="weigh")
    async def _weigh(self, edit: int) -> None:
        if self._variant is None:
            return
        draft, guard = self._draft, self._weighers.guard
        async for event in weigh_changes(guard, self._variant, draft.plan, draft.base, self.for_variant):
            field = "" if isinstance(event, PlanWeighed) else event.field.id
            self.post_message(PlanEffect(edit, field, event.weighing))

    async def _pace(self, edit: int, field: str, weighing: Weighing) -> None:
        if self._weighers.forecast is not None and self._variant is not None:
            speed = await self._weighers.forecast.of(self._variant, weighing)
            self.post_message(PlanPaced(edit, field, speed))

    @work(exclusive=True, group="search")
    async def search(self, edit: int) -> None:
        """Search the best plan that fits; told by a message."""
        if self._variant is not None:
            guard, plan = self._weighers.guard, self.for_variant(self._draft.plan)
            asked = await guard.resolve(self._variant, plan)
            proposal = await propose(guard, self._variant, plan, fresh=False)
            self.post_message(PlanProposed(edit, asked, proposal))

    @work(exclusive=True, group="learn")
    async def learn(self) -> None:
        """Learn what the header tells, then which files go with the model; told by messages."""
        variant, around, guard = self._variant, self._around, self._weighers.guard
        if variant is None or not variant.loadable:
            return
        bare = await guard.resolve(variant, replace(self._draft.plan, lora=(), mmproj=""))
        scale = await guard.scale(variant, bare, await guard.headroom(fresh=False))
        if scale is not None:
            probe = scale.probe
            around = replace(
                around, experts=probe.experts, sliding=probe.sliding, buffers=probe.buffers, gpus=probe.cards
            )  # fmt: skip
            self.post_message(AroundKnown(around))
        if self._weighers.found is not None:
            found = await self._weighers.found()
            adapters = tuple(str(other.path) for other in adapters_of(variant, found))
            projectors = tuple(str(other.path) for other in projectors_of(variant, found))
            self.post_message(AroundKnown(replace(around, adapters=adapters, projectors=projectors)))
