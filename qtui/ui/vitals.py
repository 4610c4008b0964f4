"""What every place may show of machine, engine and sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtui.core.monitor.history import History
from qtui.core.sessions import SessionState

if TYPE_CHECKING:  # the app paints before there are samples
    from qtui.core.downloads.download import Download
    from qtui.core.hardware import EngineInfo, MemorySample
    from qtui.core.monitor.alarms import Alarm
    from qtui.core.sessions import SessionSeen


IDLE_PERCENT = 20.0
"""Of all processors; beside more than this a measurement would tell of the other programs too."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """The newest sample and the engine; None: not known yet."""

    sample: MemorySample | None = None
    engine: EngineInfo | None = None
    downloads: tuple[Download, ...] = ()
    """The queue of downloads, in its order."""
    history: History = field(default_factory=History)
    """The last minutes of machine and sessions."""
    crashed: tuple[SessionSeen, ...] = ()
    """Sessions that have crashed not long ago."""
    alarms: tuple[Alarm, ...] = ()
    """What is wrong now, the newest first."""
    covered: bool = False
    """A blind round is open: no size, rate or name is shown."""

    def idle(self) -> bool:
        """Tell whether it is known that the processors have little to do."""
        share = self.sample.cpu_percent if self.sample is not None else None
        return share is not None and share < IDLE_PERCENT

    def quiet(self) -> bool:
        """Tell whether it is known that no session of any qtui computes now."""
        latest = self.history.latest
        return latest is not None and all(seen.record.state is SessionState.READY for seen in latest.sessions)
