"""What results say: scores, the test, and the sentences that follow."""

from __future__ import annotations

from qtui.core.duel.suite.checks import Exact, Mark
from qtui.core.duel.suite.needle import SAMPLE, Yardstick, document, sample_text, sentence
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


def test_more_groups_make_each_of_them_stricter_and_not_the_whole() -> None:
    many = [*results("one", "+" * 6, "-" * 6), *(r for g in ("two", "three") for r in results(g, "+-" * 3, "+-" * 3))]
    told = score(many)
    assert [group.shown for group in told.groups] == [False, False, False]
    assert told.total.shown
    assert "0.0167" in told.note
    assert score(results("one", "+" * 6, "-" * 6)).groups[0].shown


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
    assert sample_text().count(".") == SAMPLE
