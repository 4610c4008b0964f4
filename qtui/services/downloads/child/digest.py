"""Digest: SHA-256 in a thread of its own, so that hashing and receiving go on at once (both let go of the GIL)."""

from __future__ import annotations

import hashlib
import queue
import threading

CHUNK = 1 << 20
BUFFERS = 4


class Digest:
    """A running SHA-256 over buffers that go round: taken empty, handed in full, hashed, and free again."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._full: queue.SimpleQueue[tuple[bytearray, int] | None] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(BUFFERS):
            self._free.put(bytearray(CHUNK))
        threading.Thread(target=self._work, name="sha256", daemon=True).start()

    def take(self) -> bytearray:
        """Return an empty buffer of CHUNK bytes; waits until one is hashed when none is."""
        return self._free.get()

    def add(self, buffer: bytearray, length: int) -> None:
        """Hand in the first `length` bytes of a buffer that was taken."""
        self._full.put((buffer, length))

    def restart(self) -> None:
        """Forget everything that was handed in."""
        self._settle()
        self._hash = hashlib.sha256()

    def hexdigest(self) -> str:
        """Return the digest of all that was handed in."""
        self._settle()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread; harmless when it has ended."""
        self._full.put(None)

    def _settle(self) -> None:
        """Wait until all is hashed: then all buffers are free. The caller must have handed in what it took."""
        for buffer in [self._free.get() for _ in range(BUFFERS)]:
            self._free.put(buffer)

    def _work(self) -> None:
        while (handed := self._full.get()) is not None:
            buffer, length = handed
            self._hash.update(memoryview(buffer)[:length])
            self._free.put(buffer)
