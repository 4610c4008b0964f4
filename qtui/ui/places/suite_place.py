"""The Arena while a suite is run on its sides: it lends them, and takes no prompt until they are back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import on
from textual.content import Content

from qtui.core.duel.conversation import DUEL_SAMPLING
from qtui.core.duel.run import SideHappened, SideUnloaded, SideWeighed
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite_kept import KeptSuite
from qtui.core.duel.suite_run import SuiteEnded, TaskMarked
from qtui.core.events import Loaded, LoadProgressed
from qtui.core.text import duration
from qtui.ui.messages import DuelRested
from qtui.ui.places.operations import Placing
from qtui.ui.places.stepping_place import SteppingPlace
from qtui.ui.present.words import joined
from qtui.ui.running import Running
from qtui.ui.suite_messages import OpenSuites, SuiteHappened
from qtui.ui.widgets.panes import LABELS

LENT = frozenset({"again", "names", "new", "force", "take", "step"})
"""Actions that have to wait until the sides are back."""


class SuitePlace(SteppingPlace):
    """Runs suites on its sides."""

    _lent = ""
    """The suite that has the sides; empty: none."""
    _marked: TaskMarked | None = None
    """Its last result."""

    def titles(self) -> dict[str, str]:
        """Return what stands on the sides, by label."""
        return {label: f"{label} {self._held[label].title}" for label in LABELS if label in self._held}

    def action_suites(self) -> None:
        """Show the suites."""
        self.post_message(OpenSuites())

    def run_suite(self, run: KeptSuite, suite: Suite) -> bool:
        """Put the tasks of a suite to both sides; tell whether that could begin."""
        if self._curtain.down or self._curtain.wanted:
            self._say("Names are hidden, now or from the next prompt on: show them first (n).")
        elif self._operations.running:
            self._say("The sides are busy: esc in the Arena stops them.")
        elif len(self._held) < len(LABELS):
            self._say("A suite needs a model on each side.")
        else:
            self._lent, self._marked = suite.name, None
            sides = dict(self._held)
            plans = {label: self._plans.get(label) or self._current.of(variant) for label, variant in sides.items()}
            events = run.run(suite, sides, plans)
            number = self._operations.begin()
            self.run_worker(self._operations.suite(number, DUEL_SAMPLING, events), group="duel")
            self._refresh_both()
            self.refresh_keys()
            return True
        return False

    @on(SuiteHappened)
    async def show_suite(self, event: SuiteHappened) -> None:
        """Show what is loaded for the run, and nothing of its questions."""
        happened = event.event
        if isinstance(happened, TaskMarked):
            self._marked = happened
            self._refresh_both()
        elif isinstance(happened, SuiteEnded):
            self._lent = ""
        elif isinstance(happened, SideWeighed | SideUnloaded) or (
            isinstance(happened, SideHappened) and isinstance(happened.event, Loaded | LoadProgressed)
        ):
            await self.panes.show(happened)

    @on(DuelRested)
    def take_back(self) -> None:
        """Have the sides again, however the run ended."""
        if not self._operations.running:
            self._lent = ""

    def running(self) -> Sequence[Running]:
        """Return what quitting would cut off."""
        if not self._lent:
            return super().running()
        stops = "the task that is being answered is put again"
        return (Running(f"The suite {self._lent} is run on both sides", stops, "it goes on from there when it is run"),)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let nothing be asked of sides that are lent."""
        return False if self._lent and action in LENT else super().check_action(action, parameters)

    async def _send(self, prompt: str) -> None:
        if self._lent and prompt:
            self._say(f"The suite {self._lent} is being run: s shows it, esc stops it.")
        else:
            await super()._send(prompt)

    async def _place(self, placings: Mapping[str, Placing | None], *, stop: bool = False) -> None:
        await super()._place(placings, stop=stop or bool(self._lent))

    def _both_lines(self, width: int) -> Sequence[Content]:
        if not self._lent:
            return super()._both_lines(width)
        parts = [Content.styled(f" suite {self._lent}", "bold")]
        if self._marked is not None:
            parts.append(Content(f"{self._marked.done} of {self._marked.total} results"))
            if self._marked.left_s is not None:
                parts.append(Content(f"about {duration(self._marked.left_s)} left"))
        return (joined([*parts, "s shows it", "esc stops it"]).truncate(width, ellipsis=True),)
