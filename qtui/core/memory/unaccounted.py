"""What llama.cpp leaves out on a card, as past runs have shown: the driver's context, libraries, their pools.

The driver says what a process holds, llama.cpp what it allocated; the rest depends on card, driver and build, and no
formula is as good as what it was the last times.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from qtui.core.errors import QtuiError

LEAST_RUNS = 3
"""Fewer say too little: before them the computed figures stand."""
FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class Unaccounted:
    """What the driver says of a process beyond what llama.cpp allocated on a card, over past runs; bytes."""

    median: int
    runs: int
    spread: int = 0
    """How far the run that was furthest off lay from the median."""

    @staticmethod
    def of(sizes: Sequence[int]) -> Unaccounted:
        """Put runs together, at least one."""
        middle = round(median(sizes))
        return Unaccounted(middle, len(sizes), max(abs(size - middle) for size in sizes))

    @property
    def telling(self) -> bool:
        """Tell whether it goes before what is computed."""
        return self.runs >= LEAST_RUNS and self.median >= 0


ByCard = Mapping[str, Unaccounted]
"""By the card's name, as its driver tells it."""


class LeftOut:
    """Reads the history at most once a minute: every estimate asks, and a slider makes many.

    Args:
        read: the history; where it cannot be read, nothing is known.
        clock: seconds.
    """

    def __init__(
        self, read: Callable[[], Awaitable[ByCard]] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._known: ByCard = {}
        self._until = float("-inf")

    async def by_card(self) -> ByCard:
        """Return what is known, by card."""
        if self._read is not None and self._clock() >= self._until:
            self._until = self._clock() + FRESH_S
            try:
                self._known = await self._read()
            except QtuiError:
                self._known = {}
        return self._known
