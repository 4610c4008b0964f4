"""A child that does one job: it is handed one line, tells how far it is, and ends."""

from __future__ import annotations

import signal
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qtui.core.errors import EngineError, Failure
from qtui.core.text import clean
from qtui.core.wire import cleaned, decode
from qtui.services.engine.child_process import ChildProcess, python_module
from qtui.services.engine.crash import explain
from qtui.services.engine.logs import ChildLog

PATIENCE_S = 5.0


class FailedReply(Protocol):
    """What a child says when it cannot do its job."""

    @property
    def failure(self) -> Failure:
        """Return why."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """A module of ours that does jobs, and how it talks."""

    module: str
    """Run with `-m`; it reads one message, the job."""
    doing: str
    """What it does, for the sentence when it dies: `measuring`."""
    replies: Sequence[type]
    """The messages that it may send."""
    ends: tuple[type, ...]
    """Those after which nothing comes."""
    failed: type[FailedReply]
    """The one by which it gives up."""
    saves_s: float = 0.0
    """Seconds that it has to save what it did when it is stopped, of which the end of its input tells it; 0: it is
    killed."""


async def run_job(worker: Worker, job: object) -> AsyncGenerator[Any, None]:
    """Start a child, hand it a job, and yield its replies to the one that ends it.

    Closing the iterator early stops the child.

    Raises:
        QtuiError: what the child says of a job that it cannot do.
        EngineError: it cannot be started, or died.
    """
    log = ChildLog(f"{worker.doing}-{uuid.uuid4().hex[:8]}")
    try:
        child = await ChildProcess.start(python_module(worker.module), log)
    except OSError as error:
        raise EngineError(f"cannot start a process: {clean(str(error))}") from error
    ended, patience = False, worker.saves_s or PATIENCE_S
    try:
        child.send(job)
        async for line in child.lines():
            message = cleaned(decode(line, worker.replies))
            ended = isinstance(message, (*worker.ends, worker.failed))
            if isinstance(message, worker.failed):
                raise message.failure.as_error()
            if message is not None:
                yield message
            if ended:
                return
        status = await child.ended(patience)
        failure = explain(-signal.SIGKILL if status is None else status, log.tail(), doing=worker.doing)
        raise EngineError(failure.message, failure.hint)
    finally:
        if not ended and not worker.saves_s:
            child.kill()
        await child.ended(patience)
