"""Degeneration: what a badly quantised model, a wrong template or a broken file makes of an answer.

Signs, not a score: each is told in a plain sentence with what was seen, since every one of them has innocent causes
too (a song has a chorus, `--max-tokens` may be small). `tests/data/degeneration.json` holds labelled answers; the test
over them prints how many are found and how many alarms are false.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from qtui.core.duel.scripts import strange_script
from qtui.core.text import REPLACEMENT, clean_name

LONGEST_UNIT = 8
"""Words of the longest loop that is looked for."""
LEAST_REPEATS = (0, 6, 5, 4, 4, 3, 3, 3, 3)
"""By words of the unit: so often in a row is no figure of speech any more."""
LEAST_WORDS = 10
"""A loop of fewer words altogether is none."""
LEAST_REPEATS_SIGNS = 24
"""For units without a letter: rows of a table and matrices repeat themselves."""
LEAST_RUN = 40
"""Characters of one unbroken word that repeats itself."""
WINDOW = 100
"""Words over which variety is measured."""
NGRAM = 3
LEAST_VARIETY = 0.45
"""Distinct 3-grams of a window, of all; prose has 0.9 and more, lists and code seldom under 0.6."""
LEAST_BROKEN = 3
"""Replacement characters: bytes that are no text."""
MOST_WORDS = 40_000
"""Words looked at, from the end back, where answers go astray: about 100 000 tokens take a second."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[^\w\s]+|_+")
_RULES = frozenset("-=_*.~#|+ ─━═·•")
"""Characters that draw lines in tables and headings."""
_RUN = re.compile(r"(\S{1,20}?)\1{3,}")


class Sign(StrEnum):
    """What may be wrong with an answer."""

    EMPTY = "empty"
    LOOP = "loop"
    LOW_VARIETY = "low_variety"
    NO_END = "no_end"
    CUT = "cut"
    WRONG_SCRIPT = "wrong_script"
    BROKEN_TEXT = "broken_text"


@dataclass(frozen=True, slots=True)
class Loop:
    """Words that an answer repeats in a row."""

    unit: str
    """One turn of it, clean and short."""
    words: int
    """Words of the unit, 1 to 8; 0 for a run of characters within one word."""
    repeats: int
    to_the_end: bool
    """The answer ends in it."""

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `degeneration.loop`."""
        return {"unit": self.unit, "words": self.words, "repeats": self.repeats, "to_the_end": self.to_the_end}


@dataclass(frozen=True, slots=True)
class Degeneration:
    """What was seen in one answer."""

    signs: tuple[Sign, ...] = ()
    loop: Loop | None = None
    variety: float | None = None
    """The lowest share of distinct 3-grams over 100 words; None for answers that are shorter."""
    script: str = ""
    """The script that the prompt gave no cause for."""
    sentence: str = ""
    """What to tell the user; empty when there is nothing to tell."""

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `degeneration`."""
        loop = self.loop
        return {
            "signs": [sign.value for sign in self.signs],
            "loop": loop.as_json() if loop else None,
            "variety": None if self.variety is None else round(self.variety, 4),
            "script": self.script or None, "sentence": self.sentence,
        }  # fmt: skip


def degeneration(text: str, finish_reason: str = "stop", prompt: str = "") -> Degeneration:
    """Look for signs of degeneration in an answer.

    Args:
        text: the answer, without its thinking.
        finish_reason: as in `Answer.finish_reason`; an answer that the user stopped is not called cut.
        prompt: what was asked, for the script; without it no script is strange.
    """
    if not text.strip():
        told = "" if finish_reason == "cancelled" else "the answer is empty"
        return Degeneration((Sign.EMPTY,) if told else (), sentence=told)
    words = [word.casefold() for word in _words(text)[-MOST_WORDS:]]
    words = [word for word in words if word[0].isalnum()] or words
    loop = find_loop(words) or find_run(text)
    variety = lowest_variety(words)
    script = strange_script(text, prompt)
    found: list[tuple[Sign, str]] = []
    if loop:
        found.append((Sign.LOOP, _loop_text(loop)))
    elif variety is not None and variety < LEAST_VARIETY:
        found.append(
            (
                Sign.LOW_VARIETY,
                f"it turns in circles: only {variety * 100:.0f} % of its word triples are new",
            )
        )
    if finish_reason == "length":
        found.append((Sign.NO_END, "it did not end by itself before the token limit"))
    elif finish_reason == "context":
        found.append((Sign.CUT, "it is cut: the context was full"))
    if script:
        found.append((Sign.WRONG_SCRIPT, f"it slips into {script} script, which the prompt gives no cause for"))
    if (broken := text.count(REPLACEMENT)) >= LEAST_BROKEN:
        found.append((Sign.BROKEN_TEXT, f"it holds {broken} characters that are no text"))
    return Degeneration(tuple(sign for sign, _ in found), loop, variety, script, "; ".join(told for _, told in found))


def find_loop(words: Sequence[str]) -> Loop | None:
    """Return the loop that takes most words, None where nothing is repeated often enough."""
    best: Loop | None = None
    for size in range(1, LONGEST_UNIT + 1):
        begin = 0
        while begin + size < len(words):
            end = begin
            while end + size < len(words) and words[end] == words[end + size]:
                end += 1
            repeats = (end - begin) // size + 1
            unit = words[begin : begin + size]
            lettered = any(word[0].isalpha() for word in unit)
            least = LEAST_REPEATS[size] if lettered else LEAST_REPEATS_SIGNS
            taken = repeats * size
            if repeats >= least and taken >= LEAST_WORDS and (not best or taken > best.repeats * max(best.words, 1)):
                at_end = end + size >= len(words) - size
                best = Loop(clean_name(" ".join(unit), 60), size, repeats, at_end)
            begin = end + 1 if end > begin else begin + 1
    return best


def find_run(text: str) -> Loop | None:
    """Return a run of characters that one unbroken word repeats: `hahahaha`, `!!!!`; lines that are drawn are none."""
    for match in _RUN.finditer(text[-200_000:]):
        unit = match[1]
        if len(match[0]) >= LEAST_RUN and not set(unit) <= _RULES and not unit.isdigit():
            return Loop(clean_name(unit, 30), 0, len(match[0]) // len(unit), match.end() >= len(text.rstrip()) - 2)
    return None


def lowest_variety(words: Sequence[str]) -> float | None:
    """Return the lowest share of distinct 3-grams over windows of 100 words, None for fewer words."""
    if len(words) < WINDOW:
        return None
    grams = list(zip(*(words[i:] for i in range(NGRAM)), strict=False))
    width = WINDOW - NGRAM + 1
    return min(
        len(set(grams[begin : begin + width])) / width for begin in range(0, len(grams) - width + 1, WINDOW // 4)
    )


def _words(text: str) -> list[str]:
    """Return words, and signs between them; of scripts without spaces each character is a word."""
    found: list[str] = []
    for word in _WORD.findall(text):
        if any(unicodedata.east_asian_width(character) == "W" for character in word[:4]):
            found.extend(word)
        else:
            found.append(word)
    return found


def _loop_text(loop: Loop) -> str:
    where = " to the end" if loop.to_the_end else ""
    return f"it repeats “{loop.unit}” {loop.repeats} times in a row{where}"
