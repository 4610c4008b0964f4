"""Importance matrices on disk: read in llama.cpp's GGUF form and its older one, written in the former.

The form is that of llama.cpp's `tools/imatrix` and `common/imatrix-loader.cpp`: general.type is imatrix; for every
tensor NAME there are NAME.in_sum2, the sums of the squares of its inputs (one row for each expert), and NAME.counts,
how many tokens each row has seen; imatrix.datasets, imatrix.chunk_count and imatrix.chunk_size say of what.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from qtui.core.errors import BadFileError
from qtui.core.gguf.reader import MAGIC, ArrayRef, Header, TensorInfo, ValueType, read_array, read_header
from qtui.core.text import clean, clean_name
from qtui.services.engine.child.quantise_source import FileBytes

SUMS, COUNTS = ".in_sum2", ".counts"
MOST_NAME = 1024
_PAD = 32
_NOT_ONE = "gather one: qtui imatrix"
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a matrix holds for one tensor."""

    sums: Array
    """Sums of squares, float32 as in the file, one row for each matrix of the tensor (expert)."""
    counts: Array
    """Tokens that each row has seen; of the older form, how many chunks."""

    def weights(self) -> Array:
        """Return mean squares, as llama-quantize makes them: 1 where nothing was seen."""
        counts = self.counts.astype(np.float32)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            means = self.sums / counts
        return np.where(counts > 0, means, np.float32(1)).astype(np.float32).ravel()


@dataclass(frozen=True, slots=True)
class Matrix:
    """An importance matrix."""

    entries: Mapping[str, Entry]
    datasets: tuple[str, ...]
    chunk_count: int
    chunk_size: int
    extras: Mapping[str, str]
    """Text values of its header beside these."""


def read_matrix(path: Path) -> Matrix:
    """Read a matrix.

    Raises:
        BadFileError: it is missing, or none; damaged; without what llama-quantize asks for.
    """
    name = clean_name(path.name)
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                return _read_legacy(path, file)
        return _read_gguf(path)
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(str(path))}: {clean(error.strerror or str(error))}", "check the path"
        ) from error
    except BadFileError as error:
        raise BadFileError(f"{name} is no importance matrix: {error.message}", error.hint or _NOT_ONE) from error


def _read_gguf(path: Path) -> Matrix:
    source = FileBytes(path)
    try:
        header = read_header(source)
        metadata = header.metadata
        datasets = metadata.get("imatrix.datasets")
        count, size = metadata.get("imatrix.chunk_count"), metadata.get("imatrix.chunk_size")
        texts = isinstance(datasets, ArrayRef) and datasets.type is ValueType.STRING
        if not (isinstance(datasets, ArrayRef) and texts and isinstance(count, int) and isinstance(size, int)):
            raise BadFileError("its header does not say what it was gathered from")
        named = tuple(str(one) for one in read_array(source, header, datasets, 100))
        tensors = {tensor.name: tensor for tensor in header.tensors}
        entries = {
            tensor.removesuffix(SUMS): _entry(source, header, tensors, tensor.removesuffix(SUMS))
            for tensor in tensors
            if tensor.endswith(SUMS)
        }
        lone = sum(tensor.endswith(COUNTS) for tensor in tensors) - len(entries)
        if lone or not entries:
            raise BadFileError("sums and counts do not go together" if lone else "it has no entries")
    finally:
        source.close()
    extras = {key: value for key, value in metadata.items() if isinstance(value, str)}
    return Matrix(entries, named, count, size, extras)


def _entry(source: FileBytes, header: Header, tensors: Mapping[str, TensorInfo], name: str) -> Entry:
    sums, counts = tensors[name + SUMS], tensors.get(name + COUNTS)
    if counts is None:
        raise BadFileError(f"no counts for {clean_name(name)}")
    if sums.type_name != "F32" or counts.type_name != "F32":
        raise BadFileError(f"the values of {clean_name(name)} are no F32")
    if not counts.elements or sums.elements % counts.elements:
        raise BadFileError(f"sums and counts of {clean_name(name)} do not go together")
    order = ">f4" if header.big_endian else "<f4"

    def values(tensor: TensorInfo) -> Array:
        data = source.read(header.data_offset + tensor.offset, tensor.elements * 4)
        return np.frombuffer(data, order).astype(np.float32)

    return Entry(values(sums).reshape(counts.elements, -1), np.rint(values(counts)).astype(np.int64))


def _read_legacy(path: Path, file: BinaryIO) -> Matrix:
    """Read the older form: a count, then name, calls and means times calls of each entry."""
    size = path.stat().st_size
    file.seek(0)

    def number() -> int:
        data = file.read(4)
        if len(data) < 4:
            raise BadFileError("it ends in the middle of an entry")
        return int(struct.unpack("<i", data)[0])

    entries: dict[str, Entry] = {}
    expected = number()
    if not 1 <= expected <= size // 13:
        raise BadFileError("neither GGUF nor the older form")
    for _ in range(expected):
        length = number()
        if not 1 <= length <= MOST_NAME:
            raise BadFileError("neither GGUF nor the older form")
        name = file.read(length).decode("utf-8", "replace")
        calls, count = number(), number()
        if not 1 <= count <= (size - file.tell()) // 4:
            raise BadFileError("it ends in the middle of an entry")
        means = np.frombuffer(file.read(count * 4), "<f4").astype(np.float32)
        # Divided by calls, or taken as they are where there are none (tools/quantize).
        entries[name] = Entry(means.reshape(1, -1), np.array([max(calls, 1)], dtype=np.int64))
    chunks = 0
    datasets: tuple[str, ...] = ()
    if file.tell() < size:
        chunks = number()
        if file.tell() < size and 0 < (length := number()) <= 1 << 16:
            datasets = (file.read(length).decode("utf-8", "replace"),)
    return Matrix(entries, datasets, max(chunks, 0), 0, {})


def write_matrix(
    path: Path,
    entries: Mapping[str, Entry],
    datasets: Sequence[str],
    chunk_count: int,
    chunk_size: int,
    *,
    extras: Mapping[str, str] | None = None,
) -> None:
    """Write a matrix whole or not at all, as llama-imatrix writes it: tensors by name, one-row tensors in 1-D."""
    tensors: list[tuple[str, tuple[int, ...], Array]] = []
    for name in sorted(entries, key=os.fsencode):
        entry = entries[name]
        rows, columns = entry.sums.shape
        tensors.append((name + SUMS, (columns, rows) if rows > 1 else (columns,), entry.sums.astype("<f4")))
        tensors.append((name + COUNTS, (1, rows) if rows > 1 else (1,), entry.counts.astype("<f4")))
    metadata = [
        _key("general.type", ValueType.STRING) + _text("imatrix"),
        _key("imatrix.datasets", ValueType.ARRAY) + struct.pack("<IQ", ValueType.STRING, len(datasets))
        + b"".join(map(_text, datasets)),
        _key("imatrix.chunk_count", ValueType.UINT32) + struct.pack("<I", chunk_count),
        _key("imatrix.chunk_size", ValueType.UINT32) + struct.pack("<I", chunk_size),
        *(_key(key, ValueType.STRING) + _text(value) for key, value in (extras or {}).items()),
    ]  # fmt: skip
    table, offset = [], 0
    for name, shape, values in tensors:
        table.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset))
        offset += values.nbytes + -values.nbytes % _PAD
    head = MAGIC + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata) + b"".join(table)
    part = path.with_name(path.name + ".new.part")
    with part.open("wb") as file:
        file.write(head + bytes(-len(head) % _PAD))
        for _, _, values in tensors:
            file.write(values.tobytes() + bytes(-values.nbytes % _PAD))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _key(name: str, kind: ValueType) -> bytes:
    return _text(name) + struct.pack("<I", kind)


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(data)) + data
