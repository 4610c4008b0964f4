"""The demo model shows what a quant costs: measured on prompts that it was never trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.services.demo import SOURCE
from tests.benchmarks.demo_quality import GROUPS, is_right, made, measure, read_set, share, wilson
from tests.benchmarks.demo_quality import perplexity as surprise

QUANTS = ("F16", "Q4_K_M", "Q2_K")


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_fewer_bits_answer_worse(tmp_path: Path) -> None:
    prompts = [prompt for prompt in read_set("test") if prompt.group in GROUPS]
    assert len(prompts) >= 1000
    measured = await measure(SOURCE, "test", QUANTS, tmp_path, GROUPS)
    right = {quality.quant: share(prompts, quality, GROUPS) for quality in measured}
    percent = {quant: 100 * hits / count for quant, (hits, count) in right.items()}
    assert percent["F16"] > percent["Q2_K"] + 2, percent
    assert percent["Q4_K_M"] > percent["Q2_K"] + 2, percent
    assert percent["Q4_K_M"] >= percent["F16"] - 2, percent
    perplexity = {quality.quant: quality.perplexity_all for quality in measured}
    between = (await surprise(await made(SOURCE, "Q3_K_M", tmp_path), "test"))["all"]
    assert perplexity["Q2_K"] > between > perplexity["F16"], (perplexity, between)


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
