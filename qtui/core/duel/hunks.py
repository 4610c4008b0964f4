"""Two answers side by side, word by word: what they share and where they part, as values.

The comparison is Myers' greedy one (Algorithmica 1, 1986), whose cost grows with the number of differing words. Past
`MOST_EDITS` of them the rest is one changed hunk: two answers that have nothing in common need no finer look, and an
answer of 100 000 tokens must not hold up a screen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_EDITS = 800
_WORD = re.compile(r"\s*\S+|\s+$")
"""A word with the white space before it, so that the words put together are the text."""


class HunkKind(StrEnum):
    """How a stretch of two answers compares."""

    SAME = "same"
    CHANGED = "changed"
    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"


@dataclass(frozen=True, slots=True)
class Hunk:
    """A stretch of two answers. The `first` of all hunks put together are the first answer, and so for `second`."""

    kind: HunkKind
    first: str
    second: str


def hunks(first: str, second: str) -> tuple[Hunk, ...]:
    """Compare two texts by their words; white space alone is no difference."""
    one, two = _WORD.findall(first), _WORD.findall(second)
    found: list[Hunk] = []
    begin_one = begin_two = 0
    for same_one, same_two, length in (*_matches(_bare(one), _bare(two)), (len(one), len(two), 0)):
        gone, came = "".join(one[begin_one:same_one]), "".join(two[begin_two:same_two])
        if gone or came:
            kind = HunkKind.CHANGED if gone and came else HunkKind.ONLY_FIRST if gone else HunkKind.ONLY_SECOND
            found.append(Hunk(kind, gone, came))
        begin_one, begin_two = same_one + length, same_two + length
        if length:
            shared = "".join(one[same_one:begin_one]), "".join(two[same_two:begin_two])
            found.append(Hunk(HunkKind.SAME, *shared))
    return tuple(found)


def _bare(words: Sequence[str]) -> list[str]:
    return [word.strip() for word in words]


def _matches(one: Sequence[str], two: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return the stretches that both share, as (place in one, place in two, length), in order."""
    befores, x, y = _explore(one, two)
    found: list[tuple[int, int, int]] = []
    for edits in range(len(befores) - 1, -1, -1):
        if edits == 0:
            came_x = came_y = start = 0
        else:
            diagonal, reached = x - y, befores[edits]
            down = _goes_down(reached, diagonal, edits)
            came_x = reached[diagonal + 1] if down else reached[diagonal - 1]
            came_y = came_x - (diagonal + 1 if down else diagonal - 1)
            start = came_x if down else came_x + 1
        if x > start:
            found.append((start, start - (x - y), x - start))
        x, y = came_x, came_y
    return found[::-1]


def _explore(one: Sequence[str], two: Sequence[str]) -> tuple[list[dict[int, int]], int, int]:
    """Go as far as `MOST_EDITS` edits lead.

    Returns what each number of edits began from (the furthest place in `one` by diagonal: place in one less place in
    two), and the places that were reached: the ends of both, or the furthest within the bound.
    """
    reached: dict[int, int] = {1: 0}
    befores: list[dict[int, int]] = []
    for edits in range(MOST_EDITS + 1):
        befores.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            down = _goes_down(reached, diagonal, edits)
            x = reached[diagonal + 1] if down else reached[diagonal - 1] + 1
            while x < len(one) and x - diagonal < len(two) and one[x] == two[x - diagonal]:
                x += 1
            reached[diagonal] = x
            if x >= len(one) and x - diagonal >= len(two):
                return befores, x, x - diagonal
    inside = [
        (x, x - diagonal)
        for diagonal, x in reached.items()
        if (diagonal - MOST_EDITS) % 2 == 0 and x <= len(one) and 0 <= x - diagonal <= len(two)
    ]
    return (befores, *max(inside, key=sum))


def _goes_down(reached: dict[int, int], diagonal: int, edits: int) -> bool:
    """Tell whether a diagonal is entered by a word of the second answer, rather than by one of the first."""
    return diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1])
