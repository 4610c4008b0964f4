"""AlarmWatch: the alarms of the app, from one sample to the next; each that begins or ends goes into the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtui.core.memory.verdict import Margins
from qtui.core.monitor.alarms import Alarm, Watch
from qtui.core.monitor.expected import Expected
from qtui.core.monitor.history import History

if TYPE_CHECKING:  # the app paints before what this asks is imported
    from qtui.core.library.variant import Variant
    from qtui.core.memory.plan import LoadPlan
    from qtui.core.sessions import SessionSeen
    from qtui.ui.parts import Parts

log = logging.getLogger(__name__)


class AlarmWatch:
    """Looks at every sample, and asks once what each session should reach."""

    def __init__(self, parts: Parts) -> None:
        self._forecast = parts.forecast
        self._expected = Expected(parts.library, self._rate)
        self._watch = Watch()

    def learn(self, sessions: Sequence[SessionSeen]) -> None:
        """Begin to ask what the sessions that are new should reach."""
        self._expected.learn(sessions)

    def look(self, history: History, margins: Margins) -> tuple[Alarm, ...]:
        """Return what is wrong now, the newest first."""
        self._watch, changes = self._watch.look(history, margins, self._expected.rates)
        for change in changes:
            log.warning("%s", change.line)
        return self._watch.alarms

    async def _rate(self, variant: Variant, plan: LoadPlan) -> float | None:
        found = await self._forecast.measured(variant, plan) if self._forecast is not None else None
        return found.rate if found is not None else None
