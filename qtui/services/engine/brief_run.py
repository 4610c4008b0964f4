"""Runs a program that should answer at once: bounded in time and output, always ended, never in our terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtui.core.text import clean

MOST_OUTPUT = 1 << 18
"""Bytes taken of each stream; a program that prints more is ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program printed, clean, and how it ended."""

    status: int | None
    """None: it did not end within the limit, or printed without end."""
    out: str
    err: str
    endless: bool = False
    """It was ended because it printed more than MOST_OUTPUT."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines of both streams that are not empty, standard error last."""
        return tuple(line.rstrip() for line in f"{self.out}\n{self.err}".split("\n") if line.strip())


async def run_briefly(command: Sequence[str], limit: float, environment: Mapping[str, str]) -> Outcome:
    """Run a program without input and return what it printed within `limit` seconds.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=dict(environment),
    )
    assert process.stdout is not None and process.stderr is not None
    kept = bytearray(), bytearray()
    ended = endless = False
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                async with asyncio.TaskGroup() as reading:
                    for stream, into in zip((process.stdout, process.stderr), kept, strict=True):
                        reading.create_task(_read(stream, into))
                await process.wait()
                ended = True
    except* _EndlessError:
        endless = True
    finally:
        if not ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await _reap(process)
    out, err = (clean(bytes(part).decode("utf-8", "replace")) for part in kept)
    return Outcome(process.returncode if ended else None, out, err, endless)


class _EndlessError(Exception):
    """A program prints more than is taken."""


async def _read(stream: asyncio.StreamReader, into: bytearray) -> None:
    while chunk := await stream.read(1 << 16):
        into += chunk
        if len(into) > MOST_OUTPUT:
            raise _EndlessError


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Wait for a killed process, its pipes read empty: asyncio tells of an exit only when they are at their end."""
    assert process.stdout is not None and process.stderr is not None

    async def drain(stream: asyncio.StreamReader) -> None:
        while await stream.read(1 << 20):
            pass

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            await asyncio.gather(drain(process.stdout), drain(process.stderr))
            await process.wait()
