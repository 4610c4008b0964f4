"""Builds of llama.cpp by their number: which are too old for a model, and which have known holes.

A build is known by the number that releases were counted by until 2026 (`b5092`). One that tells no such number (a
version like `0.5.0`, a build of one's own) is newer or unknown: nothing is said of it. Bounds are low rather than high,
so that no build is called old that is not: where only a build without something is known, that one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\s*b?(\d{3,6})(?![\d.])")

SINCE = {
    "gemma2": 3259,  # llama.cpp#8156
    "gemma3": 4875,  # llama.cpp#12343
    "qwen3": 5027, "qwen3moe": 5027,  # llama.cpp#12828; b5026 has neither
    "gpt-oss": 6096,  # llama.cpp#15091
    "gemma-embedding": 6384,
    "qwen3next": 7186,  # llama.cpp#16095
    "qwen4exp": 10253,  # merged on 27 August 2026; b10252 is of the third
}  # fmt: skip
"""The first build that knows an architecture, or the first after the last that is known not to."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A published hole and the first build without it."""

    name: str
    fixed: int
    what: str
    server: bool = False
    """Only what comes over HTTP reaches it."""


HOLES = (
    Hole("CVE-2025-49847", 5662, "a model file can write beyond the vocabulary's memory"),
    Hole("CVE-2025-52566", 5721, "a prompt can write beyond the tokenizer's memory"),
    Hole("CVE-2026-33298", 7824, "a model file can make a tensor larger than its memory"),
    Hole("CVE-2026-27940", 8146, "a model file can write beyond the header's memory"),
    Hole("CVE-2026-21869", 8865, "a request can write beyond the context's memory", server=True),
)
"""By the advisories of llama.cpp; the last was fixed on 23 April 2026, and b8864 is two days older."""


def build_number(build: str) -> int | None:
    """Return the number of a build as `--version` tells it (`5092 (d3bd719)`); None where it has none."""
    match = _NUMBER.match(build)
    return int(match[1]) if match else None


def missing_architecture(build: str, architecture: str) -> int | None:
    """Return the first build that knows an architecture where this one is older; None where it is not, or unknown."""
    number, since = build_number(build), SINCE.get(architecture)
    return since if number is not None and since is not None and number < since else None


def holes(build: str, *, server: bool) -> tuple[Hole, ...]:
    """Return the known holes of a build, the newest fix last; none of a build that is not known."""
    number = build_number(build)
    return tuple(
        hole for hole in HOLES if number is not None and number < hole.fixed and (server or not hole.server)
    )  # fmt: skip
