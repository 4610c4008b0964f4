"""Progress: where a child stands, said a few times a second by a thread of its own, whatever the loop waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from qtui.core.downloads.messages import FetchNoted, FetchProgressed

INTERVAL_S = 0.25


class Progress:
    """Byte counts that the loop writes and a thread sends; a count is one assignment, so nothing is locked."""

    def __init__(self, send: Callable[[object], None]) -> None:
        self._send = send
        self._note = ""
        self._over = threading.Event()
        self.before = 0
        """Bytes of the files that are complete."""
        self.here = 0
        """Bytes of the file at hand."""
        self.received = 0
        """Bytes that came from the server in this run."""
        self.checking = False
        """The file at hand is read from the disk."""

    def start(self) -> None:
        """Begin to send."""
        threading.Thread(target=self._pulse, name="progress", daemon=True).start()

    def stop(self) -> None:
        """Send where it stands once more, and end."""
        self._over.set()
        self.tell()

    def tell(self) -> None:
        """Send where it stands now."""
        self._send(FetchProgressed(self.before + self.here, self.checking))

    def note(self, text: str) -> None:
        """Say what it waits for, or that it goes on (an empty text); the same is not said twice in a row."""
        if text != self._note:
            self._note = text
            self._send(FetchNoted(text))

    def _pulse(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self.tell()
