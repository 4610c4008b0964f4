"""The parent at the other ends of standard input and output: the job comes in, progress goes out, its end stops us."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import TextIO

from qtui.core.downloads.messages import FetchJob
from qtui.core.wire import decode, encode

GRACE_S = 1.5
"""How long a stop may take to be seen between two chunks; a dead connection is not waited for."""
STOPPED = 130


class StoppedError(Exception):
    """The parent wants the child gone, or is gone itself."""


class Stop:
    """The wish to stop, set by a signal or by the end of the input, and looked at between two chunks.

    What is on disk is right at any moment, so that a child that does not see it in time may simply end.
    """

    def __init__(self, leave: Callable[[int], object] = os._exit, grace: float = GRACE_S) -> None:
        self._event = threading.Event()
        self._leave = leave
        self._grace = grace

    def set(self, *_signal: object) -> None:
        """Ask for a stop; callable from any thread and from a signal handler."""
        if not self._event.is_set():
            self._event.set()
            threading.Thread(target=self._insist, name="stop", daemon=True).start()

    def check(self) -> None:
        """Raise StoppedError when a stop is asked for."""
        if self._event.is_set():
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """Wait, unless a stop is asked for: then raise StoppedError."""
        if self._event.wait(seconds):
            raise StoppedError

    def _insist(self) -> None:
        threading.Event().wait(self._grace)
        self._leave(STOPPED)


class Parent:
    """Both directions of the protocol. `send` may be called from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._pending = b""

    @classmethod
    def claim(cls) -> Parent:
        """Take descriptor 1 for the protocol, and let whatever a library prints go to the log."""
        private = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        return cls(private)

    def job(self) -> FetchJob | None:
        """Wait for the job; None when the input ends or holds something else."""
        while b"\n" not in self._pending:
            block = os.read(0, 1 << 16)
            if not block:
                return None
            self._pending += block
        line, _, self._pending = self._pending.partition(b"\n")
        job = decode(line, (FetchJob,))
        return job if isinstance(job, FetchJob) else None

    def stop_at_its_end(self, stop: Stop) -> None:
        """From now on take SIGTERM and the end of the input for the wish to stop."""
        signal.signal(signal.SIGTERM, stop.set)
        threading.Thread(target=self._read_on, args=(stop,), name="stdin", daemon=True).start()

    def send(self, message: object) -> None:
        """Write one message at once; a parent that is gone ends the child."""
        line = encode(message)
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except (OSError, ValueError):
                os._exit(STOPPED)

    def _read_on(self, stop: Stop) -> None:
        try:
            while os.read(0, 1 << 12):
                pass
        except OSError:
            pass
        stop.set()
