"""The flag that stops what runs against a server: a request is stopped by ending its connection."""

from __future__ import annotations

import contextlib
import socket
import threading


class Cut:
    """Set from any thread; the connection that is open then ends, so that whoever reads it sees its end at once."""

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._lock = threading.Lock()
        self._open: socket.socket | None = None

    def set(self) -> None:
        """Ask for a stop."""
        with self._lock:
            self._flag.set()
            if self._open is not None:
                with contextlib.suppress(OSError):
                    self._open.shutdown(socket.SHUT_RDWR)

    def clear(self) -> None:
        """Allow work again."""
        self._flag.clear()

    def is_set(self) -> bool:
        """Tell whether a stop is asked for."""
        return self._flag.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until a stop is asked for, at most so long; tell whether it is."""
        return self._flag.wait(seconds)

    def watch(self, connection: socket.socket | None) -> None:
        """Let a stop end this connection; None: there is none any more."""
        with self._lock:
            self._open = connection
            if connection is not None and self._flag.is_set():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
