"""One request of a load test, as the program that asked it saw it, and what many of them say together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtui.core.errors import Failure
from qtui.core.library.variant import Variant


@dataclass(frozen=True, slots=True)
class Shot:
    """What came of one request; times in seconds from when it was sent."""

    first_token: float | None = None
    """Waiting in the line is part of it."""
    rate: float | None = None
    """Tokens per second of this answer, from its first token on; the engine's own measurement."""
    tokens: int = 0
    elapsed: float = 0.0
    error: str = ""
    """Why there is no whole answer; empty where there is one. Clean."""


@dataclass(frozen=True, slots=True)
class Share:
    """Measurements of one thing over all answers, and what half and 95 % of them keep to."""

    samples: tuple[float, ...] = ()
    more_is_better: bool = False

    def keeps(self, share: float) -> float | None:
        """Return what this share of the samples is at most, or at least where more is better (nearest rank)."""
        if not self.samples:
            return None
        ordered = sorted(self.samples, reverse=self.more_is_better)
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]

    @property
    def p50(self) -> float | None:
        """Return what half of the answers keep to."""
        return self.keeps(0.5)

    @property
    def p95(self) -> float | None:
        """Return what 95 of 100 answers keep to."""
        return self.keeps(0.95)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {"p50": self.p50, "p95": self.p95, "samples": list(self.samples)}


@dataclass(frozen=True, slots=True)
class LoadResult:
    """All requests to one file."""

    variant: Variant
    shots: tuple[Shot, ...] = ()
    elapsed: float = 0.0
    """Seconds in which requests to it were under way."""
    failure: Failure | None = None
    """Why it could not be asked (any more)."""

    @property
    def answered(self) -> tuple[Shot, ...]:
        """Return those with a whole answer."""
        return tuple(shot for shot in self.shots if not shot.error)

    @property
    def first_token(self) -> Share:
        """Return the seconds to the first token."""
        return Share(tuple(shot.first_token for shot in self.answered if shot.first_token is not None))

    @property
    def rate(self) -> Share:
        """Return the tokens per second of single answers."""
        return Share(tuple(shot.rate for shot in self.answered if shot.rate is not None), more_is_better=True)

    @property
    def tokens(self) -> int:
        """Return the tokens of all answers together."""
        return sum(shot.tokens for shot in self.answered)

    @property
    def throughput(self) -> float | None:
        """Return the tokens per second of all answers together; None before there is one."""
        return self.tokens / self.elapsed if self.tokens and self.elapsed > 0 else None

    @property
    def errors(self) -> Sequence[tuple[str, int]]:
        """Return what went wrong and how often, the most frequent first."""
        return Counter(shot.error for shot in self.shots if shot.error).most_common()

    def as_json(self) -> dict[str, Any]:
        """Return one of `results[]`."""
        return {
            "file": str(self.variant.path), "test": "load", "requests": len(self.shots),
            "answered": len(self.answered), "errors": [{"message": text, "count": n} for text, n in self.errors],
            "time_to_first_token": self.first_token.as_json(), "generation_rate": self.rate.as_json(),
            "generated_tokens": self.tokens, "elapsed": self.elapsed, "throughput": self.throughput,
        }  # fmt: skip
