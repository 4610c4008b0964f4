"""Quantising in a child: the result, progress, and every way in which nothing may be left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import psutil
import pytest

from qtui.core.errors import BadFileError, EngineError, QtuiError, UsageError
from qtui.core.quantise.messages import (
    QUANTISE_REPLIES,
    Quantised,
    QuantiseEvent,
    QuantiseJob,
    QuantisePlanned,
    QuantiseProgressed,
)
from qtui.core.quantise.recipe import Recipe
from qtui.core.text import MIB
from qtui.core.wire import decode, encode
from qtui.services.engine.quantise import QUANTISER, quantise, refuse_same_file


async def made(source: Path, target: Path, kind: str) -> list[QuantiseEvent]:
    return [event async for event in quantise(source, target, Recipe(kind), overwrite=True)]


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def test_a_quant_is_made_with_progress(demo_f16: Path, tmp_path: Path) -> None:
    target = tmp_path / "demo-Q4_0.gguf"
    planned, *steps, last = await made(demo_f16, target, "Q4_0")
    assert isinstance(planned, QuantisePlanned) and isinstance(last, Quantised)
    progress = [step for step in steps if isinstance(step, QuantiseProgressed)]
    assert [step.done for step in progress] == list(range(progress[0].total))
    assert progress[0].total == 47
    assert "token_embd.weight" in {step.tensor for step in progress}
    assert last.size == target.stat().st_size
    assert planned.size == last.size
    assert last.files == (str(target),)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.stat().st_mode & 0o777 == 0o644


async def test_an_old_target_is_replaced_only_by_a_whole_one(demo_f16: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.gguf"
    target.write_bytes(b"old")
    with pytest.raises(UsageError, match="no type Q99"):
        await made(demo_f16, target, "Q99")
    assert target.read_bytes() == b"old"
    await made(demo_f16, target, "Q8_0")
    assert target.read_bytes()[:4] == b"GGUF"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("link", ["same path", "hard link", "symbolic link"])
async def test_the_source_is_never_the_target(demo_f16: Path, tmp_path: Path, link: str) -> None:
    source, target = tmp_path / "source.gguf", tmp_path / "target.gguf"
    content = demo_f16.read_bytes()
    source.write_bytes(content)
    if link == "same path":
        target = source
    elif link == "hard link":
        target.hardlink_to(source)
    else:
        target.symlink_to(source)
    with pytest.raises(UsageError, match="the file that would be read"):
        await made(source, target, "Q8_0")
    assert source.read_bytes() == content


def test_a_shard_of_the_source_is_not_the_target_either(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{n}-of-00002.gguf" for n in (1, 2))
    first.touch()
    second.touch()
    with pytest.raises(UsageError):
        refuse_same_file(first, second)
    refuse_same_file(first, tmp_path / "m-Q8_0.gguf")


async def test_cancelling_ends_the_child_and_leaves_nothing(demo_f16: Path, tmp_path: Path) -> None:
    before = children()
    events = quantise(demo_f16, tmp_path / "q.gguf", Recipe("Q2_K"))
    async for event in events:
        if isinstance(event, QuantiseProgressed):
            break
    assert len(children() - before) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    await events.aclose()
    assert children() == before
    assert list(tmp_path.iterdir()) == []


async def test_a_killed_child_is_an_error_with_nothing_left(demo_f16: Path, tmp_path: Path) -> None:
    before = children()

    async def kill_when_it_writes() -> None:
        async for event in quantise(demo_f16, tmp_path / "q.gguf", Recipe("Q2_K")):
            if isinstance(event, QuantisePlanned):
                (pid,) = children() - before
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(EngineError, match="the system killed the engine"):
        await kill_when_it_writes()
    assert list(tmp_path.iterdir()) == []


async def test_a_child_whose_parent_is_gone_removes_its_part_and_ends(demo_f16: Path, tmp_path: Path) -> None:
    part = tmp_path / "orphan.part"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", QUANTISER.module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(encode(QuantiseJob(str(demo_f16), str(part), Recipe("Q2_K"), threads=1)).encode())
    async for line in process.stdout:
        if isinstance(decode(line, QUANTISE_REPLIES), QuantiseProgressed):
            break
    assert part.exists()
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 5) == 130
    assert not part.exists()


@contextlib.contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let no process started here write a file beyond `limit` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_up_is_a_message(demo_f16: Path, tmp_path: Path) -> None:
    with small_files(MIB), pytest.raises(EngineError, match="disk is full"):
        await made(demo_f16, tmp_path / "q.gguf", "Q8_0")
    assert list(tmp_path.iterdir()) == []


def write_larger_than(path: Path, room: int) -> None:
    """Write a sparse model of one F32 tensor that takes more than `room` bytes as F16."""
    width, rows = 4096, room // (4096 * 2) + 4096
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(32)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tensor_info("token_embd.weight", [rows, width], np.dtype(np.float32), rows * width * 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    os.truncate(path, path.stat().st_size + rows * width * 4 + 4096)


async def test_a_result_that_cannot_fit_is_refused_before_it_is_written(tmp_path: Path) -> None:
    source, target = tmp_path / "huge.gguf", tmp_path / "q.gguf"
    write_larger_than(source, psutil.disk_usage(str(tmp_path)).free)
    steps = []
    with pytest.raises(EngineError, match=r"the result needs .* free"):
        async for event in quantise(source, target, Recipe("F16")):
            steps.append(event)
    assert [type(step) for step in steps] == [QuantisePlanned]
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"GGUF\x03\0\0\0"])
async def test_a_bad_source_is_a_message(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "bad.gguf"
    source.write_bytes(content)
    with pytest.raises(BadFileError, match=r"cannot quantise bad\.gguf"):
        await made(source, tmp_path / "q.gguf", "Q8_0")
    assert list(tmp_path.iterdir()) == [source]


async def test_a_missing_source_and_a_missing_folder_are_messages(demo_f16: Path, tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="cannot read"):
        await made(tmp_path / "none.gguf", tmp_path / "q.gguf", "Q8_0")
    with pytest.raises(QtuiError, match="cannot write"):
        await made(demo_f16, tmp_path / "no" / "folder" / "q.gguf", "Q8_0")


async def test_types_that_need_an_importance_matrix_are_refused(demo_f16: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs an importance matrix"):
        await made(demo_f16, tmp_path / "q.gguf", "IQ2_XXS")
    assert list(tmp_path.iterdir()) == []


async def test_a_quantised_source_is_refused(demo_f16: Path, tmp_path: Path) -> None:
    first = tmp_path / "first-Q8_0.gguf"
    await made(demo_f16, first, "Q8_0")
    with pytest.raises(UsageError, match="quantised already"):
        await made(first, tmp_path / "second.gguf", "Q4_0")
    assert list(tmp_path.iterdir()) == [first]
