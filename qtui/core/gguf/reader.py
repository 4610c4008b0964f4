"""Reads the header of a GGUF file: metadata and tensor table, never the tensors' data.

Files come from strangers, so every count, length and offset is checked against what remains before it is used, and
whatever is wrong ends in one error, `BadFileError`, that says at which byte. The format: ggml's `docs/gguf.md`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from qtui.core.errors import BadFileError
from qtui.core.gguf import types
from qtui.core.gguf.cursor import FETCH_AGAIN, MAX_READ, Cursor
from qtui.core.gguf.source import ByteSource
from qtui.core.text import clean_name

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
FIRST_READ = 256 << 10
"""Bytes of the first read; each further one is twice as long, up to 8 MiB."""
MAX_KEYS = 100_000
MAX_TENSORS = 1 << 17
"""Twice what the largest models have, and few enough for their table to take 50 MB and a second at most."""
MAX_DIMENSIONS = 4
MAX_KEY = 0xFFFF
MAX_TENSOR_NAME = 1024
MAX_STRING = 16 << 20
MAX_TEXT = 32 << 20
"""Bytes that all string values of a header may have together."""
MAX_ELEMENTS = (1 << 63) - 1


class ValueType(IntEnum):
    """The types of metadata values, by their numbers in the file."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


# The letter of `struct` for every type of fixed size. A bool is a byte, any but 0 being true.
CODES: dict[ValueType, str] = {
    ValueType.UINT8: "B",
    ValueType.INT8: "b",
    ValueType.UINT16: "H",
    ValueType.INT16: "h",
    ValueType.UINT32: "I",
    ValueType.INT32: "i",
    ValueType.FLOAT32: "f",
    ValueType.BOOL: "?",
    ValueType.UINT64: "Q",
    ValueType.INT64: "q",
    ValueType.FLOAT64: "d",
}
_TENSOR_FIELDS = tuple("Q" * dimensions + "IQ" for dimensions in range(MAX_DIMENSIONS + 1))
"""Extents, type and offset of a tensor, by its number of dimensions."""
_VALUE_TYPES = {kind.value: kind for kind in ValueType}
_WIDTHS = {kind: struct.calcsize("<" + code) for kind, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class ArrayRef:
    """An array that stayed in the file."""

    type: ValueType
    """Of its elements; never ARRAY, which llama.cpp refuses too."""
    count: int
    offset: int
    """The byte of its first element."""
    end: int
    """The byte after its last element."""

    def __str__(self) -> str:
        return f"[{self.type.name.lower()} × {self.count}]"


Value = int | float | bool | str | ArrayRef


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One row of the tensor table."""

    name: str
    shape: tuple[int, ...]
    """In ggml's order: the length of a row first."""
    type_id: int
    offset: int
    """In bytes, from the start of the data."""
    size_bytes: int | None
    """None where the type's size is unknown."""

    @property
    def elements(self) -> int:
        """Return how many elements it has."""
        return math.prod(self.shape)

    @property
    def type_name(self) -> str:
        """Return ggml's name of its type, or `unknown type 65`."""
        return types.tensor_type(self.type_id).name


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the tensors' data. Its texts are as the file has them: clean them before they are shown."""

    version: int
    big_endian: bool
    alignment: int
    metadata: Mapping[str, Value] = field(repr=False)
    tensors: tuple[TensorInfo, ...] = field(repr=False)
    kv_end: int
    """The byte after the metadata, where the tensor table begins."""
    table_end: int
    """The byte after the tensor table."""
    data_offset: int
    """The byte where the tensors' data begins."""
    file_size: int

    @property
    def needed_size(self) -> int:
        """Return the bytes that a whole file has at least; tensors of unknown types count with their offset only."""
        if not self.tensors:
            return self.table_end
        return self.data_offset + max(tensor.offset + (tensor.size_bytes or 0) for tensor in self.tensors)

    @property
    def missing_bytes(self) -> int:
        """Return how many bytes of the tensors' data are not there; 0 for a whole file."""
        return max(0, self.needed_size - self.file_size)


def read_header(
    source: ByteSource, *, check_data: bool = True, first_read: int = FIRST_READ, most_read: int = MAX_READ
) -> Header:
    """Read a header. Arrays are stepped over and stay in the file; see `read_array`.

    Args:
        source: the bytes; at most `cursor.MAX_HEADER` of them are read.
        check_data: refuse a file that is shorter than its tensors; without it see `Header.missing_bytes`.
        first_read: bytes asked for at first.
        most_read: bytes asked for at once at most, where nothing needs more.

    Raises:
        BadFileError: not GGUF, damaged, hostile, truncated; the message says at which byte.
    """
    cursor = Cursor(source, first_read, most_read)
    version, big_endian = _read_preamble(cursor)
    tensor_count = _count(cursor, MAX_TENSORS, 24, "tensors")
    key_count = _count(cursor, MAX_KEYS, 14, "metadata keys", after=24 * tensor_count)
    metadata, alignment = _read_metadata(cursor, key_count)
    kv_end = cursor.position
    tensors = _read_tensors(cursor, tensor_count)
    table_end = cursor.position
    header = Header(
        version=version,
        big_endian=big_endian,
        alignment=alignment,
        metadata=MappingProxyType(metadata),
        tensors=tensors,
        kv_end=kv_end,
        table_end=table_end,
        data_offset=_pad(table_end, alignment) if tensors else table_end,
        file_size=source.size,
    )
    _check_data(header, truncated_too=check_data)
    return header


def read_array(
    source: ByteSource, header: Header, ref: ArrayRef, limit: int = 1 << 20
) -> list[int | float | bool | str]:
    """Read the first `limit` elements of an array at most.

    Raises:
        BadFileError: the file is no longer what the header was read from.
    """
    count = min(ref.count, limit)
    if ref.type is ValueType.STRING:
        cursor = Cursor(source, min(FIRST_READ, ref.end - ref.offset + 1))
        cursor.position, cursor.order = ref.offset, ">" if header.big_endian else "<"
        return [cursor.string(MAX_STRING, f"element {number}") for number in range(count)]
    length = count * _WIDTHS[ref.type]
    data = source.read(ref.offset, length)
    if len(data) < length:
        raise BadFileError(f"truncated: the file ended at byte {ref.offset + len(data)} in an array", FETCH_AGAIN)
    return list(struct.unpack(f"{'>' if header.big_endian else '<'}{count}{CODES[ref.type]}", data))


def _read_preamble(cursor: Cursor) -> tuple[int, bool]:
    """Check magic and version, and set the byte order."""
    if cursor.size == 0:
        raise BadFileError("the file is empty", FETCH_AGAIN)
    magic = cursor.take(4, "the magic number") if cursor.size >= 4 else b""
    if magic != MAGIC:
        raise BadFileError("not a GGUF file: it does not begin with GGUF (at byte 0)", "qtui reads GGUF files only.")
    version = cursor.u32("the version")
    if version & 0xFFFF == 0 and version:
        # A file of the other byte order; its magic number is the same four bytes.
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in VERSIONS:
        raise BadFileError(
            f"GGUF version {version} (at byte 4); versions 2 and 3 are read",
            "Version 1 is obsolete: fetch a newer file." if version == 1 else FETCH_AGAIN,
        )
    return version, cursor.order == ">"


def _count(cursor: Cursor, limit: int, smallest: int, what: str, after: int = 0) -> int:
    """Read a count and refuse it when that many things of `smallest` bytes cannot follow."""
    at = cursor.position
    count = cursor.u64(f"the number of {what}")
    if count > limit:
        raise cursor.fail(f"{count} {what} are claimed; at most {limit} are allowed", at)
    if count * smallest + after > cursor.remaining:
        raise cursor.fail(f"{count} {what} are claimed, more than the {cursor.remaining} bytes left can hold", at)
    return count


def _read_metadata(cursor: Cursor, count: int) -> tuple[dict[str, Value], int]:
    """Read all keys and values, and the alignment among them."""
    metadata: dict[str, Value] = {}
    alignment, text_bytes = DEFAULT_ALIGNMENT, 0
    for number in range(count):
        at = cursor.position
        key = cursor.string(MAX_KEY, f"key {number}")
        if not key:
            raise cursor.fail(f"key {number} is empty", at)
        if key in metadata:
            raise cursor.fail(f"key {clean_name(key)} stands there twice", at)
        at = cursor.position
        kind = _value_type(cursor, key)
        value = _read_value(cursor, kind, key)
        if isinstance(value, str):
            text_bytes += cursor.position - at
            if text_bytes > MAX_TEXT:
                raise cursor.fail(f"more than {MAX_TEXT >> 20} MiB of text in the metadata", at)
        if key == "general.alignment":
            if kind is not ValueType.UINT32 or not isinstance(value, int) or value.bit_count() != 1:
                raise cursor.fail("general.alignment is not a power of two", at)
            alignment = value
        metadata[key] = value
    return metadata, alignment


def _value_type(cursor: Cursor, key: str) -> ValueType:
    at = cursor.position
    number = cursor.u32(f"the type of {key}")
    kind = _VALUE_TYPES.get(number)
    if kind is None:
        raise cursor.fail(f"key {clean_name(key)} has the unknown value type {number}", at)
    return kind


def _read_value(cursor: Cursor, kind: ValueType, key: str) -> Value:
    """Read a value; of an array only its place."""
    if kind is ValueType.STRING:
        return cursor.string(MAX_STRING, key)
    if kind is not ValueType.ARRAY:
        return cursor.number(CODES[kind], key)
    at = cursor.position
    item = _value_type(cursor, key)
    if item is ValueType.ARRAY:
        raise cursor.fail(f"key {clean_name(key)} is an array of arrays", at)
    count = cursor.u64(f"the length of {key}")
    offset = cursor.position
    if item is ValueType.STRING:
        cursor.skip_strings(count, key)
    else:
        cursor.skip(count * _WIDTHS[item], f"{key}, {count} elements,")
    return ArrayRef(item, count, offset, cursor.position)


def _read_tensors(cursor: Cursor, count: int) -> tuple[TensorInfo, ...]:
    """Read the tensor table."""
    tensors = []
    names: set[str] = set()
    for number in range(count):
        at = cursor.position
        name = cursor.string(MAX_TENSOR_NAME, f"the name of tensor {number}")
        if name in names:
            raise cursor.fail(f"tensor {clean_name(name)} stands there twice", at)
        names.add(name)
        tensors.append(_read_tensor(cursor, name))
    return tuple(tensors)


def _read_tensor(cursor: Cursor, name: str) -> TensorInfo:
    """Read what follows the name of a tensor."""
    at = cursor.position
    dimensions = cursor.u32(name)
    if dimensions > MAX_DIMENSIONS:
        problem = f"tensor {clean_name(name)} has {dimensions} dimensions; at most {MAX_DIMENSIONS} are allowed"
        raise cursor.fail(problem, at)
    fields = cursor.numbers(_TENSOR_FIELDS[dimensions], name)
    shape, type_id, offset = fields[:dimensions], fields[-2], fields[-1]
    try:
        size = types.nbytes(type_id, shape)
    except ValueError as error:
        raise cursor.fail(f"tensor {clean_name(name)}: {error}", at) from None
    # As in ggml, a zero does not hide an overflow of the other extents.
    elements = math.prod(extent or 1 for extent in shape)
    if elements > MAX_ELEMENTS or offset + (size or 0) > MAX_ELEMENTS:
        raise cursor.fail(f"tensor {clean_name(name)} is larger than any file: {list(shape)}, offset {offset}", at)
    return TensorInfo(name, shape, type_id, offset, size)


def _check_data(header: Header, *, truncated_too: bool) -> None:
    """Compare every tensor's place with the size of the file."""
    if not header.missing_bytes:
        return
    available = header.file_size - header.data_offset
    laid_out = sum(_pad(tensor.size_bytes or 0, header.alignment) for tensor in header.tensors)
    sizes_known = all(tensor.size_bytes is not None for tensor in header.tensors)
    for tensor in header.tensors:
        end = tensor.offset + (tensor.size_bytes or 0)
        if end > available and sizes_known and end > laid_out:
            raise BadFileError(
                f"tensor {clean_name(tensor.name)} lies outside the file: it would end at byte "
                f"{header.data_offset + end} of {header.file_size}",
                FETCH_AGAIN,
            )
    if truncated_too:
        raise BadFileError(
            f"truncated: {header.missing_bytes} bytes are missing; the file ends at byte {header.file_size}, "
            f"its tensors at byte {header.needed_size}",
            FETCH_AGAIN,
        )


def _pad(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
