"""Commands from the parent, read by a thread of their own, so that a stop is heard while llama.cpp computes."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from qtui.core.commands import COMMANDS, Ask, Cancel, Close, Load, Score, Serve
from qtui.core.wire import decode

GRACE_S = 2.0
"""How long the child may take to end by itself once its input has ended."""
Work = Load | Serve | Ask | Score


class Flag(Protocol):
    """What stops the command that runs."""

    def set(self) -> None:
        """Ask for a stop; callable from any thread."""
        ...

    def clear(self) -> None:
        """Allow work again."""
        ...


class Stdin:
    """Reads commands; `Cancel` and the end of input set the interrupt of the command that they are meant for.

    A cancel is meant for the commands sent before it: one that arrives when its command has just ended must not stop
    the next.
    """

    def __init__(self, interrupt: Flag, descriptor: int = 0, leave: Callable[[int], None] = os._exit) -> None:
        self._interrupt = interrupt
        self._descriptor = descriptor
        self._leave = leave
        self._work: queue.SimpleQueue[tuple[int, Work] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._sent = 0
        self._running = 0
        self._cancelled = 0
        self._ended = False

    def start(self) -> None:
        """Start to read."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def take(self) -> Work | None:
        """Wait for the next command to carry out, None at the end; what it interrupts is this command until `done`."""
        item = self._work.get()
        if item is None:
            return None
        with self._lock:
            self._running, command = item
            if self._running > self._cancelled and not self._ended:
                self._interrupt.clear()
            else:
                self._interrupt.set()
        return command

    def done(self) -> None:
        """Say that the command is carried out."""
        with self._lock:
            self._running = 0

    def _read(self) -> None:
        pending = b""
        while True:
            try:
                block = os.read(self._descriptor, 1 << 16)
                if not block:
                    break
                *lines, pending = (pending + block).split(b"\n")
                if not all(self._hear(line) for line in lines):
                    break
            except MemoryError:  # the template's limit holds for the whole process while one is rendered
                continue
            except OSError:
                break
        self._end()

    def _hear(self, line: bytes) -> bool:
        """Take one line; False when it asks for the end."""
        command = decode(line, COMMANDS)
        if isinstance(command, Close):
            return False
        with self._lock:
            if isinstance(command, Cancel):
                self._cancelled = self._sent
                if self._running and self._running <= self._cancelled:
                    self._interrupt.set()
            elif isinstance(command, Load | Serve | Ask | Score):
                self._sent += 1
                self._work.put((self._sent, command))
        return True

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            self._interrupt.set()
        self._work.put(None)
        threading.Event().wait(GRACE_S)
        self._leave(0)
