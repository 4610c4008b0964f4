"""The app's suites: the panel that lists them, and the one that is run on both sides of the Arena."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from qtui.ui.messages import DuelBroke
from qtui.ui.recalling import Recalling
from qtui.ui.suite_messages import OpenSuites, StartSuite, StopSuite, SuiteHappened

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.duel.run import Duel
    from qtui.ui.suite_state import SuiteState


class Suiting(Recalling):
    """A shell that can run suites; the run goes on while the panel is closed."""

    _duel: Duel | None = None
    _suite: SuiteState | None = None

    @on(OpenSuites)
    def open_suites(self) -> None:
        """Show the suites."""
        from qtui.ui.panels.suites import SuitesPanel

        parts = self._parts
        if parts.suites is None or self._arena is None:
            self.notify("There are no suites here.", severity="warning")
            return
        if self._vitals.covered:
            panel = SuitesPanel(parts.suites, {}, None, covered=True)
        else:
            panel = SuitesPanel(parts.suites, self._arena.titles(), self._suite, parts.past)
        self.push_screen(panel)

    @on(StartSuite)
    def start_suite(self, event: StartSuite) -> None:
        """Run a suite on both sides."""
        from qtui.core.duel.suite_kept import KeptSuite
        from qtui.ui.suite_state import SuiteState

        arena, parts = self._arena, self._parts
        if arena is None or self._duel is None or parts.judge is None:
            return
        if arena.run_suite(KeptSuite(self._duel, parts.judge(), parts.keeper), event.suite):
            self._suite = SuiteState(event.suite, tuple(arena.titles().values()))
            self._show_suite()

    @on(StopSuite)
    def stop_suite(self) -> None:
        """Stop the run."""
        if self._arena is not None:
            self._arena.action_stop()

    @on(SuiteHappened)
    def note_suite(self, event: SuiteHappened) -> None:
        """Show how far the run is; say its end where the panel is closed."""
        if self._suite is None:
            return
        running = self._suite.running
        self._suite = self._suite.after(event.event)
        if not self._show_suite() and running and not self._suite.running:
            said = self._suite.score.total.sentence if self._suite.score else ""
            self.notify(f"{self._suite.suite.name} has ended: {said}; s in the Arena shows it.", markup=False)

    @on(DuelBroke)
    def note_break(self, event: DuelBroke) -> None:
        """Show that the run could not go on."""
        if self._suite is not None:
            self._suite = self._suite.broken(event.failure)
            self._show_suite()

    def _show_suite(self) -> bool:
        """Show the run in the panel; tell whether it is open."""
        from qtui.ui.panels.suites import SuitesPanel

        panels = [screen for screen in self.screen_stack if isinstance(screen, SuitesPanel)]
        for panel in panels:
            if self._suite is not None:
                panel.show_state(self._suite)
        return bool(panels)
