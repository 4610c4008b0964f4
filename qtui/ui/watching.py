"""The app watches the machine and its engine, and shows every place what they are like now."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on, work

from qtui.core.errors import QtuiError
from qtui.core.monitor.history import Moment
from qtui.ui.messages import EngineAnswered, MachineSampled
from qtui.ui.planning import Planning
from qtui.ui.vitals import Vitals

if TYPE_CHECKING:  # the app paints before alarms are looked for
    from qtui.ui.alarming import AlarmWatch

log = logging.getLogger(__name__)


class Watching(Planning):
    """A shell that knows what is free, what runs, what is wrong, and which engine there is."""

    _vitals: Vitals
    _alarms: AlarmWatch

    def start_watching(self) -> None:
        """Begin to take samples, and ask the engine what it is."""
        from qtui.ui.alarming import AlarmWatch

        self._alarms = AlarmWatch(self._parts)
        self._watch_machine()
        self._ask_engine()

    def show_vitals(self, vitals: Vitals) -> None:
        """Show newer figures in every place."""
        self._vitals = vitals
        for place in self.places():
            place.show_vitals(vitals)

    @work(group="machine")
    async def _watch_machine(self) -> None:
        async for sample in self._parts.machine.samples():
            sessions = await self._parts.sessions.list()
            self._alarms.learn(sessions)
            crashed = await self._parts.sessions.crashed()
            self.post_message(MachineSampled(sample, (*sessions, *crashed)))

    @work(group="engine")
    async def _ask_engine(self) -> None:
        try:
            self.post_message(EngineAnswered(await self._parts.engine.info()))
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error")

    @on(MachineSampled)
    def note_sample(self, event: MachineSampled) -> None:
        """Show a new sample everywhere."""
        crashed = tuple(seen for seen in event.sessions if seen.record.crashed)
        running = tuple(seen for seen in event.sessions if not seen.record.crashed)
        history = self._vitals.history.add(Moment(event.sample, running))
        alarms = self._alarms.look(history, self.settings.margins)
        vitals = replace(self._vitals, sample=event.sample, history=history, alarms=alarms, crashed=crashed)
        self.show_vitals(vitals)

    @on(EngineAnswered)
    def note_engine(self, event: EngineAnswered) -> None:
        """Show the engine everywhere."""
        log.info("engine: %s", event.engine)
        self.show_vitals(replace(self._vitals, engine=event.engine))
