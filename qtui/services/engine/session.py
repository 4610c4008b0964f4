"""A session: one variant in one child process, one command at a time, and a reason when the child is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from qtui.core.commands import Ask, Cancel, Close, Load, Score, Started
from qtui.core.duel.conversation import Request
from qtui.core.errors import EngineError, Failure, QtuiError
from qtui.core.events import Answered, Failed, Loaded, Scored, SessionEvent
from qtui.core.hardware import ProcessMemory
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Estimate
from qtui.core.memory.plan import LoadPlan
from qtui.core.sessions import SessionRecord
from qtui.core.text import clean, duration
from qtui.core.wire import cleaned, decode
from qtui.services.engine.bulletin import Bulletin
from qtui.services.engine.child_process import ChildProcess
from qtui.services.engine.crash import explain
from qtui.services.engine.logs import ChildLog
from qtui.services.engine.sessions import Registry, started
from qtui.services.machine.process import process_memory

EVENTS: tuple[type, ...] = (*get_args(SessionEvent), Started)
CRASHES = ("engine", "memory", "rpc")
"""Kinds of failures that a session leaves a record of; the others are told where it was wanted."""
WISHED = frozenset(
    status for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for status in (-number, 128 + number)
)
"""How a session ends that somebody ended from outside by a signal, or whose guard saw that."""
_CANCELLED = Failure("loading was cancelled", kind="cancelled")
_CLOSED = Failure("the session was closed", kind="cancelled")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a child is waited for, in seconds, before it is killed."""

    cancel_load: float = 2.0
    cancel_answer: float = 10.0
    """Longer than one node of one ubatch takes with weights read from a disk: the loaded model is worth a wait."""
    close: float = 3.0
    last_words: float = 2.0
    """After it said that it ends, or closed its output."""


async def load_order(variant: Variant, plan: LoadPlan) -> object:
    """Return what the built-in engine's child is told first."""
    return Load(str(variant.path.absolute()), plan.as_json())


@dataclass(frozen=True, slots=True)
class Means:
    """What the sessions of an engine share."""

    command: tuple[str, ...]
    patience: Patience
    registry: Registry
    logs: Callable[[], Path]
    """Gives the folder of the children's logs."""
    estimate: Callable[[Variant, LoadPlan], Estimate | None]
    """Tells what a variant was said to need, where that was asked."""
    order: Callable[[Variant, LoadPlan], Awaitable[object]] = load_order
    """Makes the child's first command; raises QtuiError where that cannot be."""
    environment: Callable[[], Mapping[str, str]] | None = None
    """Gives the child's environment; None: ours without secrets."""


@dataclass(eq=False, slots=True)
class _Command:
    """A command that the child works on, and the events that it gave so far."""

    doing: str
    """`loading` or `answering`."""
    ends: tuple[type, ...]
    events: asyncio.Queue[SessionEvent] = field(default_factory=asyncio.Queue)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    abandoned: bool = False
    """Its iterator was closed early: nobody reads the events that still come."""


class ChildSession:
    """One variant under a plan in one child process. Implements the Session port."""

    def __init__(self, variant: Variant, plan: LoadPlan, means: Means) -> None:
        self.variant = variant
        self.plan = plan
        self._means = means
        self._patience = means.patience
        self._registry = means.registry
        self._id = secrets.token_hex(4)
        self._logs = means.logs
        self._log: ChildLog | None = None
        self._child: ChildProcess | None = None
        self._serving: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._running: _Command | None = None
        self._last_words: Failure | None = None
        self._killed_for: Failure | None = None
        self._ended: Failure | None = None
        self._estimate = means.estimate
        self._bulletin: Bulletin | None = None
        self._status: int | None = None
        """How the child ended."""
        self._engine_pid: int | None = None
        """Of an engine that is not the child itself; 0: it runs on another machine."""

    @property
    def id(self) -> str:
        """Return a short name, unique on this machine."""
        return self._id

    @property
    def pid(self) -> int | None:
        """Return the engine's process id, None before it started, after it ended, and on another machine."""
        if self._child is None or self._ended is not None:
            return None
        return self._child.pid if self._engine_pid is None else self._engine_pid or None

    @property
    def ended(self) -> bool:
        """Tell whether the child is gone, after which nothing is answered any more."""
        return self._ended is not None

    def lane(self) -> ChildSession | None:
        """Return None: the built-in engine makes one answer at a time."""
        return None

    async def load(self) -> AsyncIterator[SessionEvent]:
        """Start the child and load: LoadProgressed…, then Loaded or Failed.

        Raises:
            EngineError: it was loaded already, or is busy.
        """
        command = await self._begin("loading", (Loaded, Failed))
        if self._starting is not None:
            self._running = None
            raise EngineError("this session is loaded already", "open another one")
        self._starting = asyncio.create_task(self._start(command))
        async with contextlib.aclosing(self._events(command)) as events:
            async for event in events:
                yield event

    async def ask(self, request: Request) -> AsyncIterator[SessionEvent]:
        """Answer one request: PromptProgressed…, TextArrived…, then Answered or Failed.

        Raises:
            EngineError: it is not loaded, or is busy with another request.
        """
        async with contextlib.aclosing(self._work(Ask(request), Answered)) as events:
            async for event in events:
                yield event

    async def score(self, prompt: str, options: Sequence[str]) -> AsyncIterator[SessionEvent]:
        """Weigh the options that may follow a text: Scored or Failed.

        Raises:
            EngineError: it is not loaded, or is busy with another request.
        """
        async with contextlib.aclosing(self._work(Score(prompt, tuple(options)), Scored)) as events:
            async for event in events:
                yield event

    async def cancel(self) -> None:
        """Stop what is running and wait until it has stopped; the running iterator then gets its last event.

        A load ends within `cancel_load` seconds: a child that is inside one large tensor is killed.
        """
        command = self._running
        if command is not None:
            self._stop(command)
            await command.done.wait()

    async def memory(self) -> ProcessMemory:
        """Return what the operating system says of the child now; all None when it is gone."""
        return process_memory(self.pid) if self.pid is not None else ProcessMemory()

    async def close(self) -> None:
        """End the child and wait until it is gone; harmless when it is gone already."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut())
        await asyncio.shield(self._closing)

    async def _begin(self, doing: str, ends: tuple[type, ...]) -> _Command:
        """Take the session for one command, once an abandoned one before it has ended."""
        for _ in range(3):  # an iterator left by `break` is closed by a task of the loop, which must get its turn
            if self._running is not None and not self._running.abandoned:
                await asyncio.sleep(0)
        if self._running is not None and self._running.abandoned:
            await self._running.done.wait()
        if self._running is not None:
            raise EngineError(f"this session is {self._running.doing} already", "wait for it, or stop it first")
        self._running = command = _Command(doing, ends)
        return command

    async def _work(self, message: Ask | Score, end: type) -> AsyncGenerator[SessionEvent, None]:
        """Send a command that a loaded child works on, and yield its events."""
        command = await self._begin("answering", (end, Failed))
        if self._child is None and self._ended is None:
            self._running = None
            raise EngineError("this session is not loaded", "load it before asking")
        if self._ended is not None:
            self._lost(self._ended)
        elif self._child is not None:
            self._child.send(message)
            if self._bulletin is not None:
                self._bulletin.asked()
        async with contextlib.aclosing(self._events(command)) as events:
            async for event in events:
                yield event

    async def _start(self, command: _Command) -> None:
        """Start the child and tell it to load; a task of its own, so that nothing is lost between fork and record."""
        if self._ended is not None:
            self._lost(self._ended)
            return
        environment = self._means.environment() if self._means.environment is not None else None
        try:
            order = await self._means.order(self.variant, self.plan)
            self._log = ChildLog(self._id, self._logs)
            child = await ChildProcess.start(self._means.command, self._log, environment)
        except QtuiError as error:
            self._lost(Failure.of(error))
            return
        except OSError as error:
            reason = clean(error.strerror or str(error))
            self._lost(Failure(f"the engine cannot be started: {reason}", "see qtui doctor", "engine"))
            return
        except asyncio.CancelledError:
            self._lost(_CLOSED)
            raise
        self._child = child
        self._bulletin = Bulletin(self._registry, self._first_record(child.pid))
        self._serving = asyncio.create_task(self._serve(child))
        if command.stopping or self._closing is not None:
            self._kill(child, _CANCELLED)
        else:
            child.send(order)

    def _first_record(self, pid: int) -> SessionRecord:
        said = self._estimate(self.variant, self.plan)
        return SessionRecord(
            self._id, pid, started(pid), os.getpid(), self.variant.title, str(self.variant.path), self.plan.as_json(),
            since=time.time(),
            estimated_ram=said.pools.ram if said else None, estimated_vram=sum(said.pools.vram) if said else None,
            estimated_reclaimable=said.reclaimable if said else None,
            estimated_context=said.context if said else None, engine=self.plan.engine,
            parent_started=started(os.getpid()),
            log=str(self._log.path) if self._log and self._log.path else "",
        )  # fmt: skip

    async def _events(self, command: _Command) -> AsyncGenerator[SessionEvent, None]:
        """Yield a command's events to its last; an iterator that is closed early cancels the command."""
        try:
            while True:
                event = await command.events.get()
                yield event
                if isinstance(event, command.ends):
                    return
        finally:
            if not command.done.is_set():
                command.abandoned = True
                self._stop(command)

    def _stop(self, command: _Command) -> None:
        if command.stopping or command.done.is_set():
            return
        command.stopping = True
        if self._child is not None:
            self._child.send(Cancel())
        if command.doing == "loading":
            patience, why = self._patience.cancel_load, _CANCELLED
        else:
            patience = self._patience.cancel_answer
            text = f"the engine did not stop within {duration(patience)} and was ended"
            why = Failure(text, "load it again", "engine")
        asyncio.get_running_loop().call_later(patience, self._overdue, command, why)

    def _overdue(self, command: _Command, why: Failure) -> None:
        if self._child is not None and not command.done.is_set():
            self._kill(self._child, why)

    def _kill(self, child: ChildProcess, why: Failure | None) -> None:
        self._killed_for = self._killed_for or why
        child.kill()

    async def _serve(self, child: ChildProcess) -> None:
        """Read the child's events until it ends, reap it, and tell why it ended."""
        status: int | None = None
        try:
            async for line in child.lines():
                event = decode(line, EVENTS)
                if event is not None:
                    self._arrived(child, event)
            status = await child.ended(self._patience.last_words)
        except asyncio.CancelledError:  # the loop is ending
            self._kill(child, _CLOSED)
            status = await child.ended(self._patience.last_words)
            raise
        finally:
            if self._engine_pid is not None:  # an engine that is a process beside the child must not outlive it
                child.sweep()
            self._lost(self._why(status))

    def _arrived(self, child: ChildProcess, raw: SessionEvent | Started) -> None:
        event = cleaned(raw)
        if isinstance(event, Started):
            self._engine_pid = event.pid
            if self._bulletin is not None:
                self._bulletin.runs_as(event.pid, started(event.pid) if event.pid else None)
            return
        if isinstance(event, Failed) and event.fatal:
            self._last_words = event.failure
            asyncio.get_running_loop().call_later(self._patience.last_words, child.kill)
            return
        command = self._running
        if command is None:
            return
        if isinstance(event, (Loaded, Answered, Scored, Failed)):
            if not isinstance(event, command.ends):
                return
            if self._bulletin is not None and (Loaded not in command.ends or isinstance(event, Loaded)):
                self._bulletin.note(event)
            self._finish(event)
            return
        if self._bulletin is not None:
            self._bulletin.note(event)
        if not command.abandoned:
            command.events.put_nowait(event)

    def _finish(self, event: SessionEvent) -> None:
        command, self._running = self._running, None
        if command is not None:
            command.events.put_nowait(event)
            command.done.set()

    def _lost(self, why: Failure) -> None:
        """The child is gone: end the running command, and every later one, with the reason."""
        if self._ended is None:
            self._ended = why
            if self._bulletin is not None:
                if why.kind in CRASHES and self._closing is None and self._status not in WISHED:
                    self._bulletin.crash(why.message)
                else:
                    self._bulletin.end()
        self._finish(Failed(self._ended, fatal=True))

    def _why(self, status: int | None) -> Failure:
        self._status = status
        if self._killed_for is not None:
            return self._killed_for
        log = self._log.tail() if self._log else ()
        if self._last_words is not None:
            return replace(self._last_words, log=self._last_words.log or log)
        if self._closing is not None:
            return _CLOSED
        if status is None:
            return Failure("the engine does not answer and cannot be ended", "see the state of its disk", "engine", log)
        doing = self._running.doing if self._running else ""
        return explain(status, log, doing=doing)

    async def _shut(self) -> None:
        if self._starting is not None:
            await asyncio.wait({self._starting})
        child, serving = self._child, self._serving
        if child is None or serving is None:
            self._lost(self._ended or _CLOSED)
            return
        try:
            child.send(Close())
            child.close_input()
            await asyncio.wait({serving}, timeout=self._patience.close)
            if not serving.done():
                child.kill()
                await asyncio.wait({serving})
        except asyncio.CancelledError:  # the loop is ending; the serving task reaps what is killed here
            child.kill()
            raise
