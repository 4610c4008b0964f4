"""Ballots: what counts, what is counted apart, and the sentence that follows."""

from __future__ import annotations

import pytest

from qtui.core.duel.ballot import Ballot, Vote


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (7, 2, "7 of 9 for A: not enough to tell; 3 more in a row for it would be"),
        (2, 7, "7 of 9 for B: not enough to tell; 3 more in a row for it would be"),
        (3, 0, "3 of 3 for A: not enough to tell; 3 more in a row for it would be"),
        (5, 0, "5 of 5 for A: not enough to tell; 1 more for it would be"),
        (2, 2, "2 votes each: not enough to tell; 8 more in a row for either would be"),
        (0, 0, "no votes for either side yet"),
        (9, 1, "9 of 10 for A: better, as far as these votes go (p = 0.021, chance alone brings that rarely)"),
    ],
)
def test_the_sentence_follows_from_the_votes(a: int, b: int, sentence: str) -> None:
    assert Ballot(a, b).sentence() == sentence


def test_what_would_be_enough_is_enough_and_one_less_is_not() -> None:
    for ahead, behind in ((a, b) for a in range(1, 25) for b in range(a + 1)):
        ballot = Ballot(ahead, behind)
        if ballot.shown:
            continue
        more = int(ballot.sentence().split("; ")[1].split()[0])
        assert Ballot(ahead + more, behind).shown
        assert not Ballot(ahead + more - 1, behind).shown


def test_ties_bad_rounds_and_identical_answers_are_counted_apart() -> None:
    votes = [Vote.A] * 6 + [Vote.TIE, Vote.BOTH_BAD, Vote.BOTH_BAD, Vote.IDENTICAL]
    ballot = Ballot.of(votes)
    assert (ballot.decided, ballot.rounds, ballot.shown) == (6, 10, True)
    assert ballot.sentence().endswith("; counted apart: 1 tie, 2 rounds where both were bad, 1 identical pair")
    assert Ballot.of(vote.swapped for vote in votes) == Ballot(0, 6, 1, 2, 1)


def test_what_does_not_choose_a_side_changes_no_test() -> None:
    assert Ballot(7, 2, ties=50, both_bad=9, identical=9).p == Ballot(7, 2).p


def test_the_json_keeps_unknown_unknown() -> None:
    assert Ballot().as_json()["share_of_a"] is None
    assert Ballot().as_json()["interval"] is None
    assert Ballot(3, 1).as_json()["share_of_a"] == 0.75
