"""The measuring child on real models: what it computes, refuses and leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
from array import array
from pathlib import Path

import psutil
import pytest

from qtui.core.errors import BadFileError, EngineError, QtuiError, UsageError
from qtui.core.measure.base_file import BaseHead
from qtui.core.measure.messages import ChunkMeasured, MeasureEvent, MeasureJob, Task, TextTokenised
from qtui.core.measure.scores import ChunkScores, scores_of
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.recipe import Recipe
from qtui.services.engine.measure import ChildMeasurer
from qtui.services.engine.quantise import quantise
from qtui.services.measure_files import look
from qtui.services.texts import SHIPPED
from tests.conftest import write_ghost

TEXT = str(SHIPPED / "demo.txt")
PLAN = LoadPlan(ctx_size=256, batch_size=256, ubatch_size=256, threads=2, threads_batch=2).as_json()


async def events_of(job: MeasureJob) -> list[MeasureEvent]:
    return [event async for event in ChildMeasurer().run(job)]


def chunks_of(events: list[MeasureEvent]) -> list[ChunkScores]:
    return [event.scores for event in events if isinstance(event, ChunkMeasured)]


def reference_job(model: Path, base: Path, chunks: int = 3, done: int = 0) -> MeasureJob:
    return MeasureJob(Task.REFERENCE, str(model), TEXT, 256, chunks, PLAN, str(base), done)


def compare_job(model: Path, base: Path, done: int = 0, last: int = 0) -> MeasureJob:
    return MeasureJob(Task.COMPARE, str(model), n_ctx=256, plan=PLAN, base=str(base), done=done, last=last)


@pytest.fixture(scope="module")
def q2(demo_f16: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("quants") / "demo-Q2_K.gguf"

    async def make() -> None:
        async for _ in quantise(demo_f16, target, Recipe("Q2_K")):
            pass

    asyncio.run(make())
    return target


async def test_the_tokens_of_a_text_are_counted_without_the_weights(demo_f16: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Once upon a time<|im_end|>\n\n")
    job = MeasureJob(Task.TOKENS, str(write_ghost("llama-dense", tmp_path)), str(text), 8)
    (ghost,) = await events_of(job)  # a sparse file of zeros but for its head
    assert isinstance(ghost, TextTokenised) and ghost.vocabulary > 8
    (told,) = await events_of(MeasureJob(Task.TOKENS, str(demo_f16), TEXT, 512, 4))
    assert isinstance(told, TextTokenised)
    assert (told.vocabulary, told.chunks, told.unmeasurable) == (1024, 4, "") and told.tokens > 14_000
    (short,) = await events_of(MeasureJob(Task.TOKENS, str(demo_f16), str(text), 64))
    assert isinstance(short, TextTokenised) and short.chunks == 0 and 10 < short.tokens < 30
    with pytest.raises(BadFileError, match="No such file"):
        await events_of(MeasureJob(Task.TOKENS, str(demo_f16), str(tmp_path / "none.txt")))


async def test_a_model_is_no_further_from_itself_than_the_codes_are_coarse(demo_f16: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.kld"
    own = scores_of(chunks_of(await events_of(reference_job(demo_f16, base))))
    told = scores_of(chunks_of(await events_of(compare_job(demo_f16, base))))
    assert own and told and told.kl_divergence and told.same_top and told.log_ratio
    assert told.tokens == 3 * 127
    assert 0 <= told.kl_divergence.mean < 1e-5 and told.kl_divergence.max < 1e-4
    assert told.same_top.value > 0.99
    assert own.perplexity.value == pytest.approx(told.perplexity.value, rel=1e-6)
    assert 1 < own.perplexity.value < 20  # it knows its own kinds of sentence
    head = look(base).head
    assert (head.n_ctx, head.n_vocab, head.n_chunk) == (256, 1024, 3)
    assert base.stat().st_size == head.length + 3 * head.chunk_bytes


async def test_a_coarser_quant_is_further_away(demo_f16: Path, q2: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.kld"
    await events_of(reference_job(demo_f16, base))
    chunks = chunks_of(await events_of(compare_job(q2, base)))
    told = scores_of(chunks)
    assert told and told.kl_divergence and told.same_top and 0.05 < told.kl_divergence.mean < 0.5
    assert told.same_top.value < 0.9
    assert all(chunk.peak and chunk.peak > 10 << 20 and chunk.seconds > 0 for chunk in chunks)
    later = chunks_of(await events_of(compare_job(q2, base, done=1, last=2)))
    assert [(one.kld, one.nll) for one in later] == [(chunks[1].kld, chunks[1].nll)]


async def test_a_chunk_in_several_batches_is_the_same(demo_f16: Path, q2: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.kld", tmp_path / "parts.kld"
    small = {**PLAN, "batch_size": 96, "ubatch_size": 32}
    one = scores_of(chunks_of(await events_of(reference_job(demo_f16, whole, 2))))
    job = MeasureJob(Task.REFERENCE, str(demo_f16), TEXT, 256, 2, small, str(parts))
    other = scores_of(chunks_of(await events_of(job)))
    assert one and other and one.perplexity.value == pytest.approx(other.perplexity.value, rel=1e-3)
    compared = MeasureJob(Task.COMPARE, str(q2), n_ctx=256, plan=small, base=str(whole))
    told = scores_of(chunks_of(await events_of(compared)))
    again = scores_of(chunks_of(await events_of(compare_job(q2, whole))))
    assert told and again and told.kl_divergence and again.kl_divergence
    assert told.kl_divergence.mean == pytest.approx(again.kl_divergence.mean, abs=5e-3)


async def test_a_reference_goes_on_behind_its_last_whole_chunk(demo_f16: Path, tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight.kld", tmp_path / "broken.kld"
    whole = chunks_of(await events_of(reference_job(demo_f16, straight)))
    taken: list[ChunkScores] = []
    async with contextlib.aclosing(ChildMeasurer().run(reference_job(demo_f16, broken))) as events:
        async for event in events:
            if isinstance(event, ChunkMeasured):
                taken.append(event.scores)
                break  # the child is killed
    await asyncio.sleep(0)
    assert not [child for child in psutil.Process().children() if "child.measure" in " ".join(child.cmdline())]
    with broken.open("ab") as stream:
        stream.write(b"half a chunk")
    taken += chunks_of(await events_of(reference_job(demo_f16, broken, done=1)))
    assert [one.nll for one in taken] == [one.nll for one in whole]
    assert broken.read_bytes() == straight.read_bytes()


async def test_what_does_not_belong_together_is_refused(demo_f16: Path, tmp_path: Path) -> None:
    base = tmp_path / "other.kld"
    head = BaseHead(256, 500, 2, array("i", [1]) * 512)
    base.write_bytes(head.pack() + bytes(2 * head.chunk_bytes))
    with pytest.raises(UsageError, match=r"vocabulary of 500 tokens, this model's has 1024"):
        await events_of(compare_job(demo_f16, base))
    os.truncate(base, head.length + head.chunk_bytes + 7)
    with pytest.raises(BadFileError, match="1 of 2 chunks"):
        await events_of(compare_job(demo_f16, base))
    base.write_bytes(b"GGUF")
    with pytest.raises(BadFileError, match="no file of logits"):
        await events_of(compare_job(demo_f16, base))
    with pytest.raises(BadFileError, match="cannot open"):
        await events_of(compare_job(demo_f16, tmp_path / "none.kld"))
    broken = BaseHead(256, 1024, 1, array("i", [1]) * 256)
    base.write_bytes(broken.pack() + b"\xff" * broken.chunk_bytes)  # floats that are no numbers
    with pytest.raises(EngineError, match="cannot be compared"):
        await events_of(compare_job(demo_f16, base))
    with pytest.raises(QtuiError):
        await events_of(reference_job(tmp_path / "none.gguf", base))
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(BadFileError):
        await events_of(MeasureJob(Task.TOKENS, str(tmp_path / "text.gguf"), TEXT))


async def test_a_model_that_computes_no_numbers_is_told(tmp_path: Path) -> None:
    ghost = write_ghost("llama-dense", tmp_path)  # all weights zero: the last norm divides by zero
    with pytest.raises(EngineError, match="no numbers"):
        await events_of(reference_job(ghost, tmp_path / "base.kld", 1))


async def test_a_job_that_is_none_ends_the_child() -> None:
    with pytest.raises(EngineError, match="no job"):
        async for _ in ChildMeasurer().run(LoadPlan()):  # type: ignore[arg-type]
            pass
