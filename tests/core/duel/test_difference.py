"""How far two answers are apart."""

from __future__ import annotations

import pytest

from qtui.core.duel.difference import DifferentToken, difference, first_different


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


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (("2", "3", "="), ("2", "3", "="), None),
        (("a", " b"), ("a", " c"), DifferentToken(2, " b", " c")),
        (("a", " b"), ("a",), DifferentToken(2, " b", "")),
        (("a",), ("a", "", "b"), DifferentToken(2, "", "")),  # a silent token is one, and the other had ended
        ((), ("a",), None),  # this engine tells no tokens
        (("ab", "c"), ("a", "bc"), DifferentToken(1, "ab", "a")),  # the same text, by another way
    ],
)
def test_the_first_token_that_differs(
    first: tuple[str, ...], second: tuple[str, ...], found: DifferentToken | None
) -> None:  # fmt: skip
    assert first_different(first, second) == found


def test_token_and_word_stand_in_the_sentence() -> None:
    apart = difference("23 + 45 = 68.", "23 + 45 = 67.", DifferentToken(12, "8", "7"))
    assert apart.sentence == "differ from word 5 (token 12: “8” or “7”), share 80 % of words"
    assert apart.brief == "differ from word 5 (token 12), share 80 % of words"
    ended = difference("a b", "a b c", DifferentToken(3, "", "\n[b]c\x1b"))
    assert ended.sentence == "differ from word 3 (token 3: its end or “\\n[b]c\ufffd”), share 80 % of words"
    assert (
        difference("a", "b", DifferentToken(1, None, None)).sentence
        == "differ from word 1 (token 1), share 0 % of words"
    )
    assert (
        difference("a  b", "a b", DifferentToken(2, "  b", " b")).brief
        == "the same words (token 2), share 100 % of words"
    )
