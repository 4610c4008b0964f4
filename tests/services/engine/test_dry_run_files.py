"""The dry run of files that are bad, split or very large."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, PlanRefusedError
from qtui.core.gguf import types
from qtui.core.gguf.reader import ArrayRef, Header, TensorInfo, ValueType, read_array
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.library.source import FileSource, read_file_header
from tests.builders.gguf import Tensor, Typed, build, strings
from tests.services.engine.weighing import PLAN, variant, weights


async def test_unknown_architectures_vocabularies_and_bad_files(client: DryRunClient, tmp_path: Path) -> None:
    odd = build(
        {"general.architecture": "qtui9", "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": strings(["a"])},
        [Tensor("token_embd.weight", (32, 1))],
    ).write(tmp_path / "odd.gguf")
    with pytest.raises(PlanRefusedError, match="does not know the architecture qtui9"):
        await client.footprint(variant(odd), PLAN)
    incomplete = build(
        {"general.architecture": "llama", "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": strings(["a"])},
        [Tensor("token_embd.weight", (32, 1))],
    ).write(tmp_path / "incomplete.gguf")
    with pytest.raises(PlanRefusedError, match="metadata lack llama"):
        await client.footprint(variant(incomplete), PLAN)
    helper = client.helper_pid
    vocabulary = build({"general.architecture": "llama", "tokenizer.ggml.tokens": strings(["a"])})
    with pytest.raises(BadFileError, match=r"vocab\.gguf holds no weights"):
        await client.footprint(variant(vocabulary.write(tmp_path / "vocab.gguf")), PLAN)
    (tmp_path / "text.gguf").write_text("Not a model at all, but long enough.")
    for name, message in (("text.gguf", "not a GGUF file"), ("none.gguf", "No such file"), (".", "directory")):
        with pytest.raises(BadFileError, match=message):
            await client.footprint(variant(tmp_path / name), PLAN)
    with pytest.raises(BadFileError, match="1 of 3 shards"):
        await client.footprint(variant(odd, shards=(odd,), shard_count=3), PLAN)
    assert client.helper_pid == helper  # none of them reached it


async def test_a_truncated_file_is_refused_before_it_is_asked_about(
    client: DryRunClient, ghosts: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(ghosts["llama-dense"].read_bytes()[:-4096])
    with pytest.raises(BadFileError, match=r"short\.gguf: truncated"):
        await client.footprint(variant(path), PLAN)
    assert client.helper_pid is None


def values(source: FileSource, header: Header) -> Iterator[tuple[str, Typed]]:
    """Metadata as the builder takes them."""
    for key, value in header.metadata.items():
        if isinstance(value, ArrayRef):
            yield key, Typed(value.type, read_array(source, header, value))
        elif isinstance(value, str):
            yield key, Typed(ValueType.STRING, value)
        else:
            kind = {bool: ValueType.BOOL, int: ValueType.UINT32, float: ValueType.FLOAT32}[type(value)]
            kind = ValueType.INT32 if value < 0 and kind is ValueType.UINT32 else kind
            yield key, Typed(kind, value)


def split(path: Path, folder: Path) -> tuple[Path, ...]:
    """Write a model's header as three shards: metadata alone, and two halves of the tensors."""
    with FileSource(path) as source:
        header = read_file_header(path)
        pairs = list(values(source, header))
    half = len(header.tensors) // 2
    parts: list[tuple[TensorInfo, ...]] = [(), header.tensors[:half], header.tensors[half:]]
    paths = []
    for number, part in enumerate(parts):
        own: list[tuple[str, Typed]] = [
            ("split.no", Typed(ValueType.UINT16, number)),
            ("split.count", Typed(ValueType.UINT16, len(parts))),
            ("split.tensors.count", Typed(ValueType.INT32, len(header.tensors))),
        ]
        image = build(pairs + own if number == 0 else own, [Tensor(t.name, t.shape, t.type_id) for t in part])
        paths.append(image.write(folder / f"model-{number + 1:05d}-of-{len(parts):05d}.gguf"))
    return tuple(paths)


@pytest.mark.parametrize("name", ["lfm2-1.2b", "qwen3moe-moe"])
async def test_shards_weigh_as_the_whole_file_does(
    name: str, client: DryRunClient, ghosts: dict[str, Path], tmp_path: Path
) -> None:
    shards = split(ghosts[name], tmp_path)
    whole = await client.footprint(variant(ghosts[name]), PLAN)
    parts = await client.footprint(variant(shards[0], shards=shards, shard_count=3), PLAN)
    assert parts.devices == whole.devices
    assert parts.pools == whole.pools


async def test_a_file_of_400_gb_with_a_large_vocabulary_is_answered_soon(
    client: DryRunClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocabulary, rows, blocks = 262_144, 8192, 100
    metadata: dict[str, object] = {
        "general.architecture": "llama", "llama.block_count": blocks, "llama.embedding_length": rows,
        "llama.context_length": 131072, "llama.feed_forward_length": 4 * rows + 16_384,
        "llama.attention.head_count": 64, "llama.attention.head_count_kv": 8,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": strings([f"t{n}" for n in range(vocabulary)]),
        "tokenizer.ggml.merges": strings([f"t{n} t{n}" for n in range(vocabulary)]),
    }  # fmt: skip
    f16, wide = types.TYPE_IDS["F16"], 4 * rows + 16_384
    tensors = [Tensor("token_embd.weight", (rows, vocabulary), f16), Tensor("output.weight", (rows, vocabulary), f16)]
    tensors.append(Tensor("output_norm.weight", (rows,)))
    for block in range(blocks):
        shapes = {"attn_q": (rows, rows), "attn_k": (rows, 1024), "attn_v": (rows, 1024), "attn_output": (rows, rows),
                  "ffn_gate": (rows, wide), "ffn_up": (rows, wide), "ffn_down": (wide, rows)}  # fmt: skip
        tensors += [Tensor(f"blk.{block}.{part}.weight", shape, f16) for part, shape in shapes.items()]
        tensors += [Tensor(f"blk.{block}.{part}_norm.weight", (rows,)) for part in ("attn", "ffn")]
    image = build(metadata, tensors)  # type: ignore[arg-type]
    path = image.write(tmp_path / "huge.gguf")
    assert image.size > 270e9
    os.truncate(path, 400 * 10**9)
    times = []
    for ctx_size in (4096, 8192):
        started = time.perf_counter()
        footprint = await client.footprint(variant(path), replace(PLAN, ctx_size=ctx_size))
        times.append(time.perf_counter() - started)
        assert weights(footprint) > 270e9
    with capsys.disabled():
        print(
            f"\n400 GB, 262144 tokens of vocabulary: first answer {times[0]:.2f} s, next {times[1]:.3f} s", flush=True
        )
    assert times[0] < 15
    assert times[1] < times[0]
