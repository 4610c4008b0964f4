"""Makes a quant of a file in a child process: progress as it goes, and a whole file or none."""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, QtuiError, UsageError
from qtui.core.gguf.names import split_part
from qtui.core.quantise import (
    QUANTISE_REPLIES,
    Quantised,
    QuantiseEvent,
    QuantiseFailed,
    QuantiseJob,
)
from qtui.core.text import clean, clean_name
from qtui.core.wire import decode
from qtui.services.engine.child_process import ChildProcess, python_module
from qtui.services.engine.crash import explain
from qtui.services.engine.logs import ChildLog
from qtui.services.files import replacing

CHILD = "qtui.services.engine.child.quantise"
PATIENCE_S = 5.0


async def quantise(
    source: Path, target: Path, kind: str, threads: int = 0, requantise: bool = False
) -> AsyncGenerator[QuantiseEvent]:
    """Write `source` to `target` as the file type `kind`; closing the iterator ends the child and leaves nothing.

    An existing target is replaced when the new one is complete.

    Raises:
        BadFileError: the source is missing or llama.cpp cannot read it.
        UsageError: the target is the source or one of its shards, or llama.cpp knows no such file type.
        EngineError: llama.cpp refuses, the child dies, or the disk is full.
        QtuiError: the target's folder cannot be written.
    """
    refuse_same_file(source, target)
    with replacing(target, mode=0o644) as part:
        job = QuantiseJob(str(source), str(part), kind, threads, requantise)
        async with contextlib.aclosing(_run(job)) as events:
            last: Quantised | None = None
            async for event in events:
                if isinstance(event, Quantised):
                    last = event
                else:
                    yield event
    if last is not None:
        yield last


def refuse_same_file(source: Path, target: Path) -> None:
    """Make sure that the target is neither the source nor one of its shards, by inode: llama.cpp would destroy it.

    Raises:
        BadFileError: the source is missing.
        UsageError: they are the same file.
    """
    try:
        sources = [path.stat() for path in shards(source)]
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(str(source))}: {clean(error.strerror or str(error))}", "check the path"
        ) from error
    if not target.exists():
        return
    there = target.stat()
    if any((one.st_dev, one.st_ino) == (there.st_dev, there.st_ino) for one in sources):
        raise UsageError(
            f"{clean_name(str(target))} is the file that would be read", "choose another name for the result"
        )


def shards(source: Path) -> list[Path]:
    """Return the file, and where it is a shard all those that lie beside it."""
    part = split_part(source.name)
    if part is None:
        return [source]
    beside = ((path, split_part(path.name)) for path in source.parent.iterdir())
    return [source, *(path for path, other in beside if other and (other.stem, other.total) == (part.stem, part.total))]


async def _run(job: QuantiseJob) -> AsyncGenerator[QuantiseEvent]:
    """Start the child, hand it the job, and yield what it says until it ends well."""
    log = ChildLog(f"quantise-{uuid.uuid4().hex[:8]}")
    try:
        child = await ChildProcess.start(python_module(CHILD), log)
    except OSError as error:
        raise EngineError(f"cannot start a process: {clean(str(error))}") from error
    ended = False
    try:
        child.send(job)
        async for line in child.lines():
            message = decode(line, QUANTISE_REPLIES)
            ended = isinstance(message, Quantised | QuantiseFailed)
            if isinstance(message, QuantiseFailed):
                raise _error(message)
            if message is not None:
                yield message
            if ended:
                return
        status = await child.ended(PATIENCE_S)
        failure = explain(-signal.SIGKILL if status is None else status, log.tail(), doing="quantising")
        raise EngineError(failure.message, failure.hint)
    finally:
        if not ended:  # llama.cpp has no way to be stopped here
            child.kill()
        await child.ended(PATIENCE_S)


def _error(message: QuantiseFailed) -> QtuiError:
    failure = message.failure
    kinds = {kind.kind: kind for kind in (BadFileError, UsageError, EngineError)}
    return kinds.get(failure.kind, EngineError)(clean(failure.message), clean(failure.hint))
