"""The one current plan: who changes it, who is told, and the panel that edits it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work

from qtui.ui.messages import PresetsChanged, UsePlan
from qtui.ui.places.place import Place
from qtui.ui.shell import Shell
from qtui.ui.vitals import Vitals

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.current_plan import CurrentPlan
    from qtui.core.library.variant import Variant
    from qtui.core.memory.plan_ranges import Around
    from qtui.ui.parts import Parts


class Planning(Shell):
    """A shell whose places share a plan. Sessions keep the plan that they were started with."""

    PRESETS_EVERY_S: ClassVar[float] = 3.0
    """How often is looked whether another qtui, or the user, has changed the presets."""

    _parts: Parts
    _vitals: Vitals
    current: CurrentPlan

    def start_planning(self, tell: Callable[[CurrentPlan], None]) -> None:
        """Take the plan that the app starts with; `tell` is called with every other one."""
        from qtui.core.current_plan import CurrentPlan

        self.current = CurrentPlan(self._parts.plan, self._parts.known_presets)
        self._tell_plan = tell
        if self._parts.presets is not None:
            self.set_interval(self.PRESETS_EVERY_S, self._look_at_presets)

    def action_plan(self) -> None:
        """Open the Plan panel for the variant that the place is about."""
        from qtui.ui.panels.plan import PlanPanel
        from qtui.ui.panels.plan_weighing import Weighers

        subject = self.screen.subject() if isinstance(self.screen, Place) else None
        forecast = None if self._vitals.covered else self._parts.forecast  # it knows what was measured
        self.push_screen(
            PlanPanel(
                current=self.current, variant=subject, around=self._around(subject), presets=self._parts.presets,
                weighers=Weighers(self._parts.guard, forecast, self._find_variants),
            )
        )  # fmt: skip

    async def _find_variants(self) -> Sequence[Variant]:
        """Return the variants of this machine."""
        raise NotImplementedError

    @on(UsePlan)
    def use_plan(self, event: UsePlan) -> None:
        """Make another plan the current one."""
        if event.plan != self.current.plan:
            self._take_current(replace(self.current, plan=event.plan))

    @on(PresetsChanged)
    def take_presets(self, event: PresetsChanged) -> None:
        """Know other presets; models may have other ones of their own now."""
        if event.presets != self.current.presets:
            self._take_current(replace(self.current, presets=event.presets))

    def _take_current(self, current: CurrentPlan) -> None:
        self.current = current
        self._tell_plan(current)

    def _around(self, variant: Variant | None) -> Around:
        from qtui.core.memory.plan_ranges import Around

        hardware, engine = self._parts.machine.hardware(), self._vitals.engine
        return Around(
            variant.context_length if variant else None,
            variant.layers if variant else None,
            hardware.physical_cores,
            hardware.logical_cores,
            len(engine.gpus) if engine is not None and engine.usable else None,
        )

    @work(exclusive=True, group="presets")
    async def _look_at_presets(self) -> None:
        store = self._parts.presets
        if store is not None and await asyncio.to_thread(store.changed):
            self.post_message(PresetsChanged(tuple(await asyncio.to_thread(store.load))))
