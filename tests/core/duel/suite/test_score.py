"""What results say: scores, the test, and the sentences that follow."""

from __future__ import annotations

import random

import pytest

from qtui.core.duel.statistics import LEVEL
from qtui.core.duel.suite.checks import Exact, Mark
from qtui.core.duel.suite.needle import SAMPLES, Yardstick, document, sample_text, sentence
from qtui.core.duel.suite.score import Result, score
from qtui.core.duel.suite.task import Needle, Task


def results(group: str, a: str, b: str) -> list[Result]:
    """Return results from letters: + right, - wrong, ? not judged."""
    meaning = {"+": True, "-": False, "?": None}
    return [
        Result(f"t{place}", group, side, Mark(meaning[letter]))
        for side, letters in (("A", a), ("B", b))
        for place, letter in enumerate(letters)
    ]


def test_scores_are_out_of_ten_over_the_tasks_that_both_were_judged_on() -> None:
    told = score(results("logic", "+++-?+", "+--+++"))
    (group,) = told.groups
    assert group.scores == (8.0, 6.0)
    assert group.not_judged == 1
    assert (group.pairs.both, group.pairs.only_first, group.pairs.only_second, group.pairs.neither) == (2, 2, 1, 0)
    assert group.sentence == "no difference shown"


def test_a_difference_is_shown_where_chance_seldom_brings_it() -> None:
    (group,) = score(results("logic", "+" * 10, "+" * 3 + "-" * 7)).groups
    assert group.sentence == "A is better (p = 0.0156)"
    assert group.interval.low > 0
    (other,) = score(results("logic", "-" * 8 + "++", "+" * 10)).groups
    assert other.sentence == "B is better (p = 0.00781)"


def test_what_is_too_easy_or_too_hard_tells_nothing() -> None:
    assert score(results("g", "+" * 20, "+" * 19 + "-")).total.sentence == "too easy to tell"
    assert score(results("g", "-" * 20, "-" * 19 + "+")).total.sentence == "too hard to tell"
    assert score(results("g", "+" * 9 + "-", "+" * 9 + "-")).total.sentence == "no difference shown"
    assert score(results("g", "?", "+")).total.sentence == "nothing could be judged"


def test_more_lines_make_each_of_them_stricter() -> None:
    alike = results("other", "+-" * 3, "+-" * 3)
    one = score([*results("one", "+" * 6, "-" * 6), *alike])
    assert [group.shown for group in one.groups] == [True, False]  # the others have nothing to be wrong with
    assert one.total.shown
    two = score([*results("one", "+" * 6, "-" * 6), *results("two", "+++---", "---+++"), *alike])
    assert [line.shown for line in (*two.groups, two.total)] == [False] * 4
    assert two.total.level < LEVEL
    assert "Holm" in two.note
    assert "Holm" not in score(results("one", "+" * 6, "-" * 6)).note


def test_what_is_shown_makes_room_for_the_rest() -> None:
    # The whole shows a difference, so that groups have all of 5 %: a fourth of it for one, a half then for two.
    counts = {"one": (12, 0), "two": (9, 1), "three": (2, 1), "four": (4, 7)}
    many = [r for name, (a, b) in counts.items() for r in results(name, "+" * a + "-" * b, "-" * a + "+" * b)]
    told = score(many)
    assert [group.shown for group in told.groups] == [True, True, False, False]
    assert told.total.shown
    assert told.groups[0].level < told.groups[1].level < LEVEL
    assert told.as_json()["groups"][0]["level"] == told.groups[0].level


@pytest.mark.parametrize("rates", [(0.3,), (0.3, 0.3), (0.1,) * 8, (0.5,) * 9, (0.02, 0.9, 0.4)])
def test_a_file_against_itself_is_called_different_in_at_most_one_run_of_twenty(rates: tuple[float, ...]) -> None:
    """Ten tasks a group, each of which only one side solves at such a rate, as likely the one as the other."""
    drawn = random.Random(20)
    runs, wrong = 800, 0
    for _ in range(runs):
        told = []
        for number, rate in enumerate(rates):
            sides = [drawn.choice(["+-", "-+"]) if drawn.random() < rate else "++" for _ in range(10)]
            told += results(str(number), "".join(side[0] for side in sides), "".join(side[1] for side in sides))
        found = score(told)
        wrong += any(line.shown for line in (*found.groups, found.total))
    assert wrong / runs < LEVEL + 2 * (LEVEL * (1 - LEVEL) / runs) ** 0.5


def test_the_same_file_shows_no_difference() -> None:
    assert score(results("g", "+-+-+-", "+-+-+-")).total.pairs.p == 1.0


def needle(fill: float, depth: float) -> str:
    task = Task(
        "n", "long", "Which word?", Exact(("heron",)), needle=Needle("The word is heron.", fill, depth), max_tokens=40
    )
    return document(task, Yardstick(12.0, 4096))


def test_the_document_fills_what_it_shall_and_the_fact_stands_where_it_shall() -> None:
    for fill in (0.25, 0.5, 0.9):
        text = needle(fill, 0.5)
        assert abs(text.count(".") * 12 / 4096 - fill) < 0.05
        assert text.endswith("Which word?")
    for depth in (0.1, 0.5, 0.9):
        body = needle(0.5, depth)
        assert abs(body.index("The word is heron.") / len(body) - depth) < 0.05


def test_the_document_leaves_room_for_the_answer() -> None:
    filler = needle(0.95, 0.5).count(".") - 3  # the introduction has two sentences, and the fact is one
    assert 4096 - 160 - 40 - 12 < filler * 12 <= 4096 - 160 - 40


def test_no_sentence_of_the_filler_comes_twice() -> None:
    assert len({sentence(number) for number in range(30_000)}) == 30_000
    assert [sample_text(count).count(".") for count in SAMPLES] == list(SAMPLES)
