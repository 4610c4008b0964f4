"""ggml's tensor types and llama.cpp's file types, by the numbers that stand in files.

Unknown numbers are normal: formats grow, and other programs have types of their own. They survive and are shown as
`unknown type 65`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorType:
    """How one tensor type packs its elements."""

    name: str
    block_size: int
    """Elements per block; 0 when the type is unknown or was removed from ggml."""
    type_size: int
    """Bytes per block; 0 when unknown."""

    @property
    def known(self) -> bool:
        """Tell whether sizes can be computed."""
        return self.block_size > 0


@dataclass(frozen=True, slots=True)
class FileType:
    """What `general.file_type` names: a label, and the tensor type that most weights then have."""

    name: str
    base_type: str
    """Empty for types that llama.cpp removed."""


# Source: ggml.h and ggml-common.h (enum ggml_type, block_* structs); removed types keep their numbers.
TENSOR_TYPES: dict[int, TensorType] = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    4: TensorType("Q4_2", 0, 0),
    5: TensorType("Q4_3", 0, 0),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: TensorType("Q8_1", 32, 36),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    31: TensorType("Q4_0_4_4", 0, 0),
    32: TensorType("Q4_0_4_8", 0, 0),
    33: TensorType("Q4_0_8_8", 0, 0),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    36: TensorType("IQ4_NL_4_4", 0, 0),
    37: TensorType("IQ4_NL_4_8", 0, 0),
    38: TensorType("IQ4_NL_8_8", 0, 0),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
    42: TensorType("Q2_0", 64, 18),
}

# Source: llama.h (enum llama_ftype) and llama-quant.cpp.
FILE_TYPES: dict[int, FileType] = {
    0: FileType("F32", "F32"),
    1: FileType("F16", "F16"),
    2: FileType("Q4_0", "Q4_0"),
    3: FileType("Q4_1", "Q4_1"),
    4: FileType("Q4_1_SOME_F16", ""),
    5: FileType("Q4_2", ""),
    6: FileType("Q4_3", ""),
    7: FileType("Q8_0", "Q8_0"),
    8: FileType("Q5_0", "Q5_0"),
    9: FileType("Q5_1", "Q5_1"),
    10: FileType("Q2_K", "Q2_K"),
    11: FileType("Q3_K_S", "Q3_K"),
    12: FileType("Q3_K_M", "Q3_K"),
    13: FileType("Q3_K_L", "Q3_K"),
    14: FileType("Q4_K_S", "Q4_K"),
    15: FileType("Q4_K_M", "Q4_K"),
    16: FileType("Q5_K_S", "Q5_K"),
    17: FileType("Q5_K_M", "Q5_K"),
    18: FileType("Q6_K", "Q6_K"),
    19: FileType("IQ2_XXS", "IQ2_XXS"),
    20: FileType("IQ2_XS", "IQ2_XS"),
    21: FileType("Q2_K_S", "Q2_K"),
    22: FileType("IQ3_XS", "IQ3_S"),
    23: FileType("IQ3_XXS", "IQ3_XXS"),
    24: FileType("IQ1_S", "IQ1_S"),
    25: FileType("IQ4_NL", "IQ4_NL"),
    26: FileType("IQ3_S", "IQ3_S"),
    27: FileType("IQ3_M", "IQ3_S"),
    28: FileType("IQ2_S", "IQ2_XS"),
    29: FileType("IQ2_M", "IQ2_S"),
    30: FileType("IQ4_XS", "IQ4_XS"),
    31: FileType("IQ1_M", "IQ1_M"),
    32: FileType("BF16", "BF16"),
    33: FileType("Q4_0_4_4", ""),
    34: FileType("Q4_0_4_8", ""),
    35: FileType("Q4_0_8_8", ""),
    36: FileType("TQ1_0", "TQ1_0"),
    37: FileType("TQ2_0", "TQ2_0"),
    38: FileType("MXFP4_MOE", "MXFP4"),
    39: FileType("NVFP4", "NVFP4"),
    40: FileType("Q1_0", "Q1_0"),
    41: FileType("Q2_0", "Q2_0"),
}

TYPE_IDS: dict[str, int] = {kind.name: number for number, kind in TENSOR_TYPES.items()}
GUESSED = 1024
"""A flag that llama.cpp adds to a file type that it guessed from the tensors."""


def tensor_type(type_id: int) -> TensorType:
    """Return the type with this number; an unknown one has no sizes and says so in its name."""
    return TENSOR_TYPES.get(type_id) or TensorType(f"unknown type {type_id}", 0, 0)


def file_type(number: int) -> FileType:
    """Return the file type with this number, without llama.cpp's flag for guessed ones."""
    return FILE_TYPES.get(number & ~GUESSED) or FileType(f"unknown type {number}", "")


def row_size(type_id: int, elements: int) -> int | None:
    """Return the bytes of a row; None when the type's size is unknown.

    Raises:
        ValueError: when the row is not a whole number of blocks.
    """
    kind = tensor_type(type_id)
    if not kind.known:
        return None
    blocks, rest = divmod(elements, kind.block_size)
    if rest:
        raise ValueError(f"rows of {elements} elements are no whole number of {kind.name} blocks of {kind.block_size}")
    return blocks * kind.type_size


def nbytes(type_id: int, shape: tuple[int, ...]) -> int | None:
    """Return the bytes of a tensor of this shape (ggml order: row length first); None when unknown.

    Raises:
        ValueError: when its rows are not a whole number of blocks.
    """
    row = row_size(type_id, shape[0] if shape else 1)
    return None if row is None else row * math.prod(shape[1:])
