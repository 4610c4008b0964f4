"""How far two answers are apart, word by word: a first look, not a judgement of quality."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers compared by their words; words are what white space divides."""

    first_word: int | None
    """The first word that differs, counted from 1; None when all words are the same."""
    shared: float
    """Words that both use (each counted as often as both have it), as a share of all words, from 0 to 1."""
    identical: bool
    """The texts are the same to the character."""

    @property
    def sentence(self) -> str:
        """Return the line for both: `differ from word 4, share 71 % of words`."""
        if self.identical:
            return "identical"
        share = f"share {self.shared * 100:.0f} % of words"
        return f"the same words, {share}" if self.first_word is None else f"differ from word {self.first_word}, {share}"

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `difference`."""
        return {
            "identical": self.identical,
            "first_differing_word": self.first_word,
            "words_shared": round(self.shared, 4),
        }


def difference(first: str, second: str) -> Difference:
    """Compare two answers.

    The share is the Sørensen-Dice coefficient over the two bags of words: 2 |A ∩ B| / (|A| + |B|); 1 for two empty
    answers.
    """
    one, two = first.split(), second.split()
    differing = next((i for i, (a, b) in enumerate(zip_longest(one, two), 1) if a != b), None)
    common = sum((Counter(one) & Counter(two)).values())
    total = len(one) + len(two)
    return Difference(differing, 2 * common / total if total else 1.0, first == second)
