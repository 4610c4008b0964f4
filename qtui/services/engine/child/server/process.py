"""A llama-server in this process's group: started, listened to, and ended with us whatever happens.

Three things end it when this process is gone: its standard input closes, which it heeds where it knows the protocol
of a router's child; its output has no reader; and the kernel sends it a signal (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from qtui.core.server.buffers import Buffers
from qtui.core.text import clean

KEPT_LINES = 400
MOST_LINE = 1 << 16
LOGGED = 4000
"""Bytes of a line that go into the log."""
STATE = "cmd_child_to_router:state:"
EXIT = b"cmd_router_to_child:exit\n"
ASKED_S = 1.2
"""So long it may take to end when it is asked to, before it is killed."""
PR_SET_PDEATHSIG = 1
_LISTENING = re.compile(
    r"listening on https?://\S*?:(\d{1,5})\b|is listening, hostname: \S+, port: (\d{1,5})"
    r"|HTTP server listening.*\bport\W+(\d{1,5})"
)
_VOCABULARY = re.compile(r"print_info: n_vocab += (\d{1,9})\b")


class ServerProcess:
    """One llama-server."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Callable[[bytes], object]) -> None:
        """Start it.

        Raises:
            OSError: it cannot be started.
        """
        self._log = log
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.buffers = Buffers()
        self.port: int | None = None
        """As it says that it listens; None: not yet."""
        self.progress: float | None = None
        """Of the load, from 0 to 1; None: not told."""
        self.vocabulary = 0
        self.ending = False
        """It was asked to end."""
        self._process = subprocess.Popen(
            list(command), env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=_dying_with_parent(),  # noqa: PLW1509 (one prepared call of prctl)
        )  # fmt: skip
        self.pid = self._process.pid
        streams = (self._process.stdout, self._process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in streams]
        for reader in self._readers:
            reader.start()

    @property
    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait until it has ended and all that it said is read; return its status, negative for a signal."""
        status = self._process.wait()
        for reader in self._readers:  # what it started may hold the pipes open
            reader.join(1.0)
        return status

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return its last lines, clean."""
        return tuple(self._lines)[-lines:]

    def close(self) -> None:
        """Ask it to end, and kill it where it does not."""
        self.ending = True
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(EXIT)
            self._process.stdin.close()
        with contextlib.suppress(OSError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ASKED_S)
        self.kill()

    def kill(self) -> None:
        """Kill it; harmless when it is gone."""
        self.ending = True
        if self.running:
            with contextlib.suppress(OSError):
                self._process.kill()

    def _read(self, stream: IO[bytes]) -> None:
        while line := stream.readline(MOST_LINE):
            text = line.decode("utf-8", "replace").rstrip()
            if not text:
                continue
            if text.startswith(STATE):
                self._state(text.removeprefix(STATE))
                continue
            self._log(line[:LOGGED].rstrip() + b"\n")
            self._heard(clean(text))

    def _heard(self, text: str) -> None:
        self._lines.append(text)
        self.buffers.read(text)
        if found := _LISTENING.search(text):
            self.port = int(next(filter(None, found.groups())))
        elif not self.vocabulary and (found := _VOCABULARY.search(text)):
            self.vocabulary = int(found[1])

    def _state(self, text: str) -> None:
        try:
            match json.loads(text):
                case {"state": "loading", "payload": {"value": float(value) | int(value)}}:
                    self.progress = min(max(float(value), 0.0), 1.0)
        except (ValueError, RecursionError):
            return


def _dying_with_parent() -> Callable[[], None] | None:
    """Return what a child calls before it becomes another program, so that it dies with this process."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # found before the fork: between fork and exec nothing is looked up
    parent = os.getpid()

    def call() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return call
