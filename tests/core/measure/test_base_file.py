"""The head of a file of logits: what is read back, and what damaged and hostile ones get."""

from __future__ import annotations

import io
import os
import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtui.core.errors import BadFileError
from qtui.core.measure.base_file import BaseHead, chunk_bytes, file_bytes, read_head, row_codes, scored

HEAD = BaseHead(512, 1023, 3, array("i", range(1000)) + array("i", [5] * 536))


def read(data: bytes, size: int | None = None) -> BaseHead:
    return read_head(io.BytesIO(data), len(data) if size is None else size, "x.kld")


def test_a_head_comes_back_as_it_was_written() -> None:
    packed = HEAD.pack()
    assert packed[:20] == b"_logits_" + struct.pack("<Iii", 512, 1023, 3)
    assert len(packed) == HEAD.length == 20 + 4 * 512 * 3
    assert read(packed) == HEAD and read(packed).digest == HEAD.digest
    assert (HEAD.rows, row_codes(1023), row_codes(1024)) == (255, 1028, 1028)
    assert HEAD.chunk_bytes == 2 * 1028 * 255 == chunk_bytes(512, 1023)
    assert file_bytes(512, 1023, 3) == HEAD.length + 3 * HEAD.chunk_bytes
    assert [HEAD.whole_chunks(HEAD.length + extra) for extra in (-5, 0, HEAD.chunk_bytes - 1, HEAD.chunk_bytes)] == [
        0, 0, 0, 1,
    ]  # fmt: skip
    assert HEAD.whole_chunks(1 << 40) == 3 and scored(513) == 256


@pytest.mark.parametrize(
    "data",
    [
        b"", b"_logits", b"GGUF" + bytes(40), b"_logits_" + bytes(12),
        b"_logits_" + struct.pack("<Iii", 512, 100, 1 << 30),
        b"_logits_" + struct.pack("<Iii", 1 << 31, 100, 1),
        b"_logits_" + struct.pack("<Iii", 512, -1, 1),
        b"_logits_" + struct.pack("<Iii", 1 << 20, 100, 1 << 22),
        b"_logits_" + struct.pack("<Iii", 8, 100, 1) + bytes(31),
        b"_logits_" + struct.pack("<Iii", 8, 100, 1) + struct.pack("<8i", 0, 1, 2, 3, 4, 5, 6, 100),
        b"_logits_" + struct.pack("<Iii", 8, 100, 1) + struct.pack("<8i", 0, 1, 2, 3, 4, 5, 6, -1),
    ],
)  # fmt: skip
def test_damaged_and_hostile_heads_are_refused(data: bytes) -> None:
    with pytest.raises(BadFileError):
        read(data)


def test_a_length_that_lies_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huge.kld"
    path.write_bytes(b"_logits_" + struct.pack("<Iii", 1 << 20, 100, 1 << 20))
    os.truncate(path, 20 + (4 << 40))  # sparse, as long as it says
    with path.open("rb") as stream, pytest.raises(BadFileError, match="damaged"):
        read_head(stream, path.stat().st_size, path.name)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for image in (data, b"_logits_" + data):
        try:
            read(image)
        except BadFileError:
            continue
