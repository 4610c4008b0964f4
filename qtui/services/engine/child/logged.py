"""llama.cpp's memory lines in its log: the second way to its numbers, where its own account cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MIB = 1 << 20
_CONTEXT = re.compile(r"[ :,]size = +(\d+\.\d+) MiB")
_COMPUTE = re.compile(r": +(\S+) compute buffer size = +(\d+\.\d+) MiB")
_UNUSED = re.compile(r"unused tensor .* \(size = (\d+) bytes\)")


@dataclass(frozen=True, slots=True)
class LoggedMemory:
    """What the lines tell, in bytes; exact to the hundredth of a MiB that is printed."""

    context: int
    compute: tuple[tuple[str, int], ...]
    """(buffer type, bytes)."""


def read_memory(lines: Iterable[str]) -> LoggedMemory:
    """Read the lines of one context: caches and states (`… size = X MiB (`), then compute buffers."""
    context = 0.0
    compute: list[tuple[str, int]] = []
    for line in lines:
        found = _COMPUTE.search(line)
        if found:
            compute.append((found[1], round(float(found[2]) * MIB)))
        elif "buffer size" not in line and (total := _CONTEXT.search(line)):
            context += float(total[1])
    return LoggedMemory(round(context * MIB), tuple(compute))


def unused_bytes(lines: Iterable[str]) -> int:
    """Return the bytes of tensors that llama.cpp said it leaves out (`model has unused tensor …`)."""
    return sum(int(found[1]) for line in lines if (found := _UNUSED.search(line)))


def flash_attention(lines: Iterable[str], asked: bool | None) -> bool:
    """Return whether a context uses flash attention; `asked` None is auto, which llama.cpp then resolves.

    Lines: `Flash Attention enabled`, `… not supported, set to disabled`, `enabling flash_attn since …`,
    `flash_attn is not compatible with Grok - forcing off` (llama-context.cpp).
    """
    chosen = True if asked is None else asked
    for line in lines:
        if "Flash Attention not supported" in line or "flash_attn is not compatible" in line:
            chosen = False
        elif "Flash Attention enabled" in line or "enabling flash_attn" in line:
            chosen = True
    return chosen
