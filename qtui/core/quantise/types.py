"""The file types that llama.cpp makes, each with what it is for, and those that are left out, with the reason.

Sources: `enum llama_ftype` (llama.h), `llama_ftype_get_default_type` (llama-quant.cpp), the quantisers of
ggml-quants.c (which of them use a matrix). What the sentences say of quality is what llama.cpp's own measurements on
Llama-3-8B show (tools/perplexity/README.md); how much a matrix gains there: 0.4 % of perplexity with Q4_K_M, 11 % with
Q2_K.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.errors import UsageError
from qtui.core.gguf.types import FILE_TYPES, TENSOR_TYPES, TYPE_IDS
from qtui.core.text import clean_name


class MatrixUse(StrEnum):
    """What an importance matrix does for a type."""

    UNUSED = "unused"
    """The quantiser takes none."""
    LITTLE = "little"
    """Used, and hardly to be measured."""
    HELPS = "helps"
    """Worth the time it takes: below about 4 bits."""
    NEEDED = "needed"
    """llama.cpp refuses without one, for most models."""


@dataclass(frozen=True, slots=True)
class MadeType:
    """A file type that can be made."""

    name: str
    about: str
    """When to take it; a few words."""
    matrix: MatrixUse = MatrixUse.HELPS

    @property
    def base(self) -> str:
        """Return the tensor type that most weights get."""
        return next(kind.base_type for kind in FILE_TYPES.values() if kind.name == self.name)


_UNUSED, _LITTLE, _NEEDED = MatrixUse.UNUSED, MatrixUse.LITTLE, MatrixUse.NEEDED
OFFERED: tuple[MadeType, ...] = (
    MadeType("F32", "for models trained in F32 only", _UNUSED),
    MadeType("BF16", "as most models are trained", _UNUSED),
    MadeType("F16", "what others are measured against", _UNUSED),
    MadeType("Q8_0", "hardly to be told from F16", _UNUSED),
    MadeType("Q6_K", "near F16; where there is room", _LITTLE),
    MadeType("Q5_K_M", "very good", _LITTLE),
    MadeType("Q5_K_S", "very good, a little smaller", _LITTLE),
    MadeType("Q5_1", "older; Q5_K_M is better", _LITTLE),
    MadeType("Q5_0", "older; for rows K types cannot take", _LITTLE),
    MadeType("Q4_K_M", "good; where most begin", _LITTLE),
    MadeType("Q4_K_S", "good, a little smaller", _LITTLE),
    MadeType("Q4_1", "older; Q4_K_M is better", _LITTLE),
    MadeType("IQ4_NL", "for rows K types cannot take", _LITTLE),
    MadeType("IQ4_XS", "near Q4_K_S, smaller; slower on CPUs", _LITTLE),
    MadeType("Q4_0", "older and plain; fast on ARM", _LITTLE),
    MadeType("MXFP4_MOE", "only for models trained in it", _UNUSED),
    MadeType("Q3_K_L", "usable, the largest of 3 bits"),
    MadeType("Q3_K_M", "usable"),
    MadeType("IQ3_M", "near Q3_K_M and smaller"),
    MadeType("IQ3_S", "better than Q3_K_S at its size"),
    MadeType("Q3_K_S", "usable, small"),
    MadeType("IQ3_XS", "small", _NEEDED),
    MadeType("IQ3_XXS", "the smallest of 3 bits", _NEEDED),
    MadeType("Q2_K", "much is lost"),
    MadeType("Q2_K_S", "much is lost; smaller", _NEEDED),
    MadeType("IQ2_M", "the largest of the 2-bit i-quants", _NEEDED),
    MadeType("IQ2_S", "2 bits", _NEEDED),
    MadeType("IQ2_XS", "2 bits, smaller", _NEEDED),
    MadeType("IQ2_XXS", "2 bits, smallest; for large models", _NEEDED),
    MadeType("IQ1_M", "very large models that fit no better", _NEEDED),
    MadeType("IQ1_S", "very large models that fit no better", _NEEDED),
    MadeType("TQ2_0", "for BitNet: trained with three values", _UNUSED),
    MadeType("TQ1_0", "for BitNet: trained with three values", _UNUSED),
    MadeType("Q2_0", "for models trained for it"),
    MadeType("Q1_0", "for models trained with one bit"),
)  # fmt: skip
"""Largest first, by and large."""

LEFT_OUT: Mapping[str, str] = {
    "NVFP4": "llama.cpp reads it and cannot make it",
    "Q4_1_SOME_F16": "llama.cpp has removed it",
    "Q4_2": "llama.cpp has removed it",
    "Q4_3": "llama.cpp has removed it",
    "Q4_0_4_4": "llama.cpp has removed it: Q4_0 is repacked when it is loaded",
    "Q4_0_4_8": "llama.cpp has removed it: Q4_0 is repacked when it is loaded",
    "Q4_0_8_8": "llama.cpp has removed it: Q4_0 is repacked when it is loaded",
}
"""Names of file types that cannot be made, and why."""
ALIASES: Mapping[str, str] = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4": "MXFP4_MOE"}
"""As llama-quantize understands them, and MXFP4 by its tensor type."""
_BY_NAME = {made.name: made for made in OFFERED}
PLAIN = ("F32", "F16", "BF16")
"""Tensor types that are not quantised: making another of them is no requantising."""


def made_type(text: str) -> MadeType:
    """Return the type of a name, in either case, aliases too.

    Raises:
        UsageError: there is none, or it cannot be made.
    """
    name = text.strip().upper()
    name = ALIASES.get(name, name)
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in LEFT_OUT:
        raise UsageError(f"{name} cannot be made: {LEFT_OUT[name]}", "Q4_K_M is where most begin")
    raise UsageError(f"there is no type {clean_name(text, 40)}", f"one of {' '.join(made.name for made in OFFERED)}")


def tensor_type_name(text: str) -> str:
    """Return ggml's name of a tensor type, given in either case.

    Raises:
        UsageError: there is none, or none that weights can be made in.
    """
    name = text.strip().upper()
    usable = [kind.name for kind in TENSOR_TYPES.values() if kind.known and kind.name not in _NOT_FOR_WEIGHTS]
    if name not in usable:
        raise UsageError(f"{clean_name(text, 40)} is not a tensor type", f"one of {' '.join(usable)}")
    return name


_NOT_FOR_WEIGHTS = ("I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K")
_WANT_MATRIX = ("IQ3_XXS", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ1_S")


def wants_matrix(tensor: str, kind: str, file_type: str) -> bool:
    """Tell whether llama.cpp makes a tensor in this type only with a matrix (`tensor_requires_imatrix`)."""
    if tensor in ("token_embd.weight", "per_layer_token_embd.weight", "output.weight"):
        return False
    return kind in _WANT_MATRIX or (kind == "Q2_K" and file_type == "Q2_K_S")


def type_id(name: str) -> int:
    """Return ggml's number of a tensor type."""
    return TYPE_IDS[name]
