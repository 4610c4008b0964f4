"""What the quantising child is told and what it tells, one JSON line each (`core/wire.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.errors import Failure


@dataclass(frozen=True, slots=True)
class QuantiseJob:
    """What to make: the one line that the child reads. Its standard input then stays open: end of file cancels."""

    source: str
    """The file, or the first shard; the other shards are found beside it."""
    target: str
    """Where to write; removed again when the run fails."""
    kind: str
    """The file type as llama.cpp names it: `Q8_0`, `Q4_K_M`, `Q2_K`, …"""
    threads: int = 0
    """0: one per processor."""
    requantise: bool = False
    """Allow a source that is quantised already."""


@dataclass(frozen=True, slots=True)
class QuantisePlanned:
    """What llama.cpp's dry run says before anything is written."""

    size: int
    """Bytes of tensor data, rounded as llama.cpp prints it (0.01 MiB)."""


@dataclass(frozen=True, slots=True)
class QuantiseProgressed:
    """A tensor is being converted."""

    done: int
    """Tensors finished before this one."""
    total: int
    tensor: str


@dataclass(frozen=True, slots=True)
class Quantised:
    """The target is complete."""

    size: int
    """Bytes of the file."""
    elapsed: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class QuantiseFailed:
    """Nothing was made."""

    failure: Failure


QuantiseEvent = QuantisePlanned | QuantiseProgressed | Quantised
QUANTISE_REPLIES = (QuantisePlanned, QuantiseProgressed, Quantised, QuantiseFailed)
