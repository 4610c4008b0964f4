"""The serving run: one variant behind an endpoint, its requests answered in their order, its session brought back.

A session that dies takes one answer with it: that request is told why, and the next one loads the model again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.duel.conversation import Answer
from qtui.core.errors import Failure, QtuiError
from qtui.core.events import Answered, Failed, Loaded, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, Weighing, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Engine, Session
from qtui.core.serving.asked import Defaults, Kind, Wanted
from qtui.core.serving.line import WAITING, Line
from qtui.core.serving.refusal import SERVER, Refusal, RefusedError, refusal_of
from qtui.core.serving.replies import model_name
from qtui.core.serving.slots import Slots, answers_at_once
from qtui.core.text import clean_name

STOPPING = Refusal(503, "the endpoint is ending", SERVER, code="shutting_down", retry_after=5)


class State(StrEnum):
    """What an endpoint's engine does."""

    LOADING = "loading"
    READY = "ok"
    DOWN = "down"
    """It is not loaded; the next request loads it."""


@dataclass(frozen=True, slots=True)
class Loading:
    """Something happened in a session that loads."""

    event: SessionEvent


@dataclass(frozen=True, slots=True)
class Lost:
    """The session ended in mid-answer, or could not be loaded."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Done:
    """A request was answered."""

    kind: Kind
    answer: Answer


ServingEvent = Weighing | Loading | Lost | Done


WATCH_S = 0.5
"""Between two looks whether the engine is still there."""


def _nobody(_event: ServingEvent) -> None:
    return None


class Serving:
    """One variant under a plan, and the line before it.

    Args:
        engine: opens sessions.
        guard: weighs before each load.
        variant: what is served.
        plan: how it is loaded.
        defaults: what holds where a request says nothing.
        force: load although there is not enough memory.
        waiting: requests that may wait.
        tell: hears what happens.
    """

    def __init__(
        self, engine: Engine, guard: Guard, variant: Variant, plan: LoadPlan, *, defaults: Defaults = Defaults(),
        force: bool = False, waiting: int = WAITING, tell: Callable[[ServingEvent], object] = _nobody,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._guard = guard
        self._force = force
        self._tell = tell
        self._loading: asyncio.Task[Failure | None] | None = None
        self._stopping = False
        self._slots: Slots | None = None
        self.variant = variant
        self.plan = plan
        """As it was asked for; resolved once it is loaded."""
        self.defaults = defaults
        self.line = Line(answers_at_once(plan), waiting)
        self.session: Session | None = None
        self.loaded: Loaded | None = None
        self.failure: Failure | None = None
        """Why it is not loaded."""

    @property
    def name(self) -> str:
        """Return what programs call the model."""
        return model_name(self.variant)

    @property
    def state(self) -> State:
        """Return what the engine does now."""
        if self._loading is not None and not self._loading.done():
            return State.LOADING
        return State.READY if self._alive else State.DOWN

    @property
    def _alive(self) -> bool:
        return self._slots is not None and not self._slots.session.ended

    async def load(self) -> Failure | None:
        """Load the model, or wait for who does; return why that failed. Goes on when the caller is cancelled."""
        if self._loading is None or self._loading.done():
            if self._alive:
                return None
            self._loading = asyncio.create_task(self._load())
        return await asyncio.shield(self._loading)

    async def answer(self, wanted: Wanted) -> AsyncGenerator[SessionEvent, None]:
        """Answer a request in its turn: PromptProgressed…, TextArrived…, then Answered. Closing it cancels the answer.

        Raises:
            RefusedError: another model is asked for, too many wait, or the engine failed; also in mid-answer.
        """
        self.check_model(wanted.model)
        if self._stopping:
            raise RefusedError(STOPPING)
        async with self.line.turn():
            slots = await self._ready()
            try:
                async with slots.one() as session, aclosing(_asked(session, wanted)) as events:
                    async for event in events:
                        if isinstance(event, Failed):
                            raise await self._failed(slots, session, event, wanted)
                        if isinstance(event, Answered):
                            self._answered(wanted, event.answer)
                        yield event
            except RefusedError:
                raise
            except QtuiError as error:
                raise RefusedError(refusal_of(Failure.of(error))) from error

    def check_model(self, name: str) -> None:
        """Refuse another model than the one that is served.

        Raises:
            RefusedError: names the one that is.
        """
        known = (self.name, self.variant.title, self.variant.path.name, self.variant.path.stem, str(self.variant.path))
        if name and name not in known:
            text = f"there is no model {clean_name(name, 80)} here: this endpoint serves {self.name}"
            raise RefusedError(Refusal(404, text, param="model", code="model_not_found"))

    async def watch(self) -> None:
        """Tell when the engine ends while nothing is asked of it; goes on until it is cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            session = self.session
            if session is not None and session.ended and self.state is State.DOWN and not self._stopping:
                self._tell(Lost(Failure("the engine was ended", kind="engine")))
                await self._drop()

    async def stop(self) -> None:
        """Take no more requests, and end what is answered or waits."""
        self._stopping = True
        if self._slots is not None:
            await self._slots.cancel()
        elif self.session is not None:
            await self.session.cancel()

    async def close(self) -> None:
        """End the session, and take no more requests."""
        self._stopping = True
        await self.unload()

    async def unload(self) -> None:
        """End the session; the next request loads it again."""
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.wait({self._loading})
        await self._drop()

    async def _ready(self) -> Slots:
        """Return the sessions that are loaded.

        Raises:
            RefusedError: it cannot be loaded, or the endpoint ends.
        """
        if self._stopping:
            raise RefusedError(STOPPING)
        failure = await self.load()
        if self._stopping:
            raise RefusedError(STOPPING)
        if failure is not None or self._slots is None:
            raise RefusedError(refusal_of(failure or Failure("the model is not loaded")))
        return self._slots

    async def _load(self) -> Failure | None:
        """Weigh and load; return why that failed."""
        await self._drop()
        try:
            weighing = await self._guard.weigh(self.variant, self.plan)
            self._tell(weighing)
            self.failure = None if self._force else refusal(self.variant, weighing)
            if self.failure is None:
                await self._open(weighing.plan)
        except QtuiError as error:
            self.failure = Failure.of(error)
        except asyncio.CancelledError:
            await self._drop()
            raise
        if self.failure is not None:
            await self._drop()
            self._tell(Lost(self.failure))
        return self.failure

    async def _open(self, plan: LoadPlan) -> None:
        self.session = self._engine.open(self.variant, plan)
        async for event in self.session.load():
            self._tell(Loading(event))
            if isinstance(event, Loaded):
                self.loaded = event
            elif isinstance(event, Failed):
                self.failure = event.failure
        if self.failure is None:
            self._slots = await Slots.open(self.session, self.line.at_once)

    def _answered(self, wanted: Wanted, answer: Answer) -> None:
        """Tell of an answer.

        Raises:
            RefusedError: the endpoint ends, and has cut it.
        """
        if answer.finish_reason == "cancelled":
            raise RefusedError(STOPPING)
        self._tell(Done(wanted.kind, answer))

    async def _failed(self, slots: Slots, session: Session, event: Failed, wanted: Wanted) -> RefusedError:
        """Return what to say of a failure; an engine that is gone is dropped, once."""
        if await slots.lost(session, event) and self._slots is slots:
            self.failure = event.failure
            self._tell(Lost(event.failure))
            await self._drop()
        return RefusedError(refusal_of(event.failure, "messages" if wanted.kind is Kind.CHAT else "prompt"))

    async def _drop(self) -> None:
        session, self.session, self._slots, self.loaded = self.session, None, None, None
        if session is not None:
            await session.close()


async def _asked(session: Session, wanted: Wanted) -> AsyncGenerator[SessionEvent, None]:
    """Yield a session's events; what is left early is closed at once."""
    events = session.ask(wanted.request)
    try:
        async for event in events:
            yield event
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
