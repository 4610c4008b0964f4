"""The sessions of all qtui processes on this machine: one private JSON file each in the runtime folder.

A record is stale when its process is gone, or when its pid belongs to a process that started at another time; stale
records are dropped by whoever lists.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.sessions import SessionRecord, SessionState
from qtui.core.wire import decode, encode
from qtui.services.paths import runtime_dir

CRASHED_S = 600.0
"""So long a crashed session stays on record, and no longer than the qtui that it belonged to."""
MAX_RECORD = 1 << 20
_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class Registry:
    """The records in one folder. Where the runtime folder cannot be used, nothing is recorded, and all else works.

    `endpoint` tells the address under which this process serves its sessions to other programs; empty: it does not.
    """

    def __init__(self, folder: Callable[[], Path] = runtime_dir, endpoint: Callable[[], str] = str) -> None:
        self._folder = folder
        self._endpoint = endpoint

    def put(self, record: SessionRecord) -> None:
        """Write or replace a session's record."""
        with contextlib.suppress(QtuiError, OSError, ValueError):  # ValueError: a number that is none
            path = self._path(record.id)
            temporary = path.with_suffix(".part")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(encode(replace(record, endpoint=self._endpoint())))
            temporary.replace(path)

    def drop(self, session_id: str) -> None:
        """Remove a session's record; harmless when there is none."""
        with contextlib.suppress(QtuiError, OSError):
            self._path(session_id).unlink(missing_ok=True)

    def list(self) -> tuple[SessionRecord, ...]:
        """Return the sessions that run now, oldest first, and remove the records of those that do not."""
        return tuple(record for record in self._records() if record.state is not SessionState.CRASHED)

    def crashed(self) -> tuple[SessionRecord, ...]:
        """Return the sessions that have crashed not long ago, oldest first."""
        return tuple(record for record in self._records() if record.state is SessionState.CRASHED)

    def _records(self) -> tuple[SessionRecord, ...]:
        records: list[SessionRecord] = []
        try:
            paths = sorted(self._folder().glob("session-*.json"))
        except (QtuiError, OSError):
            return ()
        for path in paths:
            record = _read(path)
            if record is None:
                continue
            if remembered(record) if record.state is SessionState.CRASHED else alive(record):
                records.append(record)
            else:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
        return tuple(sorted(records, key=lambda r: (r.since, r.id)))

    def _path(self, session_id: str) -> Path:
        assert _SAFE_ID.fullmatch(session_id), session_id
        return self._folder() / f"session-{session_id}.json"


def remembered(record: SessionRecord) -> bool:
    """Tell whether a crashed session is still to be shown."""
    age = time.time() - record.crashed
    return 0 <= age < CRASHED_S and started(record.parent_pid) == record.parent_started is not None


def alive(record: SessionRecord) -> bool:
    """Tell whether a record's process still runs and is the one that it was written for."""
    now = started(record.pid)
    if now is not None or Path("/proc/self/stat").exists():
        return now is not None and now == record.pid_started
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # a session of ours is never somebody else's process
    return True


def started(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot (proc(5), stat field 22).

    None when it is gone, dead and not yet waited for, or where there is no /proc.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything; field 3 follows it
    if len(fields) < 20 or fields[0] in ("Z", "X"):
        return None
    return int(fields[19])


def _read(path: Path) -> SessionRecord | None:
    try:
        with path.open("rb") as stream:
            record = decode(stream.read(MAX_RECORD), (SessionRecord,))
    except OSError:
        return None
    if not isinstance(record, SessionRecord) or record.pid <= 1:
        return None
    return replace(record, id=path.stem.removeprefix("session-"))
