from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.errors import BadFileError
from qtui.core.gguf.ghost import Ghost, make_ghost, vocabulary_size
from qtui.core.gguf.reader import ArrayRef, Header, ValueType, read_array, read_header
from qtui.core.gguf.source import ByteSource
from qtui.services.library.source import FileSource
from tests.builders.gguf import MemorySource, Tensor, array, build, strings, tiny_model, u32
from tests.conftest import HEADER_NAMES


def ghost_source(ghost: Ghost) -> MemorySource:
    return MemorySource(ghost.content, virtual_size=ghost.size)


def check_same(header: Header, source: ByteSource, ghost: Ghost) -> Header:
    """Check everything that must survive, and return the ghost's header."""
    copy = ghost_source(ghost)
    found = read_header(copy)
    assert found.tensors == header.tensors
    assert (found.version, found.big_endian, found.alignment) == (header.version, header.big_endian, header.alignment)
    assert found.file_size - found.data_offset == header.file_size - header.data_offset
    left = set(header.metadata) - set(found.metadata)
    assert all(key.startswith("tokenizer.") and isinstance(header.metadata[key], ArrayRef) for key in left)
    for key, value in found.metadata.items():
        original = header.metadata.get(key)
        if isinstance(value, ArrayRef) and isinstance(original, ArrayRef):
            assert read_array(copy, found, value) == read_array(source, header, original), key
        elif key != "tokenizer.ggml.model" and not key.endswith(".vocab_size"):
            assert value == original, key
    return found


@pytest.mark.parametrize("name", HEADER_NAMES)
def test_a_ghost_keeps_all_but_the_vocabulary(name: str, ghosts: dict[str, Path]) -> None:
    with FileSource(ghosts[name]) as source:
        header = read_header(source)
        found = check_same(header, source, make_ghost(header, source))
    embedding = next(tensor for tensor in header.tensors if tensor.name == "token_embd.weight")
    assert found.metadata["tokenizer.ggml.model"] == "none"
    assert found.metadata[f"{header.metadata['general.architecture']}.vocab_size"] == embedding.shape[1]


@pytest.mark.parametrize(("version", "big_endian", "alignment"), [(2, False, None), (3, True, None), (3, False, 128)])
def test_every_layout_is_kept(version: int, big_endian: bool, alignment: int | None) -> None:
    image = build(
        {
            "general.architecture": "llama",
            "llama.vocab_size": 7,
            "llama.attention.head_count_kv": array(ValueType.INT32, [1, 2]),
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.tokens": strings(["x"] * 5000),
            "tokenizer.ggml.scores": array(ValueType.FLOAT32, [0.5] * 5000),
            "tokenizer.ggml.bos_token_id": 1,
            "tokenizer.chat_template": "{{ messages }}",
        },
        [Tensor("token_embd.weight", (32, 5000)), Tensor("output_norm.weight", (32,))],
        version=version,
        big_endian=big_endian,
        alignment=alignment,
    )
    header = read_header(image.source())
    ghost = make_ghost(header, image.source())
    found = check_same(header, image.source(), ghost)
    assert found.metadata["llama.vocab_size"] == 5000
    assert found.metadata["tokenizer.ggml.bos_token_id"] == 1
    assert len(ghost.content) < 700
    assert len(image.header) > 60_000


def test_values_of_every_type_are_copied() -> None:
    image = tiny_model()
    header = read_header(image.source())
    found = check_same(header, image.source(), make_ghost(header, image.source()))
    assert "tokenizer.ggml.tokens" not in found.metadata


def test_without_a_tokenizer_the_header_is_copied_whole() -> None:
    image = build({"split.no": 1}, [Tensor("blk.0.attn_q.weight", (32, 4))])
    ghost = make_ghost(read_header(image.source()), image.source())
    assert image.header.startswith(ghost.content) and ghost.size == image.size


def test_the_vocabulary_counts_by_the_embedding_then_by_the_tokens() -> None:
    tokens = {"tokenizer.ggml.tokens": strings(["a", "b", "c"])}
    assert vocabulary_size(read_header(build(tokens, [Tensor("token_embd.weight", (32, 5))]).source())) == 5
    assert vocabulary_size(read_header(build(tokens, [Tensor("blk.0.a", (32, 5))]).source())) == 3
    assert vocabulary_size(read_header(build({}, [Tensor("blk.0.a", (32, 5))]).source())) is None


def test_a_file_that_changes_meanwhile_is_an_error() -> None:
    image = build({"general.architecture": "llama", "tokenizer.ggml.model": "llama", "a.b": u32(5)})
    header = read_header(image.source())
    for position in range(24, len(image.header), 3):
        changed = bytearray(image.header)
        changed[position] ^= 0xFF
        try:
            make_ghost(header, MemorySource(bytes(changed)))
        except BadFileError as error:
            assert "at byte" in error.message
    with pytest.raises(BadFileError, match="truncated"):
        make_ghost(header, MemorySource(image.header[:40]))
