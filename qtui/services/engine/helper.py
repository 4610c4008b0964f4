"""One running dry-run helper, as the client sees it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from qtui.core.errors import EngineError
from qtui.core.memory.question import (
    ANSWERS,
    Aborted,
    Allocated,
    HelperReady,
    HelperUnusable,
    ModelTaken,
    Question,
    Refused,
)
from qtui.core.text import clean
from qtui.core.wire import decode
from qtui.services.engine.child_process import ChildProcess, python_module
from qtui.services.engine.logs import ChildLog

MODULE = "qtui.services.engine.child.dry_run"
START_LIMIT_S = 30.0
"""A busy machine may take this long to start Python and load the library from a cold disk."""


class HelperGoneError(Exception):
    """The helper ended before it answered."""

    def __init__(self, assertion: str, model_taken: bool) -> None:
        super().__init__(assertion)
        self.assertion = assertion
        """ggml's sentence, empty when it died without one."""
        self.model_taken = model_taken
        """True: the file was accepted, and the plan's context was being made."""


class Helper:
    """A helper that has loaded llama.cpp. One question at a time."""

    def __init__(self, child: ChildProcess, lines: AsyncIterator[bytes], log: ChildLog) -> None:
        self._child = child
        self._lines = lines
        self.log = log
        self.pid = child.pid
        self.ready = HelperReady("")
        self._status: int | None = None

    @classmethod
    async def start(cls, *options: str) -> Helper:
        """Start a helper and wait until it has loaded llama.cpp.

        Raises:
            EngineError: it cannot be started, or llama.cpp cannot be loaded there.
        """
        log = ChildLog(f"dry-run-{os.getpid()}")
        try:
            child = await ChildProcess.start((*python_module(MODULE), *options), log)
        except OSError as error:
            reason = clean(error.strerror or str(error))
            raise EngineError(f"the dry run's helper cannot be started: {reason}", "free some memory") from error
        helper = cls(child, child.lines(), log)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                message = await helper._next()
        except TimeoutError:
            message = None
        except BaseException:
            await helper.end(0.0)
            raise
        if isinstance(message, HelperReady):
            helper.ready = message
            return helper
        await helper.end(0.0)
        if isinstance(message, HelperUnusable):
            raise EngineError(message.message, message.hint)
        last = ("it said nothing", *log.tail())[-1]
        raise EngineError(f"the dry run's helper did not start: {last}", "`qtui doctor` tells what is missing")

    async def ask(self, question: Question, limit: float) -> Allocated | Refused:
        """Ask one question.

        Raises:
            HelperGoneError: the helper died over it, or was dead before.
            TimeoutError: no answer within `limit` seconds.
        """
        self._child.send(question)
        assertion, model_taken = "", False
        async with asyncio.timeout(limit):
            while (message := await self._next()) is not None:
                if isinstance(message, Aborted):
                    assertion = message.text
                elif isinstance(message, ModelTaken):
                    model_taken = True
                elif isinstance(message, Allocated | Refused) and message.id == question.id:
                    return message
        raise HelperGoneError(assertion, model_taken)

    def kill(self) -> None:
        """Kill the helper; a question that is on its way then ends with HelperGoneError."""
        self._child.kill()

    async def end(self, patience: float = 1.0) -> int | None:
        """End the helper and return its exit status; harmless when it is gone."""
        if patience <= 0:
            self._child.kill()
        if self._status is None:
            self._status = await self._child.ended(max(patience, 1.0))
        return self._status

    async def _next(self) -> Any | None:
        """Return the next message; None when the helper's output has ended."""
        async for line in self._lines:
            message = decode(line, ANSWERS)
            if message is not None:
                return message
        return None
