"""Recipe: what of a source is to be made; and what of such a recipe cannot be meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qtui.core.errors import UsageError
from qtui.core.quantise.types import made_type, tensor_type_name
from qtui.core.text import clean_name

MOST_OVERRIDES = 1000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to quantise, every option under llama-quantize's name for it."""

    kind: str
    """The file type as llama.cpp names it: `Q8_0`, `Q4_K_M`, `Q2_K`, …"""
    imatrix: str = ""
    """The path of an importance matrix, as it was given: the file records it."""
    tensor_type: tuple[tuple[str, str], ...] = ()
    """(regular expression, tensor type), the first match wins."""
    output_tensor_type: str = ""
    token_embedding_type: str = ""
    leave_output_tensor: bool = False
    pure: bool = False
    """All tensors in one type, without the mixture."""
    allow_requantize: bool = False
    keep_split: bool = False
    """As many shards as the source has."""


def checked(recipe: Recipe) -> Recipe:
    """Return a recipe with its names as llama.cpp writes them.

    Raises:
        UsageError: a type that there is not, or that cannot be made.
    """
    return Recipe(
        made_type(recipe.kind).name,
        recipe.imatrix,
        tuple((pattern, tensor_type_name(kind)) for pattern, kind in recipe.tensor_type),
        tensor_type_name(recipe.output_tensor_type) if recipe.output_tensor_type else "",
        tensor_type_name(recipe.token_embedding_type) if recipe.token_embedding_type else "",
        recipe.leave_output_tensor,
        recipe.pure,
        recipe.allow_requantize,
        recipe.keep_split,
    )


def override(text: str) -> tuple[str, str]:
    """Read `REGEX=TYPE`; the last `=` divides. Names of tensors are lower case, and so is the expression made.

    Raises:
        UsageError: it is not that.
    """
    pattern, found, kind = text.rpartition("=")
    if not (found and pattern and kind):
        raise UsageError(f"not REGEX=TYPE: {clean_name(text)}", "such as attn_q=q8_0")
    if "\0" in pattern:
        raise UsageError("an expression cannot hold a null character")
    return lowered(pattern), tensor_type_name(kind)


def lowered(pattern: str) -> str:
    r"""Return an expression in lower case, as llama-quantize has it, but for classes such as `\S`."""
    return re.sub(r"(\\.)|([A-Z])", lambda found: found[1] or found[2].lower(), pattern)
