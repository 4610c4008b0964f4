"""Damages GGUF headers: bytes flipped, pieces moved, cut out or cut off, and numbers that matter set to others."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from tests.builders.gguf import MemorySource

_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


@dataclass(frozen=True, slots=True)
class Base:
    """A sound header, the size of its file, and where its counts, lengths, types, extents and offsets stand."""

    name: str
    content: bytes
    size: int
    fields: tuple[tuple[int, int], ...]
    """(byte, width)."""


def base(name: str, content: bytes, size: int, big_endian: bool = False) -> Base:
    """Find the numbers of a sound header; shares no code with the reader."""
    order = ">" if big_endian else "<"
    fields: list[tuple[int, int]] = [(4, 4)]
    position = 8

    def number(width: int) -> int:
        nonlocal position
        fields.append((position, width))
        (value,) = struct.unpack_from(order + {4: "I", 8: "Q"}[width], content, position)
        position += width
        return int(value)

    def string() -> None:
        nonlocal position
        length = number(8)
        position += length

    tensors, keys = number(8), number(8)
    for _ in range(keys):
        string()
        kind = number(4)
        count = 1
        if kind == 9:
            kind, count = number(4), number(8)
        if kind == 8:
            for _ in range(count):
                string()
        else:
            position += _WIDTHS[kind] * count
    for _ in range(tensors):
        string()
        for _ in range(number(4)):
            number(8)
        number(4)
        number(8)
    return Base(name, content, size, tuple(fields))


def mutate(bases: list[Base], rng: random.Random) -> MemorySource:
    """Return one damaged file; what its header does not fill is a hole, of the size of the real file or another."""
    chosen = rng.choice(bases)
    content = bytearray(chosen.content)
    size = chosen.size
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        kind = rng.randrange(10)
        if kind < 4:
            _set_number(content, chosen, rng)
        elif kind == 4:
            for _ in range(rng.choice((1, 4, 64))):
                content[rng.randrange(len(content))] = rng.randrange(256)
        elif kind == 5:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif kind == 6:
            _splice(content, rng.choice(bases).content, rng)
        elif kind == 7:
            start = rng.randrange(len(content))
            del content[start : start + rng.choice((1, 8, 100))]
        elif kind == 8:
            size = rng.choice((rng.randrange(len(content) + 1), rng.randrange(chosen.size + 1), 1 << 40))
        else:
            start = rng.randrange(len(content))
            content[start:start] = bytes(rng.choice((1, 8, 100)))
        if not content:
            break
    return MemorySource(bytes(content[:size]), size)


def _set_number(content: bytearray, chosen: Base, rng: random.Random) -> None:
    """Set a count, length, type, extent or offset to a number that is likely to do harm."""
    at, width = rng.choice(chosen.fields[:12] if rng.random() < 0.3 else chosen.fields)
    if at + width > len(content):
        return
    old = int.from_bytes(content[at : at + width], "little")
    bits = 8 * width
    value = rng.choice((
        0, 1, old + 1, old - 1, 2 * old, rng.randrange(14), rng.randrange(1 << bits), (1 << bits) - 1,
        1 << rng.randrange(bits), (1 << rng.randrange(bits)) - 1, chosen.size, chosen.size // 8, len(content) - at,
        (64 << 20) // 8 - rng.randrange(4096), 16 << 20, 100_000, 1 << 18,
    ))  # fmt: skip
    content[at : at + width] = (value % (1 << bits)).to_bytes(width, rng.choice(("little", "little", "big")))


def _splice(content: bytearray, other: bytes, rng: random.Random) -> None:
    """Overwrite a place with a piece of another header, or of the same."""
    length = rng.choice((8, 64, 1000, 10_000))
    start, place = rng.randrange(len(other)), rng.randrange(len(content))
    piece = other[start : start + length]
    content[place : place + len(piece)] = piece
