from __future__ import annotations

import gguf
import pytest

from qtui.core.gguf import types


def test_sizes_are_those_of_ggml() -> None:
    known = {kind.value: sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    for number, (block, size) in known.items():
        # gguf 0.19 has 40 bytes for Q8_1; ggml's block_q8_1 is two f16 and 32 int8 (ggml-common.h).
        if number in types.TENSOR_TYPES and number != types.TYPE_IDS["Q8_1"]:
            assert (types.tensor_type(number).block_size, types.tensor_type(number).type_size) == (block, size)
    assert len(known.keys() & types.TENSOR_TYPES.keys()) >= 30


def test_names_are_those_of_ggml() -> None:
    for kind in gguf.GGMLQuantizationType:
        if kind.value in types.TENSOR_TYPES:
            assert types.tensor_type(kind.value).name == kind.name
    for label in gguf.LlamaFileType:
        if label is not gguf.LlamaFileType.GUESSED and label.value in types.FILE_TYPES:
            assert types.file_type(label.value).name == label.name.removeprefix("MOSTLY_").removeprefix("ALL_")


def test_every_file_type_names_a_tensor_type_that_exists() -> None:
    for label in types.FILE_TYPES.values():
        assert not label.base_type or types.TENSOR_TYPES[types.TYPE_IDS[label.base_type]].known


def test_unknown_numbers_survive() -> None:
    assert types.tensor_type(65).name == "unknown type 65"
    assert types.file_type(99).name == "unknown type 99"
    assert types.file_type(types.GUESSED | 15).name == "Q4_K_M"
    assert types.nbytes(65, (256, 2)) is None
    assert types.nbytes(31, (256, 2)) is None


def test_bytes_of_rows_and_tensors() -> None:
    assert types.row_size(types.TYPE_IDS["Q4_K"], 512) == 288
    assert types.nbytes(types.TYPE_IDS["Q8_0"], (64, 3, 2)) == 2 * 34 * 3 * 2
    assert types.nbytes(types.TYPE_IDS["F32"], ()) == 4
    assert types.nbytes(types.TYPE_IDS["F16"], (0, 5)) == 0
    with pytest.raises(ValueError, match="Q4_K blocks of 256"):
        types.nbytes(types.TYPE_IDS["Q4_K"], (100, 2))
