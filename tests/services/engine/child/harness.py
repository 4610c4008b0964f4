"""Drives a real session child over its pipes, as the app does, but without asyncio."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from qtui.core.commands import Ask, Load
from qtui.core.duel.conversation import Answer, Message, Request, Sampling
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
from qtui.core.memory.plan import LoadPlan
from qtui.core.wire import decode, encode

EVENTS = (LoadProgressed, Loaded, PromptProgressed, TextArrived, Answered, Scored, Failed)
MODULE = "qtui.services.engine.child.answer"
WAIT_S = 60.0
GREEDY = Sampling(temperature=0.0, seed=42)
# One thread: two that spin for each other are slow beyond measure when another process has one of their cores.
SMALL = LoadPlan(ctx_size=512, threads=1)


class Child:
    """One child; leaving the context ends its input and waits for it."""

    def __init__(
        self, log: Path, *, environment: dict[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> None:
        self.log = log
        self._events: queue.Queue[tuple[float, SessionEvent | None]] = queue.Queue()
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **(environment or {})},
                preexec_fn=before,  # noqa: PLW1509 (no thread is alive in a test's process at this point)
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            event = decode(line, EVENTS)
            assert event is not None, line
            self._events.put((time.monotonic(), event))
        self._events.put((time.monotonic(), None))

    def send(self, command: object) -> None:
        """Write a command."""
        assert self.process.stdin
        self.process.stdin.write(encode(command).encode())
        self.process.stdin.flush()

    def close_input(self) -> None:
        """End the child's input, as the app's death does."""
        assert self.process.stdin
        self.process.stdin.close()

    def events(self) -> Iterator[SessionEvent]:
        """Yield events up to the one that ends a command, or to the end of the output."""
        while True:
            _, event = self._events.get(timeout=WAIT_S)
            if event is None:
                return
            yield event
            if isinstance(event, Loaded | Answered | Scored | Failed):
                return

    def until(self, wanted: Callable[[SessionEvent], bool]) -> SessionEvent:
        """Wait for an event."""
        for event in self.events():
            if wanted(event):
                return event
        raise AssertionError(f"did not come; the log ends in: {self.log.read_text()[-2000:]}")

    def load(self, path: Path, plan: LoadPlan = SMALL) -> Loaded:
        """Load and return what was loaded."""
        event = self.try_load(path, plan)
        assert isinstance(event, Loaded), event
        return event

    def try_load(self, path: Path, plan: LoadPlan = SMALL) -> SessionEvent:
        """Load and return the last event."""
        self.send(Load(str(path), plan.as_json()))
        return self.until(lambda e: isinstance(e, Loaded | Failed))

    def ask(self, request: Request) -> Answer:
        """Ask and return the answer."""
        event = self.try_ask(request)
        assert isinstance(event, Answered), event
        return event.answer

    def try_ask(self, request: Request) -> SessionEvent:
        """Ask and return the last event."""
        self.send(Ask(request))
        return self.until(lambda e: isinstance(e, Answered | Failed))

    def stream(self, request: Request) -> list[SessionEvent]:
        """Ask and return every event."""
        self.send(Ask(request))
        return list(self.events())

    def ended(self) -> int:
        """Wait for the end and return the exit status."""
        return self.process.wait(10)


def chat(*texts: str, **options: Any) -> Request:
    """Return a request of alternating user and assistant turns, the first a user's."""
    messages = tuple(Message("assistant" if i % 2 else "user", text) for i, text in enumerate(texts))
    return Request(messages=messages, sampling=options.pop("sampling", GREEDY), **options)


def raw(text: str, limit: int | None = None, **options: Any) -> Request:
    """Return a request that continues a text greedily."""
    sampling = options.pop("sampling", Sampling(temperature=0.0, seed=42, max_tokens=limit))
    return Request(raw=text, sampling=sampling, **options)
