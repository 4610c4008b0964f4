from __future__ import annotations

import os
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError
from qtui.core.library.variant import Variant
from qtui.core.memory.side_files import SideFile
from qtui.services.library.tables import LocalTables
from tests.builders.gguf import Scalar, Tensor, Typed, build, u32
from tests.conftest import write_ghost


def variant(path: Path, **more: object) -> Variant:
    return Variant(path, path.stem, "Q4_K_M", **more)  # type: ignore[arg-type]


async def test_a_table_is_read_once_while_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = write_ghost("qwen3-dense", tmp_path)
    tables = LocalTables()
    first = await tables.table(variant(path))
    assert first.hyper is not None and first.architecture == "qwen3" and first.rows
    assert await tables.table(variant(path)) is first
    os.utime(path, ns=(1, 1))
    again = await tables.table(variant(path))
    assert again is not first and again == first


async def test_shards_are_one_table_whose_rows_know_their_file(tmp_path: Path) -> None:
    metadata: dict[str, Typed | Scalar] = {
        "general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 8,
        "llama.attention.head_count": 1, "split.no": u32(0), "split.count": u32(2),
    }  # fmt: skip
    paths = (
        build(metadata, [Tensor("token_embd.weight", (8, 4))]).write(tmp_path / "m-00001-of-00002.gguf"),
        build({"split.no": u32(1)}, [Tensor("blk.0.attn_q.weight", (8, 8))]).write(tmp_path / "m-00002-of-00002.gguf"),
    )
    table = await LocalTables().table(variant(paths[0], shards=paths, shard_count=2))
    assert [(row.name, row.file) for row in table.rows] == [("token_embd.weight", 0), ("blk.0.attn_q.weight", 1)]
    assert table.file_sizes == tuple(path.stat().st_size for path in paths) and table.vocabulary == 4
    with pytest.raises(BadFileError, match="1 of 2 shards"):
        await LocalTables().table(variant(paths[0], shards=paths[:1], shard_count=2))


async def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="no such file"):
        await LocalTables().table(variant(tmp_path / "gone.gguf"))
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + b"\xff" * 60)
    with pytest.raises(BadFileError, match=r"damaged\.gguf: "):
        await LocalTables().table(variant(damaged))
    with pytest.raises(BadFileError):
        await LocalTables().side_file(str(damaged))


async def test_the_tensors_of_an_adapter_are_padded_and_added_up(tmp_path: Path) -> None:
    metadata: dict[str, Typed | Scalar] = {
        "general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora\x1b",
    }  # fmt: skip
    path = build(metadata, [Tensor("a", (9,)), Tensor("b", (16, 2))]).write(tmp_path / "a.gguf")
    told = await LocalTables().side_file(str(path))
    assert told == SideFile("a.gguf", 64 + 128, "adapter", "llama", "lora\N{REPLACEMENT CHARACTER}")


async def test_what_an_adapter_changes_is_told_and_norms_are_not_counted(tmp_path: Path) -> None:
    metadata: dict[str, Typed | Scalar] = {"general.type": "adapter"}
    tensors = [
        Tensor("blk.0.q.weight.lora_a", (64, 4)), Tensor("blk.0.q.weight.lora_b", (4, 96)),
        Tensor("blk.0.attn_norm.weight", (64,)), Tensor("blk.1.q.weight.lora_a", (64, 4)),
    ]  # fmt: skip
    told = await LocalTables().side_file(str(build(metadata, tensors).write(tmp_path / "a.gguf")))
    assert told.changes == (("blk.0.q.weight", 64, 96),)
    assert told.tensor_bytes == 4 * (64 * 4 + 4 * 96 + 64 * 4)
