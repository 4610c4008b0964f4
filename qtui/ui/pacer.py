"""Tells how fast everything in the library would generate, little by little, what is on screen first."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from qtui.core.forecast import BUSY, Forecast
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit

HOPELESS = (Fit.TOO_BIG, Fit.UNKNOWN)
"""What cannot be loaded as planned has no rate."""
RENEW_S = 70.0
"""After so long a machine that was busy is measured anew once it is quiet."""


class Pacer:
    """What is still to be paced. A machine is measured once for it, which takes its processors for a second or two."""

    def __init__(self, forecast: Forecast | None) -> None:
        self._forecast = forecast
        self._wanted: dict[Path, tuple[Variant, Weighing]] = {}
        self._looked_up: set[Path] = set()
        """What the history was asked about and did not know."""
        self._rough: dict[Path, tuple[Variant, Weighing]] = {}
        """What was paced beside other programs."""
        self._renewed = time.monotonic()

    @property
    def idle(self) -> bool:
        """Tell whether nothing is left."""
        return not self._wanted

    def want(self, variant: Variant, weighing: Weighing) -> None:
        """Pace a variant as it was weighed, again if that has changed."""
        if self._forecast is None or variant.role is not Role.MODEL or weighing.verdict.fit in HOPELESS:
            self.drop(variant.path)
        else:
            self._rough.pop(variant.path, None)
            self._wanted[variant.path] = (variant, weighing)
            self._looked_up.discard(variant.path)

    def renew(self) -> None:
        """Ask again, from time to time, about what was paced beside other programs: they are quiet now."""
        if self._rough and time.monotonic() - self._renewed > RENEW_S:
            self._renewed = time.monotonic()
            self._wanted = {**self._rough, **self._wanted}
            self._rough.clear()

    def drop(self, path: Path) -> None:
        """Leave one out, because it is gone."""
        self._rough.pop(path, None)
        self._wanted.pop(path, None)

    def clear(self) -> None:
        """Leave all out: they are weighed under another plan."""
        self._wanted.clear()
        self._looked_up.clear()
        self._rough.clear()

    async def run(
        self, on_screen: Callable[[], Iterable[Path]], may: Callable[[], bool]
    ) -> AsyncIterator[tuple[Variant, Speed]]:
        """Yield how fast each variant would be: what was measured, then what is computed while `may` allows it."""
        if self._forecast is None:
            return
        for path, asked in list(self._wanted.items()):
            variant, weighing = asked
            known = None
            if path not in self._looked_up and weighing.verdict.fit is not Fit.FROM_DISK:
                known = await self._forecast.measured(variant, weighing.plan)
                self._looked_up.add(path)
            if known is not None and self._done(path, asked):
                yield variant, known
        while self._wanted and may():
            path = next((path for path in on_screen() if path in self._wanted), next(iter(self._wanted)))
            asked = variant, weighing = self._wanted[path]
            speed = await self._forecast.of(variant, weighing)
            if self._done(path, asked):
                if speed.note == BUSY:
                    self._rough[path] = asked
                    self._renewed = time.monotonic()
                yield variant, speed

    def _done(self, path: Path, asked: tuple[Variant, Weighing]) -> bool:
        """Let go what was answered; tell whether the answer is for what is wanted now."""
        if self._wanted.get(path) is not asked:
            return False
        del self._wanted[path]
        return True
