"""Prefix reuse: the same text as from an empty cache, on every kind of memory that llama.cpp has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.duel.conversation import Sampling
from qtui.core.memory.plan import LoadPlan
from tests.services.engine.child.harness import Child, chat

PLAN = LoadPlan(ctx_size=1024, threads=1, ubatch_size=64)
SHORT = Sampling(temperature=0, seed=1, max_tokens=20)
CUTTABLE = ("llama-dense", "qwen3moe-moe", "deepseek2-moe", "phi3-dense")
STATEFUL = ("mamba2-dense", "jamba-dense", "lfm2-dense", "granitehybrid-dense", "qwen3next-moe")
WINDOWED = ("gemma3-dense", "gpt-oss-moe")


@pytest.mark.parametrize("name", [*CUTTABLE, *STATEFUL, *WINDOWED])
def test_an_edited_turn_reuses_what_stays_and_is_the_same_answer(
    name: str, child: Child, wakened: Callable[[str], Path]
) -> None:
    child.load(wakened(name), PLAN)
    first = child.ask(chat("one two three", sampling=SHORT))
    edited = chat("one two three", "no", "four", sampling=SHORT)
    second = child.ask(edited)
    third = child.ask(edited)
    assert 0 < second.cached_tokens < first.prompt_tokens
    assert 0 < third.cached_tokens < third.prompt_tokens
    alone = child.ask(replace(edited, reuse_prefix=False))
    assert alone.cached_tokens == 0
    assert alone.text == second.text == third.text
    # the text depends on the past, or nothing was shown
    other = child.ask(chat("one two six", "no", "four", sampling=SHORT, reuse_prefix=False))
    assert other.text != alone.text


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", WINDOWED)
def test_a_window_that_has_moved_on_is_not_taken_for_the_past(
    name: str, full: bool, child: Child, wakened: Callable[[str], Path]
) -> None:
    plan = LoadPlan(ctx_size=2048, threads=1, ubatch_size=64, swa_full=full)
    child.load(wakened(name), plan)
    words = [f"w{i}" for i in range(150)]
    long = Sampling(temperature=0, seed=1, max_tokens=400)
    child.ask(chat(" ".join(words * 2), sampling=long, ignore_eos=True))
    early = chat(" ".join(words), sampling=SHORT)
    second = child.ask(early)
    child.ask(chat(" ".join(words), sampling=long, ignore_eos=True))
    later = chat(" ".join(words), "no", "more", sampling=SHORT)
    third = child.ask(later)
    assert child.ask(replace(early, reuse_prefix=False)).text == second.text
    assert child.ask(replace(later, reuse_prefix=False)).text == third.text
    assert third.cached_tokens > 100  # cut where the cache is whole, from the checkpoint where it is not
    assert (second.cached_tokens > 100) is full


def test_a_state_broken_by_a_cancel_is_not_reused(child: Child, wakened: Callable[[str], Path]) -> None:
    child.load(wakened("mamba2-dense"), PLAN)
    request = chat("one two three", sampling=SHORT)
    text = child.ask(request).text
    child.ask(chat("one two three", "no", "four", sampling=SHORT))
    assert child.ask(request).text == text
