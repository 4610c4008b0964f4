"""A child that does one job: it is handed one line, tells how far it is, and ends."""

from __future__ import annotations

import signal
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from qtui.core.errors import EngineError
from qtui.core.text import clean
from qtui.core.wire import cleaned, decode
from qtui.services.engine.child_process import ChildProcess, python_module
from qtui.services.engine.crash import explain
from qtui.services.engine.logs import ChildLog

PATIENCE_S = 5.0


async def run_job(
    module: str, job: object, replies: Sequence[type], ends: tuple[type, ...], doing: str
) -> AsyncGenerator[Any, None]:
    """Start a module of ours as a child, hand it a job, and yield its replies to the one that ends it.

    Closing the iterator early kills the child.

    Args:
        module: run with `-m`.
        job: what it reads, one message.
        replies: the messages that it may send.
        ends: those after which nothing comes.
        doing: what it does, for the sentence when it dies: `measuring`.

    Raises:
        EngineError: it cannot be started, or died.
    """
    log = ChildLog(f"{doing}-{uuid.uuid4().hex[:8]}")
    try:
        child = await ChildProcess.start(python_module(module), log)
    except OSError as error:
        raise EngineError(f"cannot start a process: {clean(str(error))}") from error
    ended = False
    try:
        child.send(job)
        async for line in child.lines():
            message = decode(line, replies)
            if message is not None:
                ended = isinstance(message, ends)
                yield cleaned(message)
            if ended:
                return
        status = await child.ended(PATIENCE_S)
        failure = explain(-signal.SIGKILL if status is None else status, log.tail(), doing=doing)
        raise EngineError(failure.message, failure.hint)
    finally:
        if not ended:
            child.kill()
        await child.ended(PATIENCE_S)
