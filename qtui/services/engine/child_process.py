"""One child process: lines in, lines out, a session and process group of its own, and always an end to it.

Children are started from the event loop's thread (a parent-death signal would fire when a worker thread ends), with
their standard input held open: its end of file tells them that qtui is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

from qtui.core.wire import encode
from qtui.services.engine.logs import ChildLog

READ_LIMIT = 1 << 22
"""What asyncio buffers before it makes the child wait."""
MAX_LINE = 64 << 20
"""Longer lines are no messages of ours (an answer with its prompt has a few MB) and are passed over."""
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "QTUI_API_KEY", "QTUI_ENGINE_KEY", "LLAMA_API_KEY")
"""What no child needs to know."""


def python_module(module: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules; `-P` keeps the working directory out of the import path."""
    return (sys.executable, "-P", "-m", module)


def child_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child: ours without secrets."""
    source = os.environ if environment is None else environment
    return {key: value for key, value in source.items() if key not in SECRETS}


class ChildProcess:
    """A running child. `lines` is read by one task, which also waits for the end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self.pid = process.pid

    @classmethod
    async def start(
        cls, command: Sequence[str], log: ChildLog, environment: Mapping[str, str] | None = None
    ) -> ChildProcess:
        """Start a command with its standard error going to a log; its environment is ours without secrets by default.

        Raises:
            OSError: it cannot be started (no such file, no permission, no memory for a fork).
        """
        stderr = log.open()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                limit=READ_LIMIT,
                env=child_environment() if environment is None else environment,
            )
        finally:
            os.close(stderr)
        return cls(process)

    def send(self, message: object) -> None:
        """Write one message; harmless when the child is gone (its end is told by `lines`)."""
        if not self._input.is_closing():
            self._input.write(encode(message).encode("ascii"))

    def close_input(self) -> None:
        """End the child's standard input, which tells it to go."""
        if not self._input.is_closing():
            self._input.close()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield whole lines until the child closes its output; a line beyond MAX_LINE is passed over."""
        kept = bytearray()
        skipping = False
        while chunk := await self._output.read(1 << 16):
            *whole, rest = chunk.split(b"\n")
            for piece in whole:
                if not skipping:
                    yield bytes(kept + piece)
                skipping = False
                kept.clear()
            kept += rest
            if len(kept) > MAX_LINE:
                skipping = True
            if skipping:
                kept.clear()

    def kill(self) -> None:
        """Kill the child and whatever it started; harmless when it is gone."""
        # Not by asyncio's own kill: it polls first, and so takes the exit status from the watcher that waits for it
        # (cpython issue 87744); the child would count as ended with 255.
        if self._process.returncode is None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)

    def sweep(self) -> None:
        """Kill what the child has left of its process group, once it is gone itself."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def ended(self, patience: float) -> int | None:
        """Wait until the child has ended, killing it after `patience` seconds, and return its status; it is reaped.

        None when even a killed child does not go (the kernel holds it, e.g. on a dead network disk).
        """
        self.close_input()
        for wait in (patience, max(patience, 5.0)):
            # What is left is read and dropped: asyncio tells of an exit only when all pipes are at their end.
            draining = asyncio.ensure_future(self._finish())
            try:
                await asyncio.wait({draining}, timeout=wait)
            finally:
                if not draining.done():
                    draining.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await draining
            if self._process.returncode is not None:
                break
            self.kill()
        return self._process.returncode

    async def _finish(self) -> None:
        while await self._output.read(1 << 20):
            pass
        await self._process.wait()
