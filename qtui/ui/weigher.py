"""Weighs everything in the library, little by little, what is on screen first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from qtui.core.current_plan import CurrentPlan
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.turns import Urgency


class Weigher:
    """What is still to be weighed. Each variant is first computed, at once, and then asked about."""

    def __init__(self, guard: Guard, current: CurrentPlan) -> None:
        self._guard = guard
        self._current = current
        self._to_estimate: dict[Path, Variant] = {}
        self._to_weigh: dict[Path, Variant] = {}

    @property
    def idle(self) -> bool:
        """Tell whether everything was weighed."""
        return not self._to_estimate and not self._to_weigh

    def plan_by(self, current: CurrentPlan, variants: Iterable[Variant]) -> None:
        """Weigh everything again, under another plan."""
        self._current = current
        self._to_estimate.clear()
        self._to_weigh.clear()
        self.want(variants)

    def want(self, variants: Iterable[Variant]) -> None:
        """Weigh these too, or again because they have changed."""
        for variant in variants:
            if variant.loadable:
                self._to_estimate[variant.path] = self._to_weigh[variant.path] = variant
            else:
                self.drop(variant.path)

    def drop(self, path: Path) -> None:
        """Leave one out, because it is gone."""
        self._to_estimate.pop(path, None)
        self._to_weigh.pop(path, None)

    async def run(self, on_screen: Callable[[], Iterable[Path]]) -> AsyncIterator[tuple[Variant, Weighing]]:
        """Yield what each variant needs, until nothing is left; `on_screen` is asked before each one.

        An answer that came too late, for another plan or another file, is left out.

        Raises:
            QtuiError: what a port raises beyond what stands in a weighing.
        """
        while chosen := self._next(seen := tuple(on_screen())):
            variant, asked = chosen
            del asked[variant.path]
            current = self._current
            plan = current.of(variant)
            if asked is self._to_estimate:
                weighing = await self._guard.estimate(variant, plan, fresh=False)
            else:
                urgency = Urgency.SCREEN if variant.path in seen else Urgency.AHEAD
                weighing = await self._guard.weigh(variant, plan, fresh=False, urgency=urgency)
            known = weighing.footprint is not None or weighing.error is not None
            again = self._to_weigh.get(variant.path)
            if known and current is self._current and again in (None, variant):
                yield variant, weighing

    def _next(self, seen: Sequence[Path]) -> tuple[Variant, dict[Path, Variant]] | None:
        for asked in (self._to_estimate, self._to_weigh):
            for path in seen:
                if path in asked:
                    return asked[path], asked
        for asked in (self._to_estimate, self._to_weigh):
            if asked:
                return next(iter(asked.values())), asked
        return None
