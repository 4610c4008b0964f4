"""The state of one side as the Arena shows it, and how the events of a duel change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from qtui.core.duel.conversation import Answer
from qtui.core.duel.run import DuelEvent, SideHappened, SideUnloaded, SideWaits, SideWeighed
from qtui.core.errors import Failure
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed, PromptProgressed, TextArrived
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Weighing
from qtui.core.settings import BUILT_IN_ENGINE


class Phase(StrEnum):
    """What a side is doing."""

    EMPTY = "empty"
    PUT = "put"
    """A variant stands on it that is not loaded."""
    LOADING = "loading"
    READY = "ready"
    READING = "reading"
    THINKING = "thinking"
    ANSWERING = "answering"
    WAITING = "waiting"
    ANSWERED = "answered"
    STOPPED = "stopped"
    FAILED = "failed"
    """The session is there, the last question was not answered."""
    DIED = "died"
    """The session is gone, or was never there."""
    UNLOADED = "unloaded"
    """It answered, and made room for the other."""


BUSY = frozenset({Phase.LOADING, Phase.READING, Phase.THINKING, Phase.ANSWERING, Phase.WAITING})


@dataclass(frozen=True, slots=True)
class Side:
    """One side."""

    label: str
    variant: Variant | None = None
    phase: Phase = Phase.EMPTY
    weighing: Weighing | None = None
    fraction: float = 0.0
    """Of the load."""
    elapsed: float = 0.0
    """Seconds of the load so far."""
    load_time: float | None = None
    """Seconds that its last load took."""
    done: int = 0
    """Prompt tokens read, then tokens answered."""
    total: int = 0
    """Prompt tokens."""
    waits_for: str = ""
    loaded: Loaded | None = None
    """None: no session."""
    answer: Answer | None = None
    """The last one."""
    failure: Failure | None = None

    @property
    def refused(self) -> bool:
        """Tell whether it was not loaded for want of memory."""
        return self.phase is Phase.DIED and self.failure is not None and self.failure.kind == "memory"

    @property
    def remediable(self) -> bool:
        """Tell whether another plan may load it: a smaller one, or one with the built-in engine."""
        if self.refused:
            return True
        unable = self.phase is Phase.DIED and self.failure is not None and self.failure.kind == "plan_refused"
        return unable and self.weighing is not None and self.weighing.plan.engine != BUILT_IN_ENGINE

    def put(self, variant: Variant | None) -> Side:
        """Return the side with another variant on it."""
        return Side(self.label, variant, Phase.PUT if variant else Phase.EMPTY)

    def cleared(self) -> Side:
        """Return the side at the start of a new conversation."""
        if self.phase not in (Phase.ANSWERED, Phase.STOPPED, Phase.FAILED, Phase.READY):
            return replace(self, answer=None)
        return replace(self, answer=None, failure=None, phase=Phase.READY if self.loaded else Phase.PUT)

    def asked(self) -> Side:
        """Return the side at the start of a round."""
        return replace(self, answer=None, failure=None, done=0, total=0)

    def advance(self, event: DuelEvent) -> Side:
        """Return the side after an event of its own; one that is empty stays so, whatever still comes."""
        if self.variant is None:
            return self
        match event:
            case SideWeighed(weighing=weighing):
                return replace(self, weighing=weighing)
            case SideWaits(waits_for=other):
                return replace(self, phase=Phase.WAITING, waits_for=other)
            case SideUnloaded():
                gone = Phase.UNLOADED if self.answer else Phase.PUT
                return replace(self, loaded=None, phase=self.phase if self.phase is Phase.WAITING else gone)
            case SideHappened(event=LoadProgressed(fraction=fraction, elapsed=elapsed)):
                return replace(self, phase=Phase.LOADING, fraction=fraction, elapsed=elapsed)
            case SideHappened(event=Loaded() as loaded):
                return replace(self, phase=Phase.READY, loaded=loaded, load_time=loaded.load_time, failure=None)
            case SideHappened(event=PromptProgressed(done=done, total=total)):
                return replace(self, phase=Phase.READING, done=done, total=total)
            case SideHappened(event=TextArrived(thinking=thinking, tokens=tokens)):
                return replace(self, phase=Phase.THINKING if thinking else Phase.ANSWERING, done=tokens)
            case SideHappened(event=Answered(answer=answer)):
                ended = Phase.STOPPED if answer.finish_reason == "cancelled" else Phase.ANSWERED
                return replace(self, phase=ended, answer=answer, done=answer.generated_tokens)
            case SideHappened(event=Failed(failure=failure, fatal=fatal)):
                return self._failed(failure, fatal=fatal)
            case _:
                return self

    def rested(self) -> Side:
        """Return the side once nothing runs any more: what still waited was stopped."""
        if self.phase is Phase.WAITING and self.failure is None:
            return replace(self, phase=Phase.READY if self.loaded else Phase.PUT)
        if self.phase in BUSY:
            return replace(self, phase=Phase.STOPPED)
        return self

    def _failed(self, failure: Failure, *, fatal: bool) -> Side:
        if failure.kind == "cancelled":
            return replace(self, phase=Phase.STOPPED, loaded=None if fatal else self.loaded)
        gone = fatal or self.loaded is None
        return replace(
            self, phase=Phase.DIED if gone else Phase.FAILED, loaded=None if gone else self.loaded, failure=failure
        )
