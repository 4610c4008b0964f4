"""Degeneration on labelled answers: how many are found, how many alarms are false; and what it costs.

`python -m tests.core.duel.test_degeneration` prints the table.
"""

from __future__ import annotations

import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from qtui.core.duel.degeneration import Degeneration, Sign, degeneration

FILE = Path(__file__).parent.parent.parent / "data" / "degeneration.toml"
ANSWERS: list[dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))["answer"]


def seen(answer: dict[str, Any]) -> Degeneration:
    text = answer["text"] + answer.get("again", "") * answer.get("times", 0) + answer.get("tail", "")
    return degeneration(text, answer.get("finish", "stop"), answer["prompt"])


def table() -> list[str]:
    """Return, by sign: answers that have it, found, false alarms; and every miss by name."""
    has, found, false = Counter[str](), Counter[str](), Counter[str]()
    misses = []
    for answer in ANSWERS:
        told, wanted = {sign.value for sign in seen(answer).signs}, set(answer["signs"])
        has.update(wanted)
        found.update(told & wanted)
        false.update(told - wanted)
        if told != wanted:
            misses.append(f"  {answer['id']}: wanted {sorted(wanted)}, told {sorted(told)}")
    sound = sum(not answer["signs"] for answer in ANSWERS)
    alarmed = sum(bool(seen(answer).signs) for answer in ANSWERS if not answer["signs"])
    ill = len(ANSWERS) - sound
    noticed = sum(bool(seen(answer).signs) for answer in ANSWERS if answer["signs"])
    lines = [f"{'sign':<14}{'have it':>8}{'found':>8}{'false alarms':>14}"]
    lines += [f"{sign.value:<14}{has[sign]:>8}{found[sign]:>8}{false[sign]:>14}" for sign in Sign]
    lines.append(
        f"{len(ANSWERS)} answers: of {ill} degenerate ones {noticed} noticed (recall {noticed / ill:.2f}), "
        f"of {sound} sound ones {alarmed} false alarms"
    )
    return lines + misses


def test_the_set_is_large_and_has_every_sign() -> None:
    assert len(ANSWERS) >= 60
    assert {sign for answer in ANSWERS for sign in answer["signs"]} == {sign.value for sign in Sign}
    assert sum(not answer["signs"] for answer in ANSWERS) >= 30
    assert len({(answer["id"], bool(answer["signs"])) for answer in ANSWERS}) == len(ANSWERS)


def test_recall_and_false_alarms_on_the_labelled_set() -> None:
    sound = [answer for answer in ANSWERS if not answer["signs"]]
    ill = [answer for answer in ANSWERS if answer["signs"]]
    missed = [answer["id"] for answer in ill if not set(answer["signs"]) <= set(seen(answer).signs)]
    alarms = [answer["id"] for answer in sound if seen(answer).signs]
    assert len(missed) <= 0.05 * len(ill), "\n".join(table())
    assert len(alarms) <= 0.05 * len(sound), "\n".join(table())


@pytest.mark.parametrize("size", range(1, 9))
def test_loops_of_one_to_eight_words_are_named(size: int) -> None:
    unit = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"][:size]
    found = degeneration("It begins well. " + " ".join(unit * 12))
    assert found.signs == (Sign.LOOP,)
    assert found.loop is not None
    assert (found.loop.words, found.loop.unit, found.loop.to_the_end) == (size, " ".join(unit), True)
    assert found.sentence == f"it repeats “{' '.join(unit)}” {found.loop.repeats} times in a row to the end"


def test_the_sentence_says_all_that_was_seen() -> None:
    found = degeneration("Well " + "no " * 20 + "и это неверно", "length", "Why is the sky blue?")
    assert found.sentence == (
        "it repeats “no” 20 times in a row; it did not end by itself before the token limit; "
        "it slips into cyrillic script, which the prompt gives no cause for"
    )
    assert degeneration("All is well.").sentence == ""


def test_what_is_told_is_clean_and_short() -> None:
    found = degeneration("\x1b[31mred\x1b[0m[/bold] " * 50)
    assert found.loop is not None
    assert "\x1b" not in found.sentence
    assert len(degeneration(("a" * 500 + " ") * 40).sentence) < 200


@pytest.mark.parametrize(
    "text",
    ["word " * 100_000, "ab" * 250_000, " ".join(map(str, range(100_000))), "x" * 500_000],
    ids=["one word", "one run", "numbers", "one letter"],
)
def test_an_answer_of_a_hundred_thousand_tokens_is_looked_at_in_time(text: str) -> None:
    began = time.perf_counter()
    degeneration(text, "length", "Why?")
    assert time.perf_counter() - began < 5


if __name__ == "__main__":
    print("\n".join(table()))
