"""A real child, asked over its pipes: what it writes, and what it says about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qtui.core.commands import Ask, Cancel, Close, Load
from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.events import Answered, Failed, Loaded, PromptProgressed, TextArrived
from qtui.core.memory.plan import LoadPlan
from tests.conftest import write_ghost
from tests.services.engine.child.harness import GREEDY, SMALL, Child, chat, raw

STORY = (
    ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
    "She wanted to play with it, but it was too high.\nLily's mom said"
)
"""What stories260K writes greedily after `Once upon a time`, 64 tokens."""
LONG = LoadPlan(ctx_size=8192, threads=1)


def test_greedy_text_is_what_llama_cpp_writes(child: Child, stories: Path) -> None:
    child.load(stories)
    answer = child.ask(raw("Once upon a time", 64))
    assert answer.text == STORY
    assert (answer.finish_reason, answer.generated_tokens) == ("length", 64)
    assert len(answer.pieces) == 64
    assert "".join(answer.pieces).strip() == STORY.strip()


def test_the_demo_model_answers_a_sum_and_its_events_come_in_order(child: Child, demo_f16: Path) -> None:
    loaded = child.load(demo_f16)
    assert (loaded.template, loaded.vocabulary, loaded.warnings) == ("file", 1024, ())
    events = child.stream(chat("What is 23 + 45?"))
    kinds = [type(event) for event in events]
    assert kinds == sorted(kinds, key=[PromptProgressed, TextArrived, Answered].index)
    assert {*kinds} == {PromptProgressed, TextArrived, Answered}
    done = [event for event in events if isinstance(event, PromptProgressed)][-1]
    final = events[-1]
    assert isinstance(final, Answered)
    answer = final.answer
    assert answer.text == "23 + 45 = 68."
    assert "".join(event.text for event in events if isinstance(event, TextArrived)) == answer.text
    assert done.done == done.total == answer.prompt_tokens
    assert answer.prompt == "<|im_start|>user\nWhat is 23 + 45?<|im_end|>\n<|im_start|>assistant\n"
    assert answer.finish_reason == "stop"
    assert answer.time_to_first_token and answer.prompt_rate and answer.generation_rate
    assert answer.memory.anonymous and answer.memory.file_backed and answer.memory.peak


def test_a_second_turn_reuses_the_first_and_is_the_same_answer(
    child: Child, another: Callable[[], Child], demo_f16: Path
) -> None:
    child.load(demo_f16)
    first = child.ask(chat("What is 23 + 45?"))
    request = chat("What is 23 + 45?", first.text, "Tell me a story about a bear called George.")
    second = child.ask(request)
    assert second.cached_tokens >= first.prompt_tokens
    fresh = another()
    fresh.load(demo_f16)
    alone = fresh.ask(request)
    assert (alone.cached_tokens, alone.text) == (0, second.text)
    assert len(second.text) > 40


def test_a_timed_request_starts_from_an_empty_cache(demo: Child) -> None:
    once = demo.ask(chat("What is 23 + 45?"))
    timed = demo.ask(chat("What is 23 + 45?", reuse_prefix=False))
    again = demo.ask(chat("What is 23 + 45?"))
    assert (timed.cached_tokens, timed.text) == (0, once.text)
    assert again.cached_tokens == again.prompt_tokens - 1


def test_a_seed_repeats_an_answer_and_is_drawn_and_reported_when_none_is_given(child: Child, stories: Path) -> None:
    child.load(stories)
    warm = Sampling(temperature=1.5, max_tokens=40)
    drawn = [child.ask(raw("Once", sampling=warm)) for _ in range(2)]
    assert drawn[0].seed != drawn[1].seed
    assert drawn[0].text != drawn[1].text
    repeated = child.ask(raw("Once", sampling=Sampling(temperature=1.5, max_tokens=40, seed=drawn[0].seed)))
    assert repeated.text == drawn[0].text


def test_a_repeat_penalty_changes_what_is_written(child: Child, stories: Path) -> None:
    child.load(stories)
    plain = child.ask(raw("red ball red ball red", 30))
    penalised = child.ask(
        raw("red ball red ball red", sampling=Sampling(temperature=0, max_tokens=30, repeat_penalty=1.8))
    )
    assert penalised.text != plain.text


@pytest.mark.parametrize(("stop", "text"), [(" park", STORY[: STORY.index(" park")]), ("nowhere", STORY)])
def test_a_stop_string_ends_the_answer_before_it(child: Child, stories: Path, stop: str, text: str) -> None:
    child.load(stories)
    events = child.stream(
        raw("Once upon a time", sampling=Sampling(temperature=0, seed=1, max_tokens=64, stop=(stop,)))
    )
    final = events[-1]
    assert isinstance(final, Answered)
    assert final.answer.text == text
    assert "".join(event.text for event in events if isinstance(event, TextArrived)) == text
    assert final.answer.finish_reason == ("length" if text is STORY else "stop")


def test_a_full_context_ends_the_answer(child: Child, stories: Path) -> None:
    loaded = child.load(stories, LoadPlan(ctx_size=256, threads=1))
    answer = child.ask(raw("Once upon a time", ignore_eos=True))
    assert answer.finish_reason == "context"
    assert answer.prompt_tokens + answer.generated_tokens == loaded.plan["ctx_size"] + 1
    assert child.ask(raw("Once upon a time", 64)).text == STORY


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(child: Child, stories: Path) -> None:
    child.load(stories, LoadPlan(ctx_size=256, threads=1))
    failed = child.try_ask(raw("word " * 400))
    assert isinstance(failed, Failed) and not failed.fatal
    assert "256" in failed.failure.message and "--ctx-size" in failed.failure.hint
    assert child.ask(raw("Once upon a time", 64)).text == STORY


def test_nothing_to_read_is_refused(demo: Child) -> None:
    failed = demo.try_ask(raw(""))
    assert isinstance(failed, Failed) and not failed.fatal
    assert "empty" in failed.failure.message
    assert demo.ask(raw("a", 0)).generated_tokens == 0


def test_a_benchmark_gets_the_prompt_length_and_the_tokens_it_asks_for(demo: Child) -> None:
    answer = demo.ask(raw("What is", 100, prompt_length=77, ignore_eos=True, reuse_prefix=False))
    assert (answer.prompt_tokens, answer.generated_tokens, answer.finish_reason) == (77, 100, "length")


def test_a_template_given_with_the_request_replaces_the_files(demo: Child) -> None:
    answer = demo.ask(chat("What is 23 + 45?", template="{% for m in messages %}[{{ m.content }}]{% endfor %}"))
    assert answer.prompt == "[What is 23 + 45?]"
    failed = demo.try_ask(chat("x", template="{{ raise_exception('not like this') }}"))
    assert isinstance(failed, Failed) and not failed.fatal
    assert "not like this" in failed.failure.message
    endless = demo.try_ask(
        chat("x", template="{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}")
    )
    assert isinstance(endless, Failed) and not endless.fatal
    assert demo.ask(chat("What is 23 + 45?")).text == "23 + 45 = 68."


def test_chatml_is_taken_and_said_when_the_file_has_no_template(child: Child, stories: Path) -> None:
    loaded = child.load(stories)
    assert loaded.template == "chatml"
    assert any("chatml" in warning for warning in loaded.warnings)
    answer = child.ask(
        Request((Message("system", "Be brief."), Message("user", "Hi")), sampling=Sampling(max_tokens=1))
    )
    assert answer.prompt == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_hostile_text_goes_in_and_comes_out_clean(demo: Child) -> None:
    for text in ("\x1b]0;x\x07[red]", "\u202eabc", "\x00\x9b2J", "[/bold]", "😀" * 50, "\ud83d"):
        events = demo.stream(chat(text, sampling=Sampling(temperature=2.0, seed=3, max_tokens=40)))
        answered = events[-1]
        assert isinstance(answered, Answered)
        for shown in (answered.answer.prompt, *(e.text for e in events if isinstance(e, TextArrived))):
            assert not {"\x1b", "\x07", "\x00", "\x9b", "\u202e"} & set(shown)


def test_logits_that_are_no_numbers_are_a_failure(child: Child, tmp_path: Path) -> None:
    child.load(write_ghost("llama-dense", tmp_path))  # all weights zero: the last norm divides by zero
    failed = child.try_ask(raw("tok_10", 5))
    assert isinstance(failed, Failed) and not failed.fatal
    assert "NaN" in failed.failure.message


def test_cancelling_while_writing_ends_within_a_token_and_the_session_goes_on(demo: Child) -> None:
    demo.send(Ask(raw("a", 8000, ignore_eos=True)))
    demo.until(lambda e: isinstance(e, TextArrived) and e.tokens > 5)
    asked = time.monotonic()
    demo.send(Cancel())
    event = demo.until(lambda e: isinstance(e, Answered))
    assert isinstance(event, Answered)
    assert event.answer.finish_reason == "cancelled"
    assert 5 < event.answer.generated_tokens < 8000
    assert event.answer.text
    assert time.monotonic() - asked < 0.5
    assert demo.ask(chat("What is 23 + 45?")).text == "23 + 45 = 68."


def test_cancelling_a_long_prompt_ends_within_a_node(demo: Child) -> None:
    demo.send(Ask(raw("What is 23 + 45?", 10, prompt_length=8000)))
    demo.until(lambda e: isinstance(e, PromptProgressed))
    asked = time.monotonic()
    demo.send(Cancel())
    event = demo.until(lambda e: isinstance(e, Answered))
    assert isinstance(event, Answered)
    assert time.monotonic() - asked < 0.5
    assert (event.answer.finish_reason, event.answer.generated_tokens) == ("cancelled", 0)
    assert event.answer.time_to_first_token is None
    again = demo.ask(raw("What is 23 + 45?", 1, prompt_length=1000))
    assert again.cached_tokens >= 512  # the ubatches that were done stay


def test_a_cancel_is_only_for_what_was_asked_before_it(demo: Child) -> None:
    demo.send(Cancel())
    assert demo.ask(chat("What is 23 + 45?")).finish_reason == "stop"
    demo.send(Ask(raw("a", 300, ignore_eos=True)))
    demo.send(Ask(chat("What is 23 + 45?")))
    demo.send(Cancel())
    for _ in range(2):
        event = demo.until(lambda e: isinstance(e, Answered))
        assert isinstance(event, Answered) and event.answer.finish_reason in ("cancelled", "length")
    assert demo.ask(chat("What is 23 + 45?")).text == "23 + 45 = 68."


@pytest.mark.parametrize("moment", ["load", "prompt", "write"])
def test_the_end_of_input_ends_the_child_wherever_it_is(child: Child, demo_f16: Path, moment: str) -> None:
    if moment == "load":
        child.send(Load(str(demo_f16), LONG.as_json()))
    else:
        child.load(demo_f16, LONG)
        child.send(Ask(raw("a", 8000, prompt_length=8000 if moment == "prompt" else 10, ignore_eos=True)))
        child.until(lambda e: isinstance(e, PromptProgressed if moment == "prompt" else TextArrived))
    child.close_input()
    started = time.monotonic()
    child.ended()
    assert time.monotonic() - started < 3


def test_close_ends_the_child(child: Child, demo_f16: Path) -> None:
    child.load(demo_f16)
    child.send(Close())
    assert child.ended() == 0


def test_lines_that_are_no_commands_are_passed_over(child: Child, demo_f16: Path) -> None:
    assert child.process.stdin
    child.process.stdin.write(b'\n{"v":1,"type":"Dance"}\n\xff\xfe\n[1,2]\n{"v":1,"type":"Ask"}\n')
    child.load(demo_f16)
    refused = child.try_load(demo_f16)
    assert isinstance(refused, Failed) and not refused.fatal
    assert child.ask(chat("What is 23 + 45?")).text == "23 + 45 = 68."


def test_asking_before_loading_is_refused(child: Child, demo_f16: Path) -> None:
    failed = child.try_ask(chat("Hello"))
    assert isinstance(failed, Failed) and not failed.fatal
    assert isinstance(child.try_load(demo_f16, SMALL), Loaded)
    assert child.ask(chat("What is 23 + 45?", sampling=GREEDY)).text == "23 + 45 = 68."
