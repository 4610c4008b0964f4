"""The next smaller or larger variant of a side's model with its price: what it needs there, how fast it would be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from qtui.core.duel.run import Duel
from qtui.core.forecast import Forecast
from qtui.core.library.grouping import name_key
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit

SLOW_OR_NEVER = (Fit.TOO_BIG, Fit.UNKNOWN)
"""What cannot be loaded as planned has no rate."""


@dataclass(frozen=True, slots=True)
class Step:
    """A variant that could take the place of another one on a side."""

    side: str
    here: Variant
    """The one that stands there."""
    variant: Variant
    weighing: Weighing
    """With what the sides hold given back."""
    speed: Speed | None = None
    """None: not known without measuring, for which the machine is not quiet enough."""

    @property
    def larger(self) -> bool:
        """Tell whether it is a step up."""
        return self.variant.size > self.here.size


def next_variant(here: Variant, variants: Iterable[Variant], step: int) -> Variant | None:
    """Return the next larger (1) or smaller (-1) variant of the same model that can be loaded, None at the end."""
    model = name_key(here.model)
    able = [one for one in variants if one.role is Role.MODEL and one.loadable and name_key(one.model) == model]
    if step > 0:
        return min((one for one in able if one.size > here.size), key=lambda one: (one.size, one.path), default=None)
    return max((one for one in able if one.size < here.size), key=lambda one: (one.size, one.path), default=None)


class Steps:
    """Finds steps.

    Args:
        duel: weighs, with what its sides hold given back.
        find: tells the variants of this machine.
        forecast: predicts rates; None: they are unknown.
    """

    def __init__(
        self, duel: Duel, find: Callable[[], Awaitable[Sequence[Variant]]], forecast: Forecast | None = None
    ) -> None:
        self._duel = duel
        self._find = find
        self._forecast = forecast

    async def price(
        self, side: str, here: Variant, plan_of: Callable[[Variant], LoadPlan], step: int, *, quiet: bool
    ) -> Step | None:
        """Return the next variant with its price, None where there is none; rates are measured when it is `quiet`."""
        variant = next_variant(here, await self._find(), step)
        if variant is None:
            return None
        weighing = await self._duel.weigh(variant, plan_of(variant))
        return Step(side, here, variant, weighing, await self._speed(variant, weighing, quiet=quiet))

    async def _speed(self, variant: Variant, weighing: Weighing, *, quiet: bool) -> Speed | None:
        if self._forecast is None or weighing.verdict.fit in SLOW_OR_NEVER:
            return None
        if quiet:
            return await self._forecast.of(variant, weighing)
        return await self._forecast.measured(variant, weighing.plan)
