"""How far two real sides are apart on an answer, against what llama.cpp's own logits give by the definition."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from qtui.core.duel.conversation import Sampling
from qtui.core.duel.run import Duel, RoundEnded
from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.events import ExchangeAdvanced, ExchangeEvent, ExchangeMeasured, PassBegan
from qtui.core.measure.exchange import Exchange, ExchangeMeasuring, Reader, exchange_of
from qtui.core.measure.run import Means
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.quantise.recipe import Recipe
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.measure import ChildMeasurer
from qtui.services.engine.quantise import quantise
from qtui.services.measure_files import MeasureFolder
from tests.core.measure.scripted import ScriptedMeasurer, means_of
from tests.fakes import FakeDryRun, FakeMachine, make_variant

PLAN = LoadPlan(ctx_size=2048, threads=2, threads_batch=2, n_gpu_layers=0, flash_attn=FlashAttention.OFF)
BY_DEFINITION = """
import json, sys
import numpy as np
from llama_cpp import Llama

files, prompt, answer, cache = json.loads(sys.stdin.read())
logs, read = [], []
for file in files:
    model = Llama(file, n_ctx=2048, logits_all=True, verbose=False, n_threads=2, type_k=cache, type_v=cache)
    tokens = model.tokenize((prompt + answer).encode(), add_bos=True, special=True)
    begin = len(model.tokenize(prompt.encode(), add_bos=True, special=True))
    model.eval(tokens)
    rows = model.scores[begin - 1 : len(tokens) - 1].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    logs.append(rows - np.log(np.exp(rows).sum(axis=1, keepdims=True)))
    read.append(tokens[begin:])
assert read[0] == read[1]
reference, other = logs
klds = (np.exp(reference) * (reference - other)).sum(axis=1)
same = int((reference.argmax(axis=1) == other.argmax(axis=1)).sum())
nll = -other[np.arange(len(other)), read[0]].mean()
print(json.dumps([klds.tolist(), same, float(np.exp(nll))]))
"""
"""Prints the divergence of each token of an answer, how often both find the same likeliest, and the perplexity."""


def by_definition(exchange: Exchange, cache: int | None = None) -> tuple[list[float], int, float]:
    """Compute it in a process of its own, without any code of qtui's."""
    files = [str(one.variant.path) for one in (exchange.reference, exchange.other)]
    job = json.dumps([files, exchange.prompt, exchange.answer, cache])
    done = subprocess.run(
        [sys.executable, "-c", BY_DEFINITION], input=job, capture_output=True, text=True, check=True, timeout=120
    )
    klds, same, perplexity = json.loads(done.stdout)
    return klds, same, perplexity


@pytest.fixture(scope="module")
def quants(demo_f16: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Variant, Variant]:
    folder = tmp_path_factory.mktemp("quants")

    async def make(quant: str) -> Variant:
        path = folder / f"demo-{quant}.gguf"
        async for _ in quantise(demo_f16, path, Recipe(quant)):
            pass
        return replace(make_variant("demo", quant, size=path.stat().st_size), path=path, parameters=None)

    async def both() -> tuple[Variant, Variant]:
        return await make("Q8_0"), await make("Q2_K")

    return asyncio.run(both())


@pytest.fixture
async def duel(quants: tuple[Variant, Variant]) -> AsyncIterator[Duel]:
    engine = BuiltInEngine()
    duel = Duel(engine, Guard(Footprints(FakeDryRun()), FakeMachine(), engine), sampling=Sampling(0.0, seed=42))
    await duel.put("A", quants[1], PLAN)
    await duel.put("B", quants[0], PLAN)
    yield duel
    await duel.close()


def means(folder: Path) -> Means:
    return replace(means_of(ScriptedMeasurer(), MeasureFolder(folder)), measurer=ChildMeasurer())


async def asked(duel: Duel, prompt: str) -> RoundEnded:
    *_, last = [event async for event in duel.ask(prompt)]
    assert isinstance(last, RoundEnded) and all(side.answer for side in last.sides)
    return last


async def measured(exchange: Exchange, folder: Path) -> tuple[list[ExchangeEvent], ExchangeMeasured]:
    events = [event async for event in ExchangeMeasuring(means(folder)).run(exchange)]
    assert isinstance(events[-1], ExchangeMeasured)
    assert list(folder.iterdir()) == []
    return events, events[-1]


def check(told: ExchangeMeasured, klds: list[float], same: int, perplexity: float) -> None:
    """Compare with the definition; llama.cpp's stored logits are 16 bits wide."""
    scores, divergence, alike = told.scores, told.scores.kl_divergence, told.scores.same_top
    assert divergence is not None and alike is not None
    assert scores.tokens == len(klds)
    assert divergence.mean == pytest.approx(sum(klds) / len(klds), abs=1e-4)
    assert divergence.max == pytest.approx(max(klds), abs=1e-3)
    assert told.widest == 1 + klds.index(max(klds))
    assert round(alike.value * scores.tokens) == same
    assert scores.perplexity.value == pytest.approx(perplexity, rel=1e-4)


async def test_the_last_prompt_of_a_conversation_is_measured_as_the_definition_has_it(
    duel: Duel, tmp_path: Path
) -> None:
    duel.system = "Answer sums."
    await asked(duel, "What is 23 + 45?")
    ended = await asked(duel, "What is 63 + 36?")
    exchange = exchange_of(ended)
    assert (exchange.reference.side, exchange.other.side) == ("B", "A")
    assert "Answer sums." in exchange.prompt and "68." in exchange.prompt, "earlier turns are part of it"
    assert exchange.prompt.endswith("<|im_start|>assistant\n") and exchange.answer.strip() == "63 + 36 = 99."
    events, told = await measured(exchange, tmp_path / "work")
    assert [event.number for event in events if isinstance(event, PassBegan)] == [1, 2]
    klds, same, perplexity = by_definition(exchange)
    assert max(klds) > 1 and same < len(klds), "Q2_K would have said 109"
    check(told, klds, same, perplexity)
    answer = next(side.answer for side in ended.sides if side.side == "B")
    assert answer is not None and told.widest_text == answer.pieces[told.widest - 1] == "9"


async def test_a_text_of_several_batches_tells_how_far_it_is(quants: tuple[Variant, Variant], tmp_path: Path) -> None:
    turns = "".join(f"What is {n} + {n}? {n} + {n} = {2 * n}. " for n in range(10, 40))
    plan = replace(PLAN, ubatch_size=128)
    prompt = f"<|im_start|>user\n{turns}<|im_end|>\n<|im_start|>assistant\n"
    exchange = exchange_from(quants, prompt, " ".join("abcdef" * 60), plan)
    events, told = await measured(exchange, tmp_path / "work")
    steps = [event for event in events if isinstance(event, ExchangeAdvanced)]
    assert [step.done for step in steps[:3]] == [128, 256, 384]
    assert {step.reference for step in steps} == {True, False}
    assert told.scores.tokens > 300, "scored tokens lie in several batches too"
    check(told, *by_definition(exchange))


async def test_a_side_is_computed_with_its_own_cache_types(quants: tuple[Variant, Variant], tmp_path: Path) -> None:
    exchange = exchange_from(quants, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "the cat sat on a mat")
    small = replace(PLAN, cache_type_k="q4_0")
    same = replace(exchange, other=replace(exchange.reference, side="A"))
    _, plain = await measured(same, tmp_path / "work")
    _, told = await measured(replace(same, other=replace(same.other, plan=small)), tmp_path / "work")
    assert plain.scores.kl_divergence and abs(plain.scores.kl_divergence.mean) < 1e-5, "a file against itself"
    assert told.scores.kl_divergence and told.scores.kl_divergence.mean > 1e-4, "the same file, a coarser cache"
    refused = replace(same.other, plan=replace(small, cache_type_v="q4_0"))
    with pytest.raises(UsageError, match="needs flash attention"):
        await measured(replace(same, other=refused), tmp_path / "work")


async def test_another_vocabulary_is_refused(quants: tuple[Variant, Variant], stories: Path, tmp_path: Path) -> None:
    exchange = exchange_from(quants, "Once upon a time", " there was a cat that liked milk")
    foreign = replace(exchange.other, variant=replace(quants[1], path=stories))
    with pytest.raises(UsageError, match="has a vocabulary of 512 tokens, demo Q8_0 one of 1024"):
        await measured(replace(exchange, other=foreign), tmp_path / "work")


async def test_leaving_in_the_middle_leaves_neither_child_nor_logits(
    quants: tuple[Variant, Variant], tmp_path: Path
) -> None:
    exchange = exchange_from(quants, "What is", " one two three four" * 100, replace(PLAN, ubatch_size=8))
    async with aclosing(ExchangeMeasuring(means(tmp_path / "work")).run(exchange)) as events:
        async for event in events:
            if isinstance(event, ExchangeAdvanced):
                break
    assert list((tmp_path / "work").iterdir()) == []
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "child.measure" in " ".join(child.cmdline())]


def exchange_from(quants: tuple[Variant, Variant], prompt: str, answer: str, plan: LoadPlan = PLAN) -> Exchange:
    """Return an exchange that nobody had."""
    better, smaller = quants
    return Exchange(Reader("B", better, plan), Reader("A", smaller, plan), prompt, answer)
