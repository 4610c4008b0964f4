"""What a running session tells of itself to every qtui process on this machine, so that Monitor sees them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class SessionState(StrEnum):
    """What a session does now."""

    LOADING = "loading"
    READY = "ready"
    ANSWERING = "answering"


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One running session, of this qtui or of another."""

    id: str
    pid: int
    pid_started: int | None
    """When the process started, in clock ticks since boot (proc(5), stat field 22): tells a reused pid apart."""
    parent_pid: int
    title: str
    path: str
    plan: dict[str, Any] = field(default_factory=dict)
    """`LoadPlan.as_json()`, resolved once the model is loaded."""
    engine: str = "built-in"
    since: float = 0.0
    """Seconds since the epoch."""
    state: SessionState = SessionState.LOADING
