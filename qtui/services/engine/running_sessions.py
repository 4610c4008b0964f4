"""RunningSessions: the Sessions port over the records in the runtime folder and the processes that they name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from qtui.core.errors import QtuiError, UsageError
from qtui.core.hardware import ProcessMemory
from qtui.core.sessions import SessionRecord, SessionSeen, SessionState, plausible
from qtui.core.text import clean, clean_name
from qtui.services.engine.logs import last_lines
from qtui.services.engine.sessions import Registry, alive
from qtui.services.machine.process import process_memory

LOG_LINES = 400
PATIENCE_S = 3.0
"""So long a session may take to end when it is asked to; then it is killed."""
LOOK_S = 0.02


class RunningSessions:
    """The sessions of all qtui processes of this user; a session is ended by a signal to its engine's process."""

    def __init__(self, registry: Registry | None = None, patience: float = PATIENCE_S) -> None:
        self._registry = registry or Registry()
        self._patience = patience

    async def list(self) -> Sequence[SessionSeen]:
        """Return the sessions that run now, oldest first; none where nothing is recorded."""
        return await asyncio.to_thread(self._look)

    async def crashed(self) -> Sequence[SessionSeen]:
        """Return the sessions that have crashed not long ago, oldest first."""
        return await asyncio.to_thread(self._look_back)

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the engines that run now."""
        return tuple(record.pid for record in self._registry.list())

    def loading(self) -> bool:
        """Tell whether a model loads now, in any qtui."""
        return any(record.state is SessionState.LOADING for record in self._registry.list())

    async def stop(self, session_id: str) -> None:
        """End a session, of this process or of another, and wait until it is gone; forget one that has crashed.

        Raises:
            UsageError: there is no such session (any more).
            QtuiError: it may not be ended, or does not go.
        """
        record = self._record(session_id)
        if record.state is SessionState.CRASHED:
            self._registry.drop(record.id)
            return
        if record.pid == os.getpid():
            raise QtuiError("this record names qtui itself as the engine", "remove it from the runtime folder")
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(record, number)
            if await self._gone(record):
                self._registry.drop(record.id)
                return
        raise QtuiError(
            f"{clean_name(record.title)} (pid {record.pid}) does not end",
            "the kernel holds it, perhaps on a disk that does not answer",
        )

    async def log(self, session_id: str) -> Sequence[str]:
        """Return the last lines of what a session's engine said, clean; none when there is no log."""
        return await asyncio.to_thread(self._log, session_id)

    def _look(self) -> tuple[SessionSeen, ...]:
        own = os.getpid()
        return tuple(
            SessionSeen(
                plausible(record),
                ProcessMemory() if record.elsewhere else process_memory(record.pid),
                record.parent_pid == own,
            )
            for record in self._registry.list()
        )

    def _look_back(self) -> tuple[SessionSeen, ...]:
        own = os.getpid()
        found = self._registry.crashed()
        return tuple(SessionSeen(plausible(record), ProcessMemory(), record.parent_pid == own) for record in found)

    def _record(self, session_id: str) -> SessionRecord:
        for record in (*self._registry.list(), *self._registry.crashed()):
            if record.id == session_id:
                return record
        raise UsageError(f"there is no session {clean_name(session_id, 80)} (any more)", "qtui monitor shows them")

    def _log(self, session_id: str) -> tuple[str, ...]:
        with contextlib.suppress(UsageError):
            path = Path(self._record(session_id).log)
            if path.name == f"engine-{session_id}.log":
                return last_lines(path, LOG_LINES)
        return ()

    async def _gone(self, record: SessionRecord) -> bool:
        clock = asyncio.get_running_loop().time
        end = clock() + self._patience
        while alive(record):
            if clock() > end:
                return False
            await asyncio.sleep(LOOK_S)
        return True


def _signal(record: SessionRecord, number: int) -> None:
    """Send a signal to a session's process and to no other, even if its pid is given away meanwhile.

    Raises:
        QtuiError: the process belongs to someone else.
    """
    try:
        if hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal"):
            descriptor = os.pidfd_open(record.pid)  # holds the process: what it names now is what is signalled
            try:
                if alive(record):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
        elif alive(record):
            os.kill(record.pid, number)
    except ProcessLookupError:
        return
    except OSError as error:
        raise QtuiError(
            f"{clean_name(record.title)} (pid {record.pid}) cannot be ended: {clean(error.strerror or str(error))}",
            "it may belong to another user",
        ) from error
