from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import pytest

from qtui.core.errors import BadFileError
from qtui.core.gguf import reader
from qtui.core.gguf.cursor import MAX_HEADER, MAX_READ
from qtui.core.gguf.reader import ArrayRef, ValueType, read_array, read_header
from tests.builders.gguf import Image, MemorySource, Tensor, Typed, array, build, strings, tiny_model

TINY = tiny_model()


def patched(image: Image, mark: str, code: str, value: float, skip: int = 0) -> bytes:
    """Return the file with one number overwritten."""
    content = bytearray(image.bytes())
    struct.pack_into(f"<{code}", content, image.marks[mark] + skip, value)
    return bytes(content)


def refused(content: bytes, *words: str, at: int | None = None) -> str:
    with pytest.raises(BadFileError) as caught:
        read_header(MemorySource(content))
    message = caught.value.message
    assert caught.value.hint
    for word in words:
        assert word in message
    if at is not None:
        assert f"at byte {at}" in message
    return message


def test_everything_in_a_small_file_is_read() -> None:
    header = read_header(TINY.source())
    assert (header.version, header.big_endian, header.alignment) == (3, False, 32)
    assert header.kv_end == TINY.marks["kv_end"]
    assert header.table_end == TINY.marks["table_end"]
    assert header.data_offset == len(TINY.header)
    assert header.file_size == header.needed_size == TINY.size
    assert header.missing_bytes == 0
    assert header.metadata["general.name"] == "Tiny"
    assert header.metadata["test.float64"] == 1.5
    assert header.metadata["test.bool"] is True
    assert header.metadata["test.int8"] == 1
    tokens = header.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, ArrayRef)
    assert (tokens.type, tokens.count, str(tokens)) == (ValueType.STRING, 6, "[string × 6]")
    assert [(t.name, t.shape, t.type_name, t.offset, t.size_bytes, t.elements) for t in header.tensors] == [
        ("token_embd.weight", (32, 6), "F16", 0, 384, 192),
        ("blk.0.attn_q.weight", (32, 4), "Q8_0", 384, 136, 128),
        ("output_norm.weight", (32,), "F32", 544, 128, 32),
    ]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("big_endian", [False, True])
def test_versions_and_byte_orders(version: int, big_endian: bool) -> None:
    image = build(
        {"a": 7, "b": strings(["x", "yy" * 100] * 300), "c": array(ValueType.INT16, [-2, 3]), "d": -1},
        [Tensor("t", (64,), 0)],
        version=version,
        big_endian=big_endian,
        alignment=64,
    )
    source = image.source()
    header = read_header(source)
    assert (header.version, header.big_endian, header.alignment) == (version, big_endian, 64)
    assert header.metadata["a"] == 7
    assert header.metadata["d"] == -1
    assert header.tensors[0].size_bytes == 256
    texts, numbers = header.metadata["b"], header.metadata["c"]
    assert isinstance(texts, ArrayRef)
    assert isinstance(numbers, ArrayRef)
    assert read_array(source, header, texts) == ["x", "yy" * 100] * 300
    assert read_array(source, header, texts, limit=1) == ["x"]
    assert read_array(source, header, numbers) == [-2, 3]


def test_every_type_of_array_is_read_on_demand() -> None:
    source = TINY.source()
    header = read_header(source)
    for kind in ValueType:
        if kind in (ValueType.STRING, ValueType.ARRAY):
            continue
        ref = header.metadata[f"test.array_of_{kind.name.lower()}"]
        assert isinstance(ref, ArrayRef)
        one: float = 1.5 if kind in (ValueType.FLOAT32, ValueType.FLOAT64) else 1
        assert read_array(source, header, ref) == [one, 0, one]


def test_a_file_cut_at_any_byte_is_refused() -> None:
    for length in range(TINY.size):
        content = TINY.bytes()[:length]
        with pytest.raises(BadFileError) as caught:
            read_header(MemorySource(content))
        if length >= len(TINY.header):
            assert f"{TINY.size - length} bytes are missing" in caught.value.message
            header = read_header(MemorySource(content), check_data=False)
            assert header.missing_bytes == TINY.size - length
        elif length > 4:
            assert "truncated" in caught.value.message or "can hold" in caught.value.message


def test_what_is_not_gguf_is_refused() -> None:
    refused(b"", "empty")
    refused(b"GG", "not a GGUF file", at=0)
    refused(b"\x7fELF" + bytes(100), "not a GGUF file", at=0)
    refused(b"GGUF" + struct.pack("<I", 1) + bytes(16), "version 1", at=4)
    refused(b"GGUF" + struct.pack("<I", 4) + bytes(16), "version 4", at=4)
    refused(b"GGUF" + struct.pack("<I", 0) + bytes(16), "version 0", at=4)
    refused(b"GGUF" + struct.pack("<I", 0x10000) + bytes(16), "version 256", at=4)


@pytest.mark.parametrize("count", [1 << 20, 1 << 32, 1 << 62, (1 << 64) - 1, 5_000])
@pytest.mark.parametrize(("mark", "word"), [("n_tensors", "tensors"), ("n_kv", "metadata keys")])
def test_hostile_counts_are_refused_before_anything_is_read(mark: str, word: str, count: int) -> None:
    refused(patched(TINY, mark, "Q", count), f"{count} {word} are claimed", at=TINY.marks[mark])


@pytest.mark.parametrize("length", [1 << 16, 1 << 24, (1 << 24) + 1, 1 << 40, (1 << 64) - 1])
@pytest.mark.parametrize("mark", ["key:general.name", "value:general.name", "tensor:token_embd.weight"])
def test_hostile_lengths_are_refused(mark: str, length: int) -> None:
    assert "at byte" in refused(patched(TINY, mark, "Q", length))


@pytest.mark.parametrize("count", [400, 1 << 20, 1 << 40, 1 << 61, (1 << 64) - 1])
@pytest.mark.parametrize("key", ["tokenizer.ggml.tokens", "test.array_of_uint8", "test.array_of_float64"])
def test_hostile_array_counts_are_refused(key: str, count: int) -> None:
    source = MemorySource(patched(TINY, f"count:{key}", "Q", 10 * count if count == 400 else count))
    with pytest.raises(BadFileError, match="at byte"):
        read_header(source)
    assert sum(length for _, length in source.requests) <= TINY.size


def test_a_string_in_an_array_may_not_leave_the_file() -> None:
    image = build({"tokens": strings(["a"] * 1000 + ["b"] + ["c"] * 1000)})
    content = image.bytes().replace(struct.pack("<Q", 1) + b"b", struct.pack("<Q", 1 << 50) + b"b")
    refused(content, "truncated: a string in tokens", at=image.marks["count:tokens"] + 8 + 9 * 1000 + 8)


def test_hostile_types_are_refused() -> None:
    refused(patched(TINY, "type:general.name", "I", 13), "unknown value type 13", at=TINY.marks["type:general.name"])
    at = TINY.marks["value:tokenizer.ggml.tokens"]
    refused(patched(TINY, "value:tokenizer.ggml.tokens", "I", 9), "array of arrays", at=at)
    refused(patched(TINY, "value:tokenizer.ggml.tokens", "I", 77), "unknown value type 77", at=at)


def test_keys_and_tensors_may_not_stand_there_twice() -> None:
    refused(build([("a", 1), ("a", 2)]).bytes(), "key a stands there twice")
    refused(build([("", 1)]).bytes(), "key 0 is empty")
    refused(build({}, [Tensor("t", (4,)), Tensor("t", (4,))]).bytes(), "tensor t stands there twice")


@pytest.mark.parametrize("alignment", [Typed(ValueType.UINT32, 0), Typed(ValueType.UINT32, 48),
                                       Typed(ValueType.UINT64, 32), Typed(ValueType.STRING, "32"),
                                       Typed(ValueType.INT32, -32), Typed(ValueType.BOOL, True)])  # fmt: skip
def test_an_alignment_that_is_no_power_of_two_is_refused(alignment: Typed) -> None:
    image = build({"general.alignment": alignment}, [Tensor("t", (4,))])
    refused(image.bytes(), "general.alignment is not a power of two", at=image.marks["type:general.alignment"])


def test_hostile_shapes_are_refused() -> None:
    at = TINY.marks["dims:output_norm.weight"]
    refused(patched(TINY, "dims:output_norm.weight", "I", 5), "5 dimensions", at=at)
    at = TINY.marks["dims:token_embd.weight"]
    refused(patched(TINY, "shape:token_embd.weight", "Q", 1 << 62), "larger than any file", at=at)
    refused(patched(TINY, "shape:token_embd.weight", "Q", 1 << 63, 8), "larger than any file", at=at)
    at = TINY.marks["dims:blk.0.attn_q.weight"]
    refused(patched(TINY, "shape:blk.0.attn_q.weight", "Q", 33), "no whole number of Q8_0 blocks", at=at)
    # A zero may not hide the overflow of the other extents.
    refused(build({}, [Tensor("z", (1 << 40, 1 << 40, 0))]).bytes(), "larger than any file")


def test_tensors_outside_the_file_are_refused() -> None:
    far = 1 << 40
    message = refused(patched(TINY, "offset:output_norm.weight", "Q", far), "lies outside the file")
    assert str(len(TINY.header) + far + 128) in message
    with pytest.raises(BadFileError, match="outside the file"):
        read_header(MemorySource(patched(TINY, "offset:output_norm.weight", "Q", far)), check_data=False)
    refused(patched(TINY, "offset:output_norm.weight", "Q", (1 << 64) - 32), "larger than any file")
    refused(patched(TINY, "shape:output_norm.weight", "Q", 4096), "bytes are missing")


def test_unknown_tensor_types_survive() -> None:
    image = build({}, [Tensor("a", (7,), 65, size_bytes=100), Tensor("b", (32,), 31, size_bytes=20), Tensor("c", (4,))])
    header = read_header(image.source())
    assert [(t.type_name, t.size_bytes) for t in header.tensors] == [
        ("unknown type 65", None), ("Q4_0_4_4", None), ("F32", 16),
    ]  # fmt: skip
    with pytest.raises(BadFileError, match="truncated: 8 bytes are missing"):
        read_header(MemorySource(image.bytes()[: header.needed_size - 8]))


def test_what_is_not_utf8_is_replaced() -> None:
    image = build({"a": "x\udcff\udc80y", "b\udcff": 1})
    metadata = read_header(image.source()).metadata
    assert metadata["a"] == "x\ufffd\ufffdy"
    assert metadata["b\ufffd"] == 1


def test_error_messages_cannot_act_on_a_terminal() -> None:
    message = refused(build([("\x1b]52;c;x\x07\n", 1), ("\x1b]52;c;x\x07\n", 1)]).bytes(), "twice")
    assert message.isprintable()


def test_nothing_is_read_twice_and_arrays_of_numbers_not_at_all() -> None:
    image = build({"scores": array(ValueType.UINT8, [1] * 600_000), "tokens": strings(["abc"] * 30_000), "end": 1})
    source = image.source()
    read_header(source, first_read=1 << 16)
    spans = sorted(source.requests)
    assert all(start + length <= following for (start, length), (following, _) in pairwise(spans))
    assert sum(length for _, length in spans) < image.size - 400_000
    assert len(spans) <= 8
    assert all(length <= MAX_READ for _, length in spans)


def test_a_header_may_not_be_endless() -> None:
    """In a file of 400 GB that is a hole, a count of strings could have us read for minutes."""
    image = build({"tokens": strings([])})
    content = bytearray(image.header)
    struct.pack_into("<Q", content, image.marks["count:tokens"], (MAX_HEADER - 1000) // 8)
    source = MemorySource(bytes(content), 400 << 30)
    header = read_header(source)  # all of them empty: allowed, and quick
    assert header.kv_end > MAX_HEADER - 1100
    struct.pack_into("<Q", content, image.marks["count:tokens"], MAX_HEADER // 8 + 1)
    with pytest.raises(BadFileError, match="can hold"):
        read_header(MemorySource(bytes(content), 400 << 30))
    image = build({"scores": array(ValueType.FLOAT64, [])})
    content = bytearray(image.header)
    struct.pack_into("<Q", content, image.marks["count:scores"], MAX_HEADER // 8 + 1)
    with pytest.raises(BadFileError, match="longer than 64 MiB"):
        read_header(MemorySource(bytes(content), 400 << 30))


def test_texts_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_STRING", 1000)
    monkeypatch.setattr(reader, "MAX_TEXT", 1500)
    read_header(build({"a": "x" * 1000}).source())
    refused(build({"a": "x" * 1001}).bytes(), "a claims 1001 bytes; at most 1000")
    refused(build({"a": "x" * 1000, "b": "x" * 1000}).bytes(), "text in the metadata")
    refused(build({"k" * 70_000: 1}).bytes(), "key 0 claims 70000 bytes")


def test_a_source_that_ends_early_is_refused() -> None:
    """A file may shrink while it is read, and a server may send less than it promised."""

    class Shrunk(MemorySource):
        def read(self, offset: int, length: int) -> bytes:
            return self.content[:500][offset : offset + length]

    with pytest.raises(BadFileError, match="truncated: the file ended at byte"):
        read_header(Shrunk(TINY.bytes()))
    source = TINY.source()
    header = read_header(source)
    ref = header.metadata["test.array_of_float64"]
    assert isinstance(ref, ArrayRef)
    with pytest.raises(BadFileError, match="ended at byte"):
        read_array(Shrunk(TINY.bytes()[: ref.offset + 4]), header, ref)


STRINGS: list[Callable[[int], str]] = [
    lambda n: "",
    lambda n: "x",
    lambda n: "x" * (n % 127),
    lambda n: "x" * (n % 300),
    lambda n: "\0" * (n % 40),
    lambda n: "x" * 127 if n % 2 else "y" * 128,
    lambda n: "z" * 70_000 if n % 150 == 149 else "ab",
]


@pytest.mark.parametrize("kind", range(len(STRINGS)))
@pytest.mark.parametrize("big_endian", [False, True])
def test_strings_of_any_length_are_stepped_over(kind: int, big_endian: bool) -> None:
    for count in (0, 1, 15, 16, 17, 255, 256, 257, 1000):
        texts = [STRINGS[kind](number) for number in range(count)]
        image = build({"before": 1, "texts": strings(texts), "after": 2}, big_endian=big_endian)
        begin, end = image.marks["count:texts"] + 8, image.marks["key:after"]
        for first_read in (8, 4096, 1 << 20):
            source = image.source()
            header = read_header(source, first_read=first_read)
            assert header.metadata["after"] == 2
            ref = ArrayRef(ValueType.STRING, count, begin, end)
            assert header.metadata["texts"] == ref
            assert read_array(source, header, ref) == texts
