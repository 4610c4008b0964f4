"""The demo model shows what a quant costs: measured on prompts that it was never trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.services.demo import SOURCE
from tests.benchmarks.demo_quality import GROUPS, is_right, made, read_set, wilson, words_of_set, work_through

ASKED = ("F16", "Q4_K_M", "Q2_K")
SURPRISED = ("F16", "Q3_K_M", "Q2_K")


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_fewer_bits_answer_worse(tmp_path: Path) -> None:
    prompts = [prompt for prompt in read_set("test") if prompt.group in GROUPS]
    assert len(prompts) >= 1000
    paths = {quant: await made(SOURCE, quant, tmp_path) for quant in {*ASKED, *SURPRISED}}
    texts, surprises = await work_through(
        [paths[quant] for quant in ASKED], [paths[quant] for quant in SURPRISED], prompts, "test", tmp_path
    )
    known = words_of_set(read_set("test"))
    right = [sum(is_right(prompt, text, known) for prompt, text in zip(prompts, said, strict=True)) for said in texts]
    percent = {quant: 100 * count / len(prompts) for quant, count in zip(ASKED, right, strict=True)}
    assert percent["F16"] > percent["Q2_K"] + 2, percent
    assert percent["Q4_K_M"] > percent["Q2_K"] + 2, percent
    assert percent["Q4_K_M"] >= percent["F16"] - 2, percent
    perplexity = {quant: surprise["all"] for quant, surprise in zip(SURPRISED, surprises, strict=True)}
    assert perplexity["Q2_K"] > perplexity["Q3_K_M"] > perplexity["F16"], perplexity


def test_facts_of_the_test_set_are_not_those_of_the_dev_set() -> None:
    dev, test = ({prompt.prompt for prompt in read_set(name)} for name in ("dev", "test"))
    closed = {prompt.prompt for prompt in read_set("test") if prompt.group == "world"}
    assert not (dev & test) - closed  # what it knows by heart is asked for in both


def test_a_story_is_right_by_its_form() -> None:
    prompts = read_set("test")
    known = {word for prompt in prompts for word in f"{prompt.prompt} {prompt.answer}".replace(".", " ").split()}
    known = {word.strip(",?!:\"'") for word in known}
    story = next(prompt for prompt in prompts if prompt.group == "story")
    assert is_right(story, story.answer, known)
    assert not is_right(story, story.answer.rpartition(". ")[0] + ".", known)
    assert not is_right(story, story.answer.replace(story.name, "Nobody"), known)
    assert not is_right(story, story.answer.replace(" the ", " teh "), known)
    number = next(prompt for prompt in prompts if prompt.group == "arithmetic")
    assert is_right(number, number.answer, set()) and not is_right(number, number.answer + " ", set())


def test_intervals() -> None:
    low, high = wilson(40, 80)
    assert (round(low, 1), round(high, 1)) == (39.3, 60.7)
    assert wilson(0, 10)[0] == pytest.approx(0) and wilson(10, 10)[1] == pytest.approx(100)
