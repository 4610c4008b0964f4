"""How far two answers are apart."""

from __future__ import annotations

import pytest

from qtui.core.duel.difference import difference


@pytest.mark.parametrize(
    ("first", "second", "word", "shared"),
    [
        ("", "", None, 1.0),
        ("a b c", "a b c", None, 1.0),
        ("a b c", "a  b\nc", None, 1.0),
        ("a b c", "a b", 3, 0.8),
        ("a b c", "x b c", 1, 2 / 3),
        ("a b c", "", 1, 0.0),
        ("b a", "a b", 1, 1.0),
        ("the the the", "the", 2, 0.5),
    ],
)
def test_words_are_compared(first: str, second: str, word: int | None, shared: float) -> None:
    found = difference(first, second)
    assert found.first_word == word
    assert found.shared == pytest.approx(shared)
    assert found == difference(first, second)


def test_white_space_alone_is_no_difference_of_words_but_not_identical() -> None:
    assert difference("a b", "a b").identical
    assert difference("a b", "a b").sentence == "identical"
    apart = difference("a b", "a  b")
    assert not apart.identical
    assert apart.sentence == "the same words, share 100 % of words"


def test_the_sentence_counts_words_from_one() -> None:
    assert difference("23 + 45 = 68.", "23 + 45 = 67.").sentence == "differ from word 5, share 80 % of words"
