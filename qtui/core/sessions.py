"""What a running session tells of itself to every qtui process on this machine, so that Monitor sees them all."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from qtui.core.hardware import Gpu, ProcessMemory
from qtui.core.text import clean_name

LARGEST = 1 << 60
"""Sizes and counts beyond it are nonsense."""
_ENDPOINT = re.compile(r"http://[\w.:\[\]-]{1,120}:\d{1,5}/v1", re.ASCII)


class SessionState(StrEnum):
    """What a session does now."""

    LOADING = "loading"
    READY = "ready"
    ANSWERING = "answering"
    """From the request on; while it reads the prompt, the record tells its progress."""
    CRASHED = "crashed"
    """Its process is gone, and nobody wanted that: the record tells why, for a while."""


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
    progress: float | None = None
    """Of the load, or of the prompt that is read: from 0 to 1."""
    estimated_ram: int | None = None
    """Bytes that its footprint said must stay resident in RAM; None where it was loaded without one."""
    estimated_vram: int | None = None
    """The same, over all cards."""
    estimated_reclaimable: int | None = None
    """Bytes of file pages that stay resident besides, until the kernel needs the room."""
    estimated_context: int | None = None
    """The part of its footprint that is context, over all pools."""
    full_prompt: bool = False
    """A whole ubatch has been read, so that all memory that was planned is in use."""
    rate: float | None = None
    """Tokens per second of the answer that runs, measured over the last moments, or of the last one as a whole."""
    context_used: int | None = None
    """Tokens in the context."""
    log: str = ""
    """The path of the engine's log."""
    reason: str = ""
    """Why it crashed; clean."""
    crashed: float = 0.0
    """When, in seconds since the epoch; 0: it did not."""
    parent_started: int | None = None
    """When the qtui that it belongs to started, as `pid_started`."""
    endpoint: str = ""
    """The address under which other programs are answered; empty: there is none."""
    elsewhere: bool = False
    """The model is on another machine: the process only asks it, and its memory tells nothing."""

    @property
    def reading(self) -> bool:
        """Tell whether it reads a prompt."""
        return self.state is SessionState.ANSWERING and self.progress is not None

    @property
    def doing(self) -> str:
        """Return what it does in a word, with the progress of it where there is one: `loading 43 %`."""
        word = "reading" if self.reading else self.state.value
        return word if self.progress is None else f"{word} {self.progress * 100:.0f} %"

    @property
    def rate_now(self) -> float | None:
        """Return the tokens per second that it generates now: 0 while it does something else, None: not known yet."""
        return self.rate if self.state is SessionState.ANSWERING and not self.reading else 0.0

    @property
    def estimate(self) -> int | None:
        """Return what its footprint said over all pools, in bytes."""
        if self.estimated_ram is None or self.estimated_vram is None:
            return None
        return self.estimated_ram + self.estimated_vram

    @property
    def expected(self) -> int | None:
        """Return what is expected to be resident, page for page: the estimate and what is reclaimable besides."""
        return None if self.estimate is None else self.estimate + (self.estimated_reclaimable or 0)

    @property
    def context_size(self) -> int | None:
        """Return how many tokens its context holds, as its plan says; None while that is not resolved."""
        size = self.plan.get("ctx_size")
        return size if isinstance(size, int) and not isinstance(size, bool) and 0 < size <= LARGEST else None


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A session as it is found now: what it tells of itself, and what the system says of its process."""

    record: SessionRecord
    memory: ProcessMemory = field(default_factory=ProcessMemory)
    own: bool = False
    """It belongs to this process."""


def session_vram(seen: SessionSeen, cards: Sequence[Gpu]) -> int | None:
    """Return what a session holds of all cards, in bytes; 0 without a card.

    A driver may not say whose memory is whose (WSL, containers with process ids of their own): then it is 0 only for
    a session that was not to hold any, else None.
    """
    held = [size for card in cards for pid, size in card.processes if pid == seen.record.pid]
    if held:
        return None if None in held else sum(size for size in held if size is not None)
    return 0 if not cards or seen.record.estimated_vram == 0 else None


def measured_total(seen: SessionSeen, cards: Sequence[Gpu]) -> int | None:
    """Return the bytes that a session holds over all pools, swapped ones too; None where one is not known."""
    resident, vram = seen.memory.resident, session_vram(seen, cards)
    return None if resident is None or vram is None else resident + (seen.memory.swapped or 0) + vram


def apart(seen: SessionSeen, cards: Sequence[Gpu]) -> float | None:
    """Return how far a session's memory is from what was expected, as a share of that.

    None when either is not known, and before a full prompt was read: until then less is in use than was planned.
    """
    measured, expected = measured_total(seen, cards), seen.record.expected
    if measured is None or not expected or not seen.record.full_prompt:
        return None
    return (measured - expected) / expected


def plausible(record: SessionRecord) -> SessionRecord:
    """Return a record from a file with its names cleaned and without numbers that cannot be."""
    return replace(
        record,
        title=clean_name(record.title),
        engine=clean_name(record.engine),
        reason=clean_name(record.reason, 1000),
        crashed=_number(record.crashed) or 0.0,
        endpoint=record.endpoint if _ENDPOINT.fullmatch(record.endpoint) else "",
        since=_number(record.since) or 0.0,
        progress=None if record.progress is None else min(1.0, _number(record.progress) or 0.0),
        estimated_ram=_count(record.estimated_ram),
        estimated_vram=_count(record.estimated_vram),
        estimated_reclaimable=_count(record.estimated_reclaimable),
        estimated_context=_count(record.estimated_context),
        rate=_number(record.rate),
        context_used=_count(record.context_used),
    )


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= LARGEST else None


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and 0 <= value <= LARGEST else None
