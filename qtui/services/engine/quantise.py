"""Makes a quant of a file in a child process: progress as it goes, and a whole file or none."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import IO

from qtui.core.errors import BadFileError, EngineError, QtuiError, UsageError
from qtui.core.quantise import (
    QUANTISE_REPLIES,
    Quantised,
    QuantiseEvent,
    QuantiseFailed,
    QuantiseJob,
)
from qtui.core.text import clean, clean_name
from qtui.core.wire import decode, encode
from qtui.services.engine.crash import explain
from qtui.services.files import replacing

CHILD = "qtui.services.engine.child.quantise"
LINE_LIMIT = 1 << 22
"""Bytes of one line from the child."""
LOG_LINES = 20
_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


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
    with tempfile.TemporaryFile() as log, replacing(target, mode=0o644) as part:
        job = QuantiseJob(str(source), str(part), kind, threads, requantise)
        async with contextlib.aclosing(_run(job, log)) as events:
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
    """Return the file, or all shards of the set that it belongs to."""
    match = _SHARD.fullmatch(source.name)
    if match is None:
        return [source]
    count = int(match["count"])
    return [source.with_name(f"{match['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


async def _run(job: QuantiseJob, log: IO[bytes]) -> AsyncGenerator[QuantiseEvent]:
    """Start the child, hand it the job, and yield what it says until it ends well."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", CHILD,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            start_new_session=True, limit=LINE_LIMIT,
        )  # fmt: skip
    except OSError as error:
        raise EngineError(f"cannot start a process: {clean(str(error))}") from error
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(encode(job).encode())
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        async for line in process.stdout:
            message = decode(line, QUANTISE_REPLIES)
            if isinstance(message, QuantiseFailed):
                raise _error(message)
            if message is not None:
                yield message
                if isinstance(message, Quantised):
                    return
        failure = explain(await process.wait(), _last_lines(log), doing="quantising")
        raise EngineError(failure.message, failure.hint)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.shield(process.wait())
        process.stdin.close()


def _error(message: QuantiseFailed) -> QtuiError:
    failure = message.failure
    kinds = {kind.kind: kind for kind in (BadFileError, UsageError, EngineError)}
    return kinds.get(failure.kind, EngineError)(clean(failure.message), clean(failure.hint))


def _last_lines(log: IO[bytes]) -> list[str]:
    log.seek(0)
    return clean(log.read().decode("utf-8", "replace")).splitlines()[-LOG_LINES:]
