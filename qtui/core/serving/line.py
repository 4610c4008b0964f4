"""The line before the engine: so many answers at a time, so many requests waiting, and no more."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

from qtui.core.serving.refusal import SERVER, Refusal, RefusedError

WAITING = 8
"""Requests that may wait."""
REMEMBERED = 16
"""Turns whose length is remembered."""
LONGEST_RETRY_S = 60


class Line:
    """First come, first served. A request that is given up while it waits leaves its place to the next."""

    def __init__(self, at_once: int = 1, waiting: int = WAITING) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._limit = waiting
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self.waiting = 0
        self.at_once = at_once

    @property
    def retry_after(self) -> int:
        """Return the seconds after which a place in the line may be free: what a turn took on the whole so far."""
        mean = sum(self._took) / len(self._took) if self._took else 1.0
        return min(LONGEST_RETRY_S, max(1, math.ceil(mean / self.at_once)))

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait for a turn, and hold it within the block.

        Raises:
            RefusedError: as many wait as may.
        """
        if self._free.locked() and self.waiting >= self._limit:
            text = f"{self.at_once} answered and {self.waiting} waiting: no more may wait"
            raise RefusedError(Refusal(503, text, SERVER, code="queue_full", retry_after=self.retry_after))
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        began = monotonic()
        try:
            yield
        finally:
            self._took.append(monotonic() - began)
            self._free.release()
