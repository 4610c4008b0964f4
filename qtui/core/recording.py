"""Recording: an engine around another, whose sessions are looked at after each answer and kept in the history.

Every run (a chat, a duel, a benchmark) works on the Engine port, so it records without knowing it. A history that
cannot be written never stops a run: the first reason is told, and the rest is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from qtui.core.duel.conversation import Answer, Request
from qtui.core.errors import QtuiError
from qtui.core.events import Answered, Loaded, SessionEvent
from qtui.core.hardware import EngineInfo, ProcessMemory
from qtui.core.history import Run, Timing
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Actual, Estimate, reads_full_prompt
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Actuals, Engine, History, Session


class Recorder:
    """Looks at sessions and writes the history in the background.

    Args:
        history: where runs are kept.
        actuals: what looks at a process.
        estimate: tells what a variant was said to need under a resolved plan, None where nobody asked.
        tell: called once with the sentence that says why nothing is recorded.
    """

    def __init__(
        self, history: History, actuals: Actuals, estimate: Callable[[Variant, LoadPlan], Footprint | None],
        tell: Callable[[str], object] = lambda _line: None,
    ) -> None:  # fmt: skip
        self._history = history
        self._actuals = actuals
        self._tell = tell
        self._writing: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()
        self._answering: dict[object, bool] = {}
        self.estimate = estimate
        self.problem = ""
        """Why runs are not recorded; empty while they are."""

    def begins(self, who: object) -> None:
        """Note that a session computes; with others at once, none of them is alone."""
        self._answering[who] = not self._answering
        if len(self._answering) > 1:
            self._answering = dict.fromkeys(self._answering, False)

    def ends(self, who: object) -> bool:
        """Note that a session has done computing; tell whether it was alone all the time."""
        return self._answering.pop(who, False)

    async def look(self, session: Session, variant: Variant) -> Actual:
        """Return what a session holds now; nothing is known of one that has ended."""
        if session.pid is None:
            return Actual()
        return await self._actuals.actual(session.pid, variant.shards or (variant.path,))

    def keep(self, run: Run, timing: Timing) -> None:
        """Write a run and its newest answer, without waiting for it."""
        task = asyncio.create_task(self._write(run, timing))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def settle(self) -> None:
        """Wait until everything is written."""
        while self._writing:
            await asyncio.gather(*self._writing)

    async def _write(self, run: Run, timing: Timing) -> None:
        async with self._order:
            try:
                await self._history.record_run(run, timing)
            except QtuiError as error:
                if not self.problem:
                    self.problem = f"this run is not recorded: {error.message}"
                    self._tell(self.problem)


class RecordingEngine:
    """An engine whose sessions are recorded. Implements the Engine port over another engine."""

    def __init__(self, engine: Engine, recorder: Recorder) -> None:
        self._engine = engine
        self._recorder = recorder

    async def info(self) -> EngineInfo:
        """Return what the engine is."""
        return await self._engine.info()

    def open(self, variant: Variant, plan: LoadPlan) -> RecordedSession:
        """Return a session that is not started yet."""
        return RecordedSession(self._engine.open(variant, plan), self._engine, self._recorder, variant, plan)


class RecordedSession:
    """A session around another: each answer tells what the system says of it, and is kept."""

    def __init__(self, session: Session, engine: Engine, recorder: Recorder, variant: Variant, plan: LoadPlan) -> None:
        self._session = session
        self._engine = engine
        self._recorder = recorder
        self._variant = variant
        self._plan = plan
        self._run: Run | None = None
        self._full_prompt = False

    @property
    def id(self) -> str:
        """Return the session's name."""
        return self._session.id

    @property
    def pid(self) -> int | None:
        """Return the child's process id."""
        return self._session.pid

    @property
    def ended(self) -> bool:
        """Tell whether the session is gone."""
        return self._session.ended

    async def load(self) -> AsyncIterator[SessionEvent]:
        """Load, and keep what the load told."""
        async with _closing(self._session.load()) as events:
            async for event in events:
                if isinstance(event, Loaded):
                    await self._loaded(event)
                yield event

    async def ask(self, request: Request) -> AsyncIterator[SessionEvent]:
        """Answer; the answer carries what the session then held."""
        self._recorder.begins(self)
        try:
            async with _closing(self._session.ask(request)) as events:
                async for event in events:
                    yield await self._answered(event) if isinstance(event, Answered) else event
        finally:
            self._recorder.ends(self)

    async def score(self, prompt: str, options: Sequence[str]) -> AsyncIterator[SessionEvent]:
        """Weigh options; nothing of it is kept here."""
        self._recorder.begins(self)
        try:
            async with _closing(self._session.score(prompt, options)) as events:
                async for event in events:
                    yield event
        finally:
            self._recorder.ends(self)

    async def cancel(self) -> None:
        """Stop what is running."""
        await self._session.cancel()

    async def memory(self) -> ProcessMemory:
        """Return what the operating system says of the child now."""
        return await self._session.memory()

    async def close(self) -> None:
        """End the child."""
        await self._session.close()

    async def _loaded(self, loaded: Loaded) -> None:
        variant, info = self._variant, await self._engine.info()
        footprint = self._recorder.estimate(variant, self._plan)
        self._run = Run(
            uuid.uuid4().hex, time.time(), str(variant.path), variant.model, variant.quant, variant.size,
            self._plan.engine, loaded.build or info.build, loaded.plan, Estimate.of(footprint) if footprint else None,
            allocated=loaded.buffers, load_time=loaded.load_time, shards=tuple(map(str, variant.shards)),
        )  # fmt: skip

    async def _answered(self, event: Answered) -> Answered:
        """Look at the session while it is still there, and keep what is known."""
        alone = self._recorder.ends(self)
        answer = event.answer
        actual = await self._recorder.look(self._session, self._variant)
        self._full_prompt = self._full_prompt or self._filled(answer)
        actual = replace(actual, full_prompt=self._full_prompt)
        if self._run is not None:
            self._run = replace(self._run, actual=actual)
            self._recorder.keep(self._run, Timing.of(answer, time.time(), alone=alone))
        return replace(event, answer=replace(answer, actual=actual))

    def _filled(self, answer: Answer) -> bool:
        return reads_full_prompt(self._plan, answer.prompt_tokens - answer.cached_tokens)


@contextlib.asynccontextmanager
async def _closing(stream: AsyncIterator[SessionEvent]) -> AsyncGenerator[AsyncIterator[SessionEvent], None]:
    """Close a session's iterator with the block, so that one that is left early cancels its command."""
    try:
        yield stream
    finally:
        close: Any = getattr(stream, "aclose", None)
        if close is not None:
            await close()
