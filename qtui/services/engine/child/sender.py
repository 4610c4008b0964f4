"""The child's way out: events as lines on the private copy of stdout."""

from __future__ import annotations

import os
import threading
from typing import TextIO

from qtui.core.wire import encode


class Sender:
    """Writes one event a line, from any thread; a parent that is gone ends the child."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: object) -> None:
        """Write an event at once."""
        line = encode(event)
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:
                os._exit(0)
