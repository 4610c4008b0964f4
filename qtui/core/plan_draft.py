"""PlanDraft: a plan while it is edited, and what its changes are measured against."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass, replace

from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.options import changed_options
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.plan_fields import PlanField, changed_fields
from qtui.core.memory.plan_ranges import Around
from qtui.core.presets import Preset, apply_preset, named
from qtui.core.text import clean_name


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan and its base: the default plan, or the preset that it was made of."""

    plan: LoadPlan
    base: LoadPlan

    @staticmethod
    def of(plan: LoadPlan, presets: Iterable[Preset]) -> PlanDraft:
        """Return the draft of a plan; its base is the preset that it names, where that can be used."""
        empty = LoadPlan(engine=plan.engine)
        preset = next((known for known in presets if known.name == plan.preset), None)
        try:
            return PlanDraft(plan, apply_preset(empty, preset) if preset is not None else empty)
        except UsageError:
            return PlanDraft(plan, empty)

    @property
    def changes(self) -> tuple[PlanField, ...]:
        """Return the fields that are set otherwise than in the base."""
        return changed_fields(self.plan, self.base)

    @property
    def result(self) -> LoadPlan:
        """Return the plan; it bears its preset's name while it is that preset unchanged."""
        return replace(self.plan, preset="" if self.changes else self.base.preset)

    @property
    def refusal(self) -> str:
        """Return why no llama.cpp takes the plan, and what to do about it; empty when it may."""
        try:
            self.plan.check()
        except UsageError as error:
            return f"{error.message}: {error.hint}"
        return ""

    def put(self, field: PlanField, text: str) -> PlanDraft:
        """Return the draft with a field set to what was typed.

        Raises:
            UsageError: it is no value of the field.
        """
        return replace(self, plan=field.put(self.plan, text))

    def step(self, field: PlanField, direction: int, around: Around) -> PlanDraft:
        """Return the draft with the next or the previous value of a field."""
        return replace(self, plan=field.step(self.plan, direction, around))

    def reset(self, field: PlanField) -> PlanDraft:
        """Return the draft with a field as the base has it."""
        return replace(self, plan=field.reset(self.plan, self.base))

    def take(self, name: str, presets: Iterable[Preset]) -> PlanDraft:
        """Return the draft of a preset.

        Raises:
            UsageError: there is no such preset, or its options do not go together.
        """
        plan = apply_preset(LoadPlan(engine=self.plan.engine), named(name, presets))
        return PlanDraft(plan, plan)

    def step_preset(self, direction: int, presets: Iterable[Preset]) -> PlanDraft:
        """Return the draft of the next or the previous preset; at either end, and without presets, it stays.

        Raises:
            UsageError: the options of the preset do not go together.
        """
        known = list(presets)
        names = [preset.name for preset in known]
        start = -1 if direction > 0 else len(names)
        here = names.index(self.base.preset) if self.base.preset in names else start
        target = max(0, min(len(names) - 1, here + direction))
        return self if not names or names[target] == self.base.preset else self.take(names[target], known)

    def as_preset(self, name: str, old: Preset | None = None) -> Preset:
        """Return a preset of everything that differs from the default plan; `old` gives what is no option."""
        options = {option: getattr(self.plan, option) for option in changed_options(self.plan) if option != "engine"}
        return replace(old or Preset(name), name=name, options=options, built_in=False)


def own_preset(draft: PlanDraft, variant: Variant, old: Preset | None = None) -> Preset:
    """Return a preset of a draft that a model takes by itself: `old` changed, or one of the model's name."""
    if old is not None:
        return draft.as_preset(old.name, old)
    made = draft.as_preset(clean_name(variant.model, 60).strip())
    return replace(made, match=(glob.escape(variant.model),), about=f"for {clean_name(variant.model, 60)}")
