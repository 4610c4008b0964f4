"""Options weighed by a real child: what they are worth is what the model would write."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from qtui.core.commands import Ask, Cancel, Score
from qtui.core.events import Answered, Failed, Scored
from tests.services.engine.child.harness import Child, chat, raw


def scored(child: Child, prompt: str, *options: str) -> Scored:
    child.send(Score(prompt, options))
    event = child.until(lambda e: isinstance(e, Scored | Failed))
    assert isinstance(event, Scored), event
    return event


def test_what_the_model_writes_by_itself_is_the_likeliest(child: Child, stories: Path) -> None:
    child.load(stories)
    found = scored(child, "Once upon a time", ", there was a little girl", ", the king of numbers ate", " 17 + 4 is 21")
    assert max(found.log_likelihoods) == found.log_likelihoods[0]
    assert all(-50 < value < 0 for value in found.log_likelihoods)
    assert all(count > 0 for count in found.tokens)


def test_the_demo_model_knows_its_sums(child: Child, demo_f16: Path) -> None:
    child.load(demo_f16)
    prompt = child.ask(chat("What is 23 + 45?")).prompt + "23 + 45 = "
    found = scored(child, prompt, "68", "97", "21")
    assert found.log_likelihoods.index(max(found.log_likelihoods)) == 0


def test_the_order_of_options_changes_nothing(child: Child, stories: Path) -> None:
    child.load(stories)
    one = scored(child, "Lily went to the", " park", " moon", " shop")
    two = scored(child, "Lily went to the", " shop", " park", " moon")
    assert two.log_likelihoods == pytest.approx([one.log_likelihoods[place] for place in (2, 0, 1)], abs=1e-4)


def test_probabilities_of_all_single_tokens_add_up_to_one(child: Child, stories: Path) -> None:
    """Letters alone cannot add up to more than one; the mean of one token is its log-probability."""
    child.load(stories)
    found = scored(child, "She was", *(f" {letter}" for letter in "abcdefghij"))
    assert (
        0
        < math.fsum(math.exp(value * count) for value, count in zip(found.log_likelihoods, found.tokens, strict=True))
        < 1
    )


def test_it_answers_as_before_afterwards(child: Child, stories: Path) -> None:
    child.load(stories)
    before = child.ask(raw("Once upon a time", 24)).text
    scored(child, "Once upon a time", " there", " here")
    assert child.ask(raw("Once upon a time", 24)).text == before


@pytest.mark.parametrize(
    ("prompt", "options", "said"),
    [
        ("Once", (" a",), "2 to 26 different options"),
        ("Once", (" a", " a"), "2 to 26 different options"),
        ("Once", ("", " upon"), "cannot be told apart"),
        ("word " * 2000, (" a", " b"), "and the context"),
    ],
)
def test_what_cannot_be_weighed_is_said(
    child: Child, stories: Path, prompt: str, options: tuple[str, ...], said: str
) -> None:
    child.load(stories)
    child.send(Score(prompt, options))
    event = child.until(lambda e: isinstance(e, Scored | Failed))
    assert isinstance(event, Failed)
    assert said in event.failure.message
    assert not event.fatal


def test_it_can_be_stopped(child: Child, stories: Path) -> None:
    child.load(stories)
    child.send(Score("word " * 30, tuple(f" {letter}{' and so on' * 20}" for letter in "abcdefghijklmnop")))
    child.send(Cancel())
    event = child.until(lambda e: isinstance(e, Scored | Failed))
    assert isinstance(event, Failed)
    assert event.failure.kind == "cancelled"
    child.send(Ask(raw("Once", 2)))
    assert isinstance(child.until(lambda e: isinstance(e, Answered | Failed)), Answered)
