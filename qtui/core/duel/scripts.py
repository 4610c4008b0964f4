"""Which scripts a text is written in: what tells an answer in Chinese characters to a question in English."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

COMMON = "LATIN"
"""A script that every answer may use: names, units, code."""
LEAST_LETTERS = 3
LEAST_SHARE = 0.02
"""Of all letters; less is a word that the answer explains."""
MOST_CHARACTERS = 200_000
_FAMILIES = {"HIRAGANA": "HAN", "KATAKANA": "HAN", "CJK": "HAN", "KANGXI": "HAN", "HANGUL": "HANGUL"}
"""Scripts that one language mixes count as one."""
_ASKS = re.compile(
    r"translat|transliterat|alphabet|language|перев(?:од|ед)|язык|"
    r"\b(?:arabic|chinese|mandarin|cantonese|japanese|korean|russian|ukrainian|bulgarian|serbian|greek|hebrew|hindi|"
    r"thai|georgian|armenian|persian|farsi|urdu|bengali|tamil|kanji|hiragana|katakana|hangul|cyrillic|unicode|emoji)\b|"
    r"русск|китайск|японск|корейск|арабск|греческ|иврит",
    re.IGNORECASE,
)
"""A prompt that names a language may be answered in another script than its own."""


@lru_cache(maxsize=8192)
def script_of(letter: str) -> str:
    """Return the script of a character, by the first word of its Unicode name; empty for what is no letter."""
    if not letter.isalpha():
        return ""
    family = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return _FAMILIES.get(family, family)


def scripts(text: str) -> Counter[str]:
    """Count the letters of a text by script; single Greek letters are mathematics and not counted."""
    counted: Counter[str] = Counter()
    for word in re.findall(r"[^\W\d_]+", text[:MOST_CHARACTERS]):
        found = Counter(filter(None, map(script_of, word)))
        if len(word) > 1 or "GREEK" not in found:
            counted += found
    return counted


def strange_script(answer: str, prompt: str) -> str:
    """Return the script that an answer uses and its prompt gives no cause for, as `han`; empty when there is none."""
    if not prompt or _ASKS.search(prompt[:MOST_CHARACTERS]):
        return ""
    given, used = scripts(prompt), scripts(answer)
    total = sum(used.values())
    strange = {name: count for name, count in used.items() if name not in given and name != COMMON}
    if not strange:
        return ""
    name, count = max(strange.items(), key=lambda item: item[1])
    return name.lower() if count >= LEAST_LETTERS and count >= LEAST_SHARE * total else ""
