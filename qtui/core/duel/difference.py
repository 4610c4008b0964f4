"""How far two answers are apart, by words and by tokens: a first look, not a judgement of quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from qtui.core.text import clean_name

MOST_PIECES = 10_000
"""Tokens of an answer whose texts are kept: where two have all of these in common, the first other one is not known."""
_NAMED = str.maketrans({"\n": "\\n", "\t": "\\t"})


@dataclass(frozen=True, slots=True)
class DifferentToken:
    """The first token that two answers do not have in common."""

    place: int
    """Counted from 1, thinking included."""
    first: str | None
    """Its text in the first answer; empty: that one had ended; None: not kept."""
    second: str | None

    @property
    def texts(self) -> str:
        """Return both as `“ 63” or “ 73”`; empty where they are not kept."""
        if self.first is None or self.second is None:
            return ""
        return " or ".join(quoted(text) for text in (self.first, self.second))

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `first_differing_token`."""
        return {"place": self.place, "a": self.first, "b": self.second}


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers compared by their words; words are what white space divides."""

    first_word: int | None
    """The first word that differs, counted from 1; None when all words are the same."""
    shared: float
    """Words that both use (each counted as often as both have it), as a share of all words, from 0 to 1."""
    identical: bool
    """The texts are the same to the character."""
    token: DifferentToken | None = None
    """The first token that differs; None: none does, or it is not known."""

    @property
    def brief(self) -> str:
        """Return the line for both: `differ from word 5 (token 12), share 80 % of words`."""
        return self._told(f"token {self.token.place}" if self.token else "")

    @property
    def sentence(self) -> str:
        """Return the line for both with what differs: `differ from word 5 (token 12: “6” or “7”), share …`."""
        texts = f": {self.token.texts}" if self.token and self.token.texts else ""
        return self._told(f"token {self.token.place}{texts}" if self.token else "")

    def _told(self, token: str) -> str:
        if self.identical:
            return "identical"
        share = f"share {self.shared * 100:.0f} % of words"
        aside = f" ({token})" if token else ""
        if self.first_word is None:
            return f"the same words{aside}, {share}"
        return f"differ from word {self.first_word}{aside}, {share}"

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `difference`."""
        return {
            "identical": self.identical,
            "first_differing_word": self.first_word,
            "first_differing_token": self.token.as_json() if self.token else None,
            "words_shared": round(self.shared, 4),
        }


def difference(first: str, second: str, token: DifferentToken | None = None) -> Difference:
    """Compare two answers.

    The share is the Sørensen-Dice coefficient over the two bags of words: 2 |A ∩ B| / (|A| + |B|); 1 for two empty
    answers.
    """
    one, two = first.split(), second.split()
    differing = next((i for i, (a, b) in enumerate(zip_longest(one, two), 1) if a != b), None)
    common = sum((Counter(one) & Counter(two)).values())
    total = len(one) + len(two)
    return Difference(differing, 2 * common / total if total else 1.0, first == second, token)


def first_different(first: Sequence[str], second: Sequence[str]) -> DifferentToken | None:
    """Return the first token that differs, by the tokens' texts; None where none does.

    Two models may number the same text differently, so that texts are compared. Where one answer has no tokens nothing
    is known of it: engines need not tell them.
    """
    if not first or not second:
        return None
    for place, (one, two) in enumerate(zip_longest(first, second, fillvalue=""), 1):
        if one != two or place > min(len(first), len(second)):
            return DifferentToken(place, one, two)
    return None


def quoted(text: str) -> str:
    """Return the text of a token as `“ 63”`, white space told by its name; of none `its end`."""
    return f"“{clean_name(text.translate(_NAMED), 24)}”" if text else "its end"
