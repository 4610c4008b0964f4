"""What every place may show of machine, engine and sessions."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtui.core.hardware import EngineInfo, MemorySample
from qtui.core.monitor.history import History


@dataclass(frozen=True, slots=True)
class Vitals:
    """The newest sample and the engine; None: not known yet."""

    sample: MemorySample | None = None
    engine: EngineInfo | None = None
    history: History = field(default_factory=History)
    """The last minute of machine and sessions."""
