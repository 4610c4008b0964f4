"""Importance matrices as files: read and written in llama.cpp's form, the older form read, damage refused."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import pytest

from qtui.core.errors import BadFileError
from qtui.core.gguf.reader import ValueType
from qtui.services.engine.child.matrix_file import Entry, read_matrix, write_matrix
from tests.builders.gguf import Scalar, Tensor, Typed, array, build, strings


def entry(rows: int = 1, columns: int = 3, counts: list[int] | None = None) -> Entry:
    sums = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns) + 1
    return Entry(sums, np.array(counts or [4] * rows, dtype=np.int64))


def write(path: Path, entries: Mapping[str, Entry]) -> Path:
    write_matrix(path, entries, ["text.txt"], 7, 512)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    entries = {"blk.0.ffn_up_exps.weight": entry(3, 2, [5, 0, 1]), "blk.0.attn_q.weight": entry()}
    matrix = read_matrix(write(tmp_path / "m.gguf", entries))
    assert (matrix.datasets, matrix.chunk_count, matrix.chunk_size) == (("text.txt",), 7, 512)
    for name, before in entries.items():
        assert np.array_equal(matrix.entries[name].sums, before.sums)
        assert np.array_equal(matrix.entries[name].counts, before.counts)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_another_reader_finds_the_same(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf", {"b": entry(2, 2), "a": entry()})
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    shapes = {tensor.name: tuple(int(n) for n in tensor.shape) for tensor in reader.tensors}
    assert shapes == {"a.in_sum2": (3,), "a.counts": (1,), "b.in_sum2": (2, 2), "b.counts": (1, 2)}
    assert reader.fields["general.type"].contents() == "imatrix"


def test_weights_are_means_and_one_where_nothing_was_seen() -> None:
    weights = entry(2, 2, [4, 0]).weights()
    assert weights.dtype == np.float32
    assert weights.tolist() == [0.25, 0.5, 1.0, 1.0]


def legacy(tail: bytes) -> bytes:
    name = b"blk.0.attn_q.weight"
    means = struct.pack("<3f", 2.0, 4.0, 6.0)
    return struct.pack("<ii", 1, len(name)) + name + struct.pack("<ii", 2, 3) + means + tail


@pytest.mark.parametrize(
    ("tail", "chunks", "datasets"), [(b"", 0, ()), (struct.pack("<ii", 9, 4) + b"text", 9, ("text",))]
)
def test_the_older_form_is_read(tmp_path: Path, tail: bytes, chunks: int, datasets: tuple[str, ...]) -> None:
    (tmp_path / "m.dat").write_bytes(legacy(tail))
    matrix = read_matrix(tmp_path / "m.dat")
    assert matrix.entries["blk.0.attn_q.weight"].weights().tolist() == [1.0, 2.0, 3.0]
    assert (matrix.chunk_count, matrix.datasets) == (chunks, datasets)


NAMED: dict[str, Typed | Scalar] = {
    "general.type": "imatrix", "imatrix.datasets": strings(["t"]), "imatrix.chunk_count": 1, "imatrix.chunk_size": 512,
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends in the middle"),
        (b"text that is no matrix at all", "neither GGUF nor the older form"),
        (legacy(b"")[:-3], "ends in the middle"),
        (struct.pack("<i", 2_000_000_000), "neither GGUF nor the older form"),
        (build({"general.type": "imatrix"}).header, "does not say what it was gathered from"),
        (build(NAMED).header, "it has no entries"),
        (build({**NAMED, "imatrix.datasets": array(ValueType.INT32, [1])}).header, "does not say"),
    ],
)
def test_what_is_no_matrix_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(BadFileError, match=f"m.gguf is no importance matrix: .*{why}"):
        read_matrix(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ([Tensor("a.in_sum2", (3,))], "no counts for a"),
        ([Tensor("a.counts", (1,))], "sums and counts do not go together"),
        ([Tensor("a.in_sum2", (3,)), Tensor("a.counts", (2,))], "do not go together"),
        ([Tensor("a.in_sum2", (3,), 1), Tensor("a.counts", (1,))], "no F32"),
        ([Tensor("a.in_sum2", (3,)), Tensor("a.counts", (0,))], "do not go together"),
    ],
)
def test_damaged_entries_are_refused(tmp_path: Path, tensors: list[Tensor], why: str) -> None:
    build(NAMED, tensors).write(tmp_path / "m.gguf")
    with pytest.raises(BadFileError, match=why):
        read_matrix(tmp_path / "m.gguf")


def test_a_missing_file_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"cannot read .*none"):
        read_matrix(tmp_path / "none.gguf")
