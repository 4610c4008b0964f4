"""What the top line shows of machine and engine."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.hardware import EngineInfo, MemorySample


@dataclass(frozen=True, slots=True)
class Vitals:
    """The newest sample and the engine; None: not known yet."""

    sample: MemorySample | None = None
    engine: EngineInfo | None = None
