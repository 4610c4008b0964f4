"""Gathering an importance matrix: with a dense model and one of experts, stopped and gone on with, refused."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from qtui.core.errors import BadFileError, EngineError, QtuiError, UsageError
from qtui.core.quantise.gathering import Gathered, GatherEvent, GatherJob, GatherProgressed, GatherStarted
from qtui.core.wire import decode, encode
from qtui.services.engine.child.matrix_file import read_matrix
from qtui.services.engine.gather import _locked, gather, kept_chunks, state_path
from tests.builders.moe import EXPERTS, write_moe
from tests.services.engine.making import CTX, TEXT, gathered


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model's first block with experts."""
    folder = tmp_path_factory.mktemp("moe")
    demo = Path(__file__).parents[3] / "qtui" / "data" / "demo" / "qtui-demo-F16.gguf"
    return write_moe(demo, folder / "moe.gguf", blocks=1)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def run(model: Path, text: Path, target: Path, chunks: int = 6) -> AsyncGenerator[GatherEvent]:
    return gather(model, text, target, ctx_size=CTX, chunks=chunks, save_every=2)


async def test_a_dense_model_sees_every_token_everywhere(demo_f16: Path, tmp_path: Path) -> None:
    path, told = await gathered(demo_f16, tmp_path, chunks=3)
    matrix = read_matrix(path)
    assert (told.chunks, told.tokens, told.experts, told.scarce) == (3, 3 * CTX, 0, ())
    assert len(matrix.entries) == told.entries == 35
    assert all(entry.counts.tolist() == [3 * CTX] for entry in matrix.entries.values())
    assert all((entry.sums > 0).any() for entry in matrix.entries.values())
    assert (matrix.datasets, matrix.chunk_count, matrix.chunk_size) == ((str(tmp_path / "text.txt"),), 3, CTX)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["matrix.gguf", "text.txt"]


async def test_tokens_go_to_the_experts_that_the_router_chose(moe: Path, tmp_path: Path) -> None:
    path, told = await gathered(moe, tmp_path, chunks=3)
    entries = read_matrix(path).entries
    ups = entries["blk.0.ffn_up_exps.weight"]
    assert ups.counts.size == EXPERTS and ups.counts.sum() == 3 * CTX * 2
    assert np.array_equal(ups.counts, entries["blk.0.ffn_down_exps.weight"].counts)
    assert told.experts == 3 * EXPERTS and told.experts_seen == 3 * int((ups.counts > 0).sum())


async def test_a_stopped_run_is_gone_on_with(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"
    events = run(demo_f16, text, target, chunks=24)
    async for event in events:
        if isinstance(event, GatherProgressed) and event.done == 5:
            break
    await events.aclose()
    assert not target.exists() and kept_chunks(target)
    first, *steps, last = [event async for event in run(demo_f16, text, target, chunks=24)]
    assert isinstance(first, GatherStarted) and 4 <= first.resumed < 24  # it computed on until it was told
    assert [step.done for step in steps if isinstance(step, GatherProgressed)] == list(range(first.resumed + 1, 25))
    assert isinstance(last, Gathered) and last.chunks == 24
    assert not state_path(target).exists()
    whole = tmp_path / "whole.gguf"
    _ = [event async for event in run(demo_f16, text, whole, chunks=24)]
    ours, theirs = read_matrix(target).entries, read_matrix(whole).entries
    for name, entry in ours.items():
        assert np.array_equal(entry.counts, theirs[name].counts)
        np.testing.assert_allclose(entry.sums, theirs[name].sums, rtol=1e-6)


async def test_a_stop_keeps_what_was_gathered_since_the_last_saving(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"

    def rare() -> AsyncGenerator[GatherEvent]:
        return gather(demo_f16, text, target, ctx_size=CTX, chunks=60, save_every=1000)

    events = rare()
    async for event in events:
        if isinstance(event, GatherProgressed) and event.done == 3:
            break
    await events.aclose()
    kept = read_matrix(state_path(target))
    assert 3 <= kept.chunk_count < 60
    counts = {int(entry.counts[0]) for entry in kept.entries.values()}
    assert counts == {kept.chunk_count * CTX}  # whole chunks and no part of one
    first = await anext(more := rare())
    await more.aclose()
    assert isinstance(first, GatherStarted) and first.resumed == kept.chunk_count


async def test_fewer_chunks_than_were_gathered_lose_nothing(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"
    events = run(demo_f16, text, target, chunks=60)
    async for event in events:
        if isinstance(event, GatherProgressed) and event.done == 4:
            break
    await events.aclose()
    first, last = [event async for event in run(demo_f16, text, target, chunks=2)]
    assert isinstance(first, GatherStarted) and first.resumed >= 4 and "more than are asked for" in first.note
    assert isinstance(last, Gathered) and last.chunks == first.resumed == read_matrix(target).chunk_count


async def test_a_finished_matrix_of_the_same_is_taken_again(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"

    async def again(chunks: int = 2, *, overwrite: bool = False) -> list[GatherEvent]:
        job = gather(demo_f16, text, target, ctx_size=CTX, chunks=chunks, reuse=True, overwrite=overwrite)
        return [event async for event in job]

    *_, made = await again()
    written = target.stat().st_mtime_ns
    for overwrite in (False, True):
        first, last = await again(overwrite=overwrite)
        assert isinstance(first, GatherStarted) and first.resumed == 2 and "not gathered anew" in first.note
        assert isinstance(made, Gathered) and last == replace(made, elapsed=0.0)
        assert target.stat().st_mtime_ns == written
    with pytest.raises(UsageError, match="is not known to be of this model, text and context") as refused:
        await again(chunks=3)
    assert "--imatrix FILE" in refused.value.hint
    *_, last = await again(chunks=3, overwrite=True)
    assert isinstance(last, Gathered) and last.chunks == 3
    text.write_text(TEXT + " And more.")
    with pytest.raises(UsageError, match="there already"):
        await again(chunks=3)
    with pytest.raises(UsageError, match=r"is there already$"):
        _ = [event async for event in run(demo_f16, text, target, chunks=3)]


async def test_what_another_text_left_is_not_gone_on_with(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"
    events = run(demo_f16, text, target)
    async for event in events:
        if isinstance(event, GatherProgressed) and event.done == 3:
            break
    await events.aclose()
    text.write_text(TEXT + " And more.")
    first, *_ = [event async for event in run(demo_f16, text, target, chunks=2)]
    assert isinstance(first, GatherStarted) and first.resumed == 0 and "begins anew" in first.note


async def test_a_killed_child_is_an_error_and_what_was_kept_stays(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children()}

    async def kill_it() -> None:
        async for event in run(demo_f16, text, tmp_path / "m.gguf"):
            if isinstance(event, GatherProgressed) and event.done == 3:
                (pid,) = {child.pid for child in psutil.Process().children()} - before
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(EngineError, match="killed the engine"):
        await kill_it()
    assert kept_chunks(tmp_path / "m.gguf")


async def test_a_text_too_short_says_how_much_is_missing(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    text.write_text("Too short.")
    with pytest.raises(UsageError, match=rf"at least {2 * CTX} are needed, \d+ more"):
        _ = [event async for event in run(demo_f16, text, tmp_path / "m.gguf")]
    assert [one.name for one in tmp_path.iterdir()] == ["text.txt"]


async def test_what_cannot_be_read_or_written_is_a_message(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    for model, what, target, why in (
        (tmp_path / "none.gguf", text, tmp_path / "m.gguf", "cannot read"),
        (demo_f16, tmp_path / "none.txt", tmp_path / "m.gguf", "cannot read"),
        (text, text, tmp_path / "m.gguf", "is not a GGUF file"),
        (demo_f16, text, text, "the file that would be read"),
        (demo_f16, text, tmp_path, "is a folder"),
    ):
        with pytest.raises((BadFileError, UsageError), match=why):
            _ = [event async for event in run(model, what, target)]
    assert [one.name for one in tmp_path.iterdir()] == ["text.txt"]


async def test_two_do_not_gather_the_same(demo_f16: Path, text: Path, tmp_path: Path) -> None:
    lock = tmp_path / ".m.gguf.imatrix.lock.part"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(QtuiError, match="being gathered by another qtui"):
            _ = [event async for event in run(demo_f16, text, tmp_path / "m.gguf")]
        assert lock.exists()  # a third would take a lock of its own, and gather beside the first
        with pytest.raises(QtuiError, match="being gathered by another qtui"):
            _ = [event async for event in run(demo_f16, text, tmp_path / "m.gguf")]


def test_a_lock_that_its_holder_removed_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    state, lock = tmp_path / ".m.gguf.imatrix.part", tmp_path / ".m.gguf.imatrix.lock.part"
    plain = fcntl.flock
    calls: list[int] = []

    def slow(descriptor: int, how: int) -> None:
        if not calls:
            lock.unlink()  # the holder is done between our opening it and our locking it
        calls.append(descriptor)
        plain(descriptor, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", slow)
        with _locked(state):
            assert len(calls) == 2
            with lock.open("w") as other, pytest.raises(BlockingIOError):
                plain(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list(tmp_path.iterdir()) == []


ON_A_CARD = """
import os
from qtui.services.engine.child import ggml_tensor, imatrix
made = ggml_tensor.Tensors.__init__
def without_host(self, native):
    made(self, native)
    self._is_host = lambda buffer: False
ggml_tensor.Tensors.__init__ = without_host
os._exit(imatrix.main())
"""


async def test_what_lies_on_a_card_is_copied(moe: Path, text: Path, tmp_path: Path) -> None:
    """Without a card: all that is read goes the way that a card's memory goes."""
    path, _ = await gathered(moe, tmp_path, chunks=2)
    job = GatherJob(str(moe), str(text), str(tmp_path / "copied.gguf"), ctx_size=CTX, chunks=2)
    child = subprocess.Popen(
        [sys.executable, "-c", ON_A_CARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(encode(job))
    child.stdin.flush()
    *_, last = child.stdout
    child.stdin.close()
    child.stdout.close()
    assert isinstance(decode(last, (Gathered,)), Gathered) and child.wait() == 0
    ours, theirs = read_matrix(tmp_path / "copied.gguf").entries, read_matrix(path).entries
    assert ours.keys() == theirs.keys()
    for name, entry in ours.items():
        assert np.array_equal(entry.counts, theirs[name].counts)
        np.testing.assert_allclose(entry.sums, theirs[name].sums, rtol=1e-6)
