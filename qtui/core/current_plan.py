"""CurrentPlan: the one plan that everything on screen is for, and what a model's own preset makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.presets import Preset, preset_for


@dataclass(frozen=True, slots=True)
class CurrentPlan:
    """The plan, and the presets that models have of their own."""

    plan: LoadPlan = field(default_factory=LoadPlan)
    presets: tuple[Preset, ...] = ()

    def own_preset(self, variant: Variant) -> Preset | None:
        """Return the preset that is taken for a variant by itself, None when there is none."""
        return preset_for(variant, self.presets)

    def of(self, variant: Variant) -> LoadPlan:
        """Return the plan for one variant: the current one, with the options of its own preset over it.

        Options that do not go together are not refused here but where the plan is weighed, which says why.
        """
        own = self.own_preset(variant)
        return self.plan if own is None else replace(self.plan, **dict(own.options), preset=own.name)
