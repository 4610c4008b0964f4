"""What the app knows of the suite that it runs, or ran last."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtui.core.duel.suite.score import Result, SuiteScore
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite_run import SuiteBegins, SuiteEnded, SuiteEvent, TaskMarked, TaskRepeated
from qtui.core.errors import Failure


@dataclass(frozen=True, slots=True)
class SuiteState:
    """One run."""

    suite: Suite
    sides: tuple[str, ...]
    """Titles, A's first."""
    known: int = 0
    """Results that were there already."""
    done: int = 0
    total: int = 0
    left_s: float | None = None
    """Seconds; None: not known yet."""
    last: Result | None = None
    repeated: str = ""
    """Why the last task was put again."""
    running: bool = True
    score: SuiteScore | None = None
    """None while it runs, and where it broke off without a word."""
    failure: Failure | None = None
    stopped: bool = False

    def after(self, event: SuiteEvent) -> SuiteState:
        """Return what is known after an event."""
        match event:
            case SuiteBegins(known=known):
                return replace(self, known=known, done=known, total=len(self.suite.tasks) * len(self.sides))
            case TaskMarked(result=result, done=done, total=total, left_s=left):
                return replace(self, last=result, done=done, total=total, left_s=left, repeated="")
            case TaskRepeated(task=task, side=side, failure=failure):
                return replace(self, repeated=f"{task} again on {side}: {failure.message}")
            case SuiteEnded(score=told, failure=failure, stopped=stopped):
                return replace(self, running=False, score=told, failure=failure, stopped=stopped, left_s=None)
            case _:
                return self

    def broken(self, failure: Failure) -> SuiteState:
        """Return what is known when the run could not go on."""
        return replace(self, running=False, failure=failure, left_s=None) if self.running else self
