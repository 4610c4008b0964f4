"""When verdicts may change: only once free memory has moved by 128 MiB for 3 s, so that words do not flicker."""

from __future__ import annotations

from qtui.core.hardware import MemorySample
from qtui.core.text import MIB

STEP = 128 * MIB
HOLD_S = 3.0


class Steady:
    """Watches the free memory of successive samples."""

    def __init__(self) -> None:
        self._settled: tuple[int | None, ...] | None = None
        self._since: float | None = None

    def moved(self, sample: MemorySample) -> bool:
        """Tell whether free memory has moved for good since this was last told; the first sample settles it."""
        free = (sample.ram_available, *(gpu.free for gpu in sample.gpus))
        if self._settled is None:
            self._settled = free
            return False
        if not _differ(self._settled, free):
            self._since = None
            return False
        if self._since is None:
            self._since = sample.time
        if sample.time - self._since < HOLD_S:
            return False
        self._settled, self._since = free, None
        return True


def _differ(before: tuple[int | None, ...], now: tuple[int | None, ...]) -> bool:
    if len(before) != len(now):
        return True
    for old, new in zip(before, now, strict=True):
        if (old is None) != (new is None) or (old is not None and new is not None and abs(old - new) >= STEP):
            return True
    return False
