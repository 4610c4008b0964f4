"""Writes small GGUF files, right ones and wrong ones: any version, byte order, alignment, value and tensor type."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.gguf import types
from qtui.core.gguf.reader import ValueType

_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with the type to write it as; a list is an array of that type."""

    type: ValueType | int
    value: Scalar | Sequence[Scalar]


def u32(value: int) -> Typed:
    return Typed(ValueType.UINT32, value)


def array(kind: ValueType, values: Sequence[Scalar]) -> Typed:
    return Typed(kind, list(values))


def strings(values: Sequence[str]) -> Typed:
    return array(ValueType.STRING, values)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to write; without data it is a hole of zeros."""

    name: str
    shape: tuple[int, ...]
    type_id: int = 0
    data: bytes | None = None
    offset: int | None = None
    """Another offset than the one that is due."""
    size_bytes: int | None = None
    """For types whose size is not known."""

    @property
    def size(self) -> int:
        if self.size_bytes is not None:
            return self.size_bytes
        return types.nbytes(self.type_id, self.shape) or 0


@dataclass(frozen=True, slots=True)
class Image:
    """A file's bytes: the header, the data that was given, and the size; the rest is zeros."""

    header: bytes
    size: int
    pieces: tuple[tuple[int, bytes], ...] = ()
    marks: Mapping[str, int] = field(default_factory=dict)
    """Where in the header things stand: `n_tensors`, `n_kv`, `key:NAME`, `type:NAME`, `value:NAME`, `count:NAME`,
    `tensor:NAME` (its length), `dims:NAME`, `shape:NAME`, `kind:NAME`, `offset:NAME`, `kv_end`, `table_end`."""

    def bytes(self) -> bytes:
        content = bytearray(self.size)
        content[: len(self.header)] = self.header[: self.size]
        for offset, piece in self.pieces:
            content[offset : offset + len(piece)] = piece
        return bytes(content)

    def write(self, path: Path) -> Path:
        """Write a sparse file."""
        with path.open("wb") as file:
            file.write(self.header[: self.size])
            for offset, piece in self.pieces:
                file.seek(offset)
                file.write(piece)
            file.truncate(self.size)
        return path

    def source(self) -> MemorySource:
        return MemorySource(self.bytes())


@dataclass(slots=True)
class MemorySource:
    """Bytes as a source; beyond them zeros up to `virtual_size`. Counts what is asked of it."""

    content: bytes
    virtual_size: int | None = None
    requests: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.content) if self.virtual_size is None else self.virtual_size

    def read(self, offset: int, length: int) -> bytes:
        self.requests.append((offset, length))
        length = max(0, min(length, self.size - offset))
        piece = self.content[offset : offset + length]
        return piece + bytes(length - len(piece))


class _Writer:
    def __init__(self, big_endian: bool) -> None:
        self.order = ">" if big_endian else "<"
        self.out = bytearray()
        self.marks: dict[str, int] = {}

    def mark(self, name: str) -> None:
        self.marks[name] = len(self.out)

    def pack(self, code: str, *values: Scalar) -> None:
        self.out += struct.pack(self.order + code, *values)

    def string(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogateescape")
        self.pack("Q", len(raw))
        self.out += raw

    def scalar(self, kind: int, value: Scalar) -> None:
        if isinstance(value, str):
            self.string(value)
        else:
            self.pack(_CODES[kind], value)

    def value(self, key: str, typed: Typed) -> None:
        if isinstance(typed.value, (int, float, str)):
            self.pack("I", int(typed.type))
            self.mark(f"value:{key}")
            self.scalar(int(typed.type), typed.value)
            return
        self.pack("I", int(ValueType.ARRAY))
        self.mark(f"value:{key}")
        self.pack("I", int(typed.type))
        self.mark(f"count:{key}")
        self.pack("Q", len(typed.value))
        for item in typed.value:
            self.scalar(int(typed.type), item)

    def tensor(self, tensor: Tensor, offset: int) -> None:
        self.mark(f"tensor:{tensor.name}")
        self.string(tensor.name)
        self.mark(f"dims:{tensor.name}")
        self.pack("I", len(tensor.shape))
        self.mark(f"shape:{tensor.name}")
        self.pack(f"{len(tensor.shape)}Q", *tensor.shape)
        self.mark(f"kind:{tensor.name}")
        self.pack("I", tensor.type_id)
        self.mark(f"offset:{tensor.name}")
        self.pack("Q", offset)


def _typed(value: Typed | Scalar) -> Typed:
    if isinstance(value, Typed):
        return value
    if isinstance(value, bool):
        return Typed(ValueType.BOOL, value)
    if isinstance(value, int):
        return Typed(ValueType.UINT32 if 0 <= value < 1 << 32 else ValueType.INT64, value)
    return Typed(ValueType.FLOAT32 if isinstance(value, float) else ValueType.STRING, value)


def build(
    metadata: Mapping[str, Typed | Scalar] | Sequence[tuple[str, Typed | Scalar]] = (),
    tensors: Sequence[Tensor] = (),
    *,
    version: int = 3,
    big_endian: bool = False,
    alignment: int | None = None,
) -> Image:
    """Lay a file out as ggml does; `alignment` is written as `general.alignment` when given."""
    pairs = list(metadata.items() if isinstance(metadata, Mapping) else metadata)
    if alignment is not None:
        pairs.append(("general.alignment", u32(alignment)))
    step = alignment or 32
    writer = _Writer(big_endian)
    writer.out += b"GGUF"
    writer.pack("I", version)
    writer.mark("n_tensors")
    writer.pack("Q", len(tensors))
    writer.mark("n_kv")
    writer.pack("Q", len(pairs))
    for key, value in pairs:
        writer.mark(f"key:{key}")
        writer.string(key)
        writer.mark(f"type:{key}")
        writer.value(key, _typed(value))
    writer.mark("kv_end")
    offsets, end = [], 0
    for tensor in tensors:
        offset = end if tensor.offset is None else tensor.offset
        offsets.append(offset)
        writer.tensor(tensor, offset)
        end = -(-(offset + tensor.size) // step) * step
    writer.mark("table_end")
    if not tensors:
        return Image(bytes(writer.out), len(writer.out), (), writer.marks)
    start = -(-len(writer.out) // step) * step
    writer.out += bytes(start - len(writer.out))
    pieces = tuple((start + o, t.data) for o, t in zip(offsets, tensors, strict=True) if t.data is not None)
    return Image(bytes(writer.out), start + end, pieces, writer.marks)


def tiny_model(**more: Typed | Scalar) -> Image:
    """Return a file of about 2 KB with values of every type, arrays of every type and three tensors."""
    metadata: dict[str, Typed | Scalar] = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 1,
        "llama.block_count": 1,
        "llama.context_length": 64,
        "llama.embedding_length": 32,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": array(ValueType.INT32, [1]),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": strings(["<s>", "</s>", "", "\u2581a", "b" * 200, "c"]),
        "tokenizer.chat_template": "{{ messages }}",
    }
    for kind in ValueType:
        if kind not in (ValueType.STRING, ValueType.ARRAY):
            one: Scalar = 1.5 if kind in (ValueType.FLOAT32, ValueType.FLOAT64) else 1
            metadata[f"test.{kind.name.lower()}"] = Typed(kind, one)
            metadata[f"test.array_of_{kind.name.lower()}"] = array(kind, [one, 0, one])
    metadata.update(more)
    tensors = [
        Tensor("token_embd.weight", (32, 6), types.TYPE_IDS["F16"]),
        Tensor("blk.0.attn_q.weight", (32, 4), types.TYPE_IDS["Q8_0"], bytes(range(136))),
        Tensor("output_norm.weight", (32,)),
    ]
    return build(metadata, tensors)
