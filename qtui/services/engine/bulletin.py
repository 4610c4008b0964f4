"""Bulletin: a session's record in the runtime folder, kept up to date while the session works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from qtui.core.events import (
    Answered,
    Failed,
    Loaded,
    LoadProgressed,
    PromptProgressed,
    Scored,
    SessionEvent,
    TextArrived,
)
from qtui.core.memory.actual import reads_full_prompt
from qtui.core.memory.plan import LoadPlan
from qtui.core.sessions import SessionRecord, SessionState
from qtui.services.engine.sessions import Registry

PAUSE_S = 0.5
"""So long at least lies between two records of the same state: events come by the hundred."""


class Bulletin:
    """Writes what a session does: a new state at once, progress and rate twice a second, nothing after the end."""

    def __init__(self, registry: Registry, record: SessionRecord, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._record = record
        self._clock = clock
        self._written = 0.0
        self._ended = False
        self._prompt = 0
        self._counted: tuple[float, int] | None = None
        """When a rate was last measured, and how many tokens of the answer there were then."""
        self._put(record)

    @property
    def record(self) -> SessionRecord:
        """Return the newest state, written or not."""
        return self._record

    def runs_as(self, pid: int, began: int | None) -> None:
        """Say which process the engine is; 0: it runs on another machine, and the record stays its child's."""
        if pid:
            self._put(replace(self._record, pid=pid, pid_started=began))
        else:
            self._put(replace(self._record, elsewhere=True))

    def asked(self) -> None:
        """Say that a request is being answered."""
        self._prompt, self._counted = 0, None
        self._put(replace(self._record, state=SessionState.ANSWERING, progress=0.0, rate=None))

    def ready(self) -> None:
        """Say that it is loaded and does nothing."""
        self._put(replace(self._record, state=SessionState.READY, progress=None))

    def note(self, event: SessionEvent) -> None:
        """Take up what an event tells; the end of a command says `ready` as well."""
        match event:
            case LoadProgressed(fraction=fraction):
                self._put(replace(self._record, progress=fraction), pausing=True)
            case Loaded(plan=plan):
                self._record = replace(self._record, plan=plan, context_used=0)
                self.ready()
            case PromptProgressed(done=done, total=total):
                self._prompt = total
                share = done / total if total else None
                self._put(replace(self._record, progress=share, context_used=done), pausing=True)
            case TextArrived(tokens=tokens):
                self._generated(tokens)
            case Answered(answer=answer):
                used = answer.prompt_tokens + answer.generated_tokens
                rate = answer.generation_rate if answer.generation_rate is not None else self._record.rate
                full = self._record.full_prompt or self._fills(answer.prompt_tokens - answer.cached_tokens)
                self._record = replace(self._record, rate=rate, context_used=used, full_prompt=full)
                self.ready()
            case Scored() | Failed():
                self.ready()

    def crash(self, reason: str) -> None:
        """Leave the record behind with the reason why its process is gone."""
        gone = replace(self._record, state=SessionState.CRASHED, progress=None, rate=None, reason=reason)
        self._put(replace(gone, crashed=time.time()))
        self._ended = True

    def end(self) -> None:
        """Take the record away for good."""
        self._ended = True
        self._registry.drop(self._record.id)

    def _fills(self, read_tokens: int) -> bool:
        try:
            return reads_full_prompt(LoadPlan.from_json(self._record.plan), read_tokens)
        except (TypeError, ValueError):
            return False

    def _generated(self, tokens: int) -> None:
        now, reading = self._clock(), self._record.progress is not None
        record = replace(self._record, progress=None, context_used=self._prompt + tokens)
        if self._counted is None or tokens < self._counted[1]:
            self._counted = (now, tokens)
        elif now - self._counted[0] >= PAUSE_S:
            since, before = self._counted
            record = replace(record, rate=(tokens - before) / (now - since))
            self._counted = (now, tokens)
        self._put(record, pausing=not reading)

    def _put(self, record: SessionRecord, *, pausing: bool = False) -> None:
        self._record = record
        now = self._clock()
        if self._ended or (pausing and now - self._written < PAUSE_S):
            return
        self._written = now
        self._registry.put(record)
