"""Two answers side by side: the hunks put together are the answers, and nothing shared is shown as changed."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from qtui.core.duel.hunks import MOST_EDITS, Hunk, HunkKind, hunks

TEXTS = st.lists(st.sampled_from(["a", "b", "c", " ", "\n", "  "]), max_size=40).map("".join)


def test_what_is_shared_changed_and_added() -> None:
    assert hunks("the sky is blue today", "the sky looks blue") == (
        Hunk(HunkKind.SAME, "the sky", "the sky"),
        Hunk(HunkKind.CHANGED, " is", " looks"),
        Hunk(HunkKind.SAME, " blue", " blue"),
        Hunk(HunkKind.ONLY_FIRST, " today", ""),
    )
    assert hunks("", "new") == (Hunk(HunkKind.ONLY_SECOND, "", "new"),)
    assert hunks("", "") == ()


def test_white_space_alone_is_no_difference_and_is_kept() -> None:
    assert hunks("a  b\n", "a b") == (Hunk(HunkKind.SAME, "a  b", "a b"), Hunk(HunkKind.ONLY_FIRST, "\n", ""))


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_the_hunks_put_together_are_the_answers(first: str, second: str) -> None:
    found = hunks(first, second)
    assert "".join(hunk.first for hunk in found) == first
    assert "".join(hunk.second for hunk in found) == second
    for hunk in found:
        if not (hunk.first + hunk.second).isspace():  # what stands behind the last word
            assert (hunk.first.split() == hunk.second.split()) is (hunk.kind is HunkKind.SAME)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30))
def test_as_many_words_are_shared_as_can_be(first: list[str], second: list[str]) -> None:
    shared = sum(len(hunk.first.split()) for hunk in hunks(" ".join(first), " ".join(second)) if hunk.kind == "same")
    assert shared == longest_common(first, second)


def longest_common(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence, by the textbook."""
    row = [0] * (len(second) + 1)
    for a in first:
        before = row[:]
        for j, b in enumerate(second, 1):
            row[j] = before[j - 1] + 1 if a == b else max(before[j], row[j - 1])
    return row[-1]


def test_long_answers_that_have_nothing_in_common_are_given_up_in_time() -> None:
    drawn = random.Random(1)
    first = " ".join(str(drawn.randrange(50)) for _ in range(100_000))
    second = "the same beginning " + " ".join(str(drawn.randrange(50, 100)) for _ in range(100_000))
    began = time.perf_counter()
    found = hunks("the same beginning " + first, second)
    assert time.perf_counter() - began < 5
    assert found[0] == Hunk(HunkKind.SAME, "the same beginning", "the same beginning")
    assert found[-1].kind is HunkKind.CHANGED
    assert "".join(hunk.second for hunk in found) == second
    assert MOST_EDITS < 100_000
