"""Tells how fast everything in the library would generate, little by little, what is on screen first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from qtui.core.forecast import Forecast
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit

HOPELESS = (Fit.TOO_BIG, Fit.UNKNOWN)
"""What cannot be loaded as planned has no rate."""


class Pacer:
    """What is still to be paced. A machine is measured once for it, which takes its processors for a second or two."""

    def __init__(self, forecast: Forecast | None) -> None:
        self._forecast = forecast
        self._wanted: dict[Path, tuple[Variant, Weighing]] = {}

    @property
    def idle(self) -> bool:
        """Tell whether nothing is left."""
        return not self._wanted

    def want(self, variant: Variant, weighing: Weighing) -> None:
        """Pace a variant as it was weighed, again if that has changed."""
        if self._forecast is None or variant.role is not Role.MODEL or weighing.verdict.fit in HOPELESS:
            self._wanted.pop(variant.path, None)
        else:
            self._wanted[variant.path] = (variant, weighing)

    def drop(self, path: Path) -> None:
        """Leave one out, because it is gone."""
        self._wanted.pop(path, None)

    def clear(self) -> None:
        """Leave all out: they are weighed under another plan."""
        self._wanted.clear()

    async def run(
        self, on_screen: Callable[[], Iterable[Path]], may: Callable[[], bool]
    ) -> AsyncIterator[tuple[Variant, Speed]]:
        """Yield how fast each variant would be, until nothing is left or `may` forbids to go on."""
        while self._forecast is not None and self._wanted and may():
            path = next((path for path in on_screen() if path in self._wanted), next(iter(self._wanted)))
            asked = variant, weighing = self._wanted[path]
            speed = await self._forecast.of(variant, weighing)
            if self._wanted.get(path) is asked:
                del self._wanted[path]
                yield variant, speed
