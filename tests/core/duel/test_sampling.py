from __future__ import annotations

import dataclasses

import pytest

from qtui.core.duel.conversation import DUEL_SAMPLING, Sampling
from qtui.core.duel.sampling import FIELDS, Choice, defaults

BY_NAME = {field.name: field for field in FIELDS}


def test_a_chat_draws_and_a_duel_does_not() -> None:
    assert defaults(0) == defaults(1) == Sampling()
    assert defaults(2) == DUEL_SAMPLING


def test_what_is_set_goes_over_either_default() -> None:
    choice = Choice({"temperature": 0.5})
    assert choice.sampling(1) == Sampling(temperature=0.5)
    assert choice.sampling(2) == Sampling(temperature=0.5, seed=42)
    assert Choice().sampling(2) == DUEL_SAMPLING


def test_every_value_of_sampling_can_be_set() -> None:
    names = {field.name for field in dataclasses.fields(Sampling)}
    assert set(BY_NAME) == names - {"stop"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0.7", 0.7), ("temperature", " 0 ", 0.0), ("top_k", "40", 40), ("top_p", "1", 1.0),
        ("min_p", "5e-2", 0.05), ("repeat_penalty", "1.1", 1.1), ("seed", "4294967295", 4294967295),
        ("max_tokens", "1", 1),
    ],
)  # fmt: skip
def test_values_are_read(name: str, text: str, value: float) -> None:
    found = BY_NAME[name].parse(text)
    assert found == value
    assert isinstance(found, int) == BY_NAME[name].whole


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temperature", "-1"), ("temperature", "nan"), ("temperature", "inf"), ("temperature", "warm"),
        ("top_k", "1.5"), ("top_k", "-1"), ("top_p", "1.01"), ("min_p", "2"), ("repeat_penalty", "0"),
        ("seed", "4294967296"), ("seed", "-1"), ("max_tokens", "0"), ("max_tokens", "9" * 5000),
    ],
)  # fmt: skip
def test_values_that_cannot_be_used_are_said_with_what_is_wanted(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"number from [0-9.]+ to [0-9]+") as told:
        BY_NAME[name].parse(text)
    assert len(str(told.value)) < 60
