"""What stands against making what was planned: one rule for the child that would write, the verb and the panel."""

from __future__ import annotations

from qtui.core.errors import Failure, UsageError
from qtui.core.quantise.messages import QuantisePlanned
from qtui.core.quantise.types import made_type
from qtui.core.text import MIB, clean_name, size

MARGIN = MIB
"""Free space that is left to others."""


def obstacle(planned: QuantisePlanned) -> Failure | None:
    """Return why llama.cpp would refuse it, or silently make something else; None when nothing is in the way."""
    kind = planned.recipe.kind
    if planned.problem:
        return Failure(planned.problem, planned.hint, "bad_file")
    if planned.matrix is not None and planned.matrix.problem:
        return Failure(planned.matrix.problem, "take a matrix that was gathered with this model", "bad_file")
    if kind == "MXFP4_MOE" and not any(share.kind == "MXFP4" for share in planned.mix):
        return Failure(
            "MXFP4_MOE is for mixtures of experts, and this model has none: llama.cpp would write a Q8_0 file",
            "take Q4_K_M or IQ4_XS for 4 bits, or Q8_0",
            UsageError.kind,
        )
    if planned.requantised and not planned.recipe.allow_requantize:
        return Failure(
            f"the source is quantised already ({', '.join(planned.requantised)}): quantising it anew loses more "
            "than quantising the original",
            "start from an F16, BF16 or F32 file, or allow it: --allow-requantize (the file will say so)",
            UsageError.kind,
        )
    if planned.needs_matrix:
        matrix = planned.matrix
        if matrix is None:
            return Failure(
                f"{kind} needs an importance matrix",
                "give one with --imatrix, gather one with --imatrix-text FILE or qtui imatrix, or take a larger type",
                UsageError.kind,
            )
        return Failure(
            f"the matrix has nothing for some tensors that {kind} makes only with one",
            "gather one with this model, or take a larger type",
            UsageError.kind,
        )
    return None


def no_room(needed: int, free: int | None, folder: str) -> Failure | None:
    """Return why a result does not fit a disk; None when it does, or nobody knows what is free."""
    if free is None or free >= needed + MARGIN:
        return None
    return Failure(
        f"the result needs {size(needed)} and {size(MARGIN)} to spare, {clean_name(folder)} has {size(free)} free",
        "free some space, or write to another folder",
        "engine",
    )


def assurances(planned: QuantisePlanned) -> list[str]:
    """Return what is as it should be, a sentence each."""
    matrix = planned.matrix
    if matrix is None or not matrix.used:
        return []
    said = [] if matrix.lacking else [f"the matrix has all {matrix.used} tensors that can use one"]
    if matrix.experts and matrix.experts_seen == matrix.experts:
        said.append(f"it has seen all {matrix.experts} experts")
    return said


def remarks(planned: QuantisePlanned) -> list[str]:
    """Return what should give pause before it is made, a sentence each."""
    said = []
    if not planned.changed:
        said.append("every tensor has its type already: the result is a copy")
    made = made_type(planned.recipe.kind)
    base = sum(share.tensors for share in planned.mix if share.kind == made.base)
    fallen = sum(fallback.tensors for fallback in planned.fallbacks)
    for fallback in planned.fallbacks:
        said.append(
            f"{fallback.tensors} of {planned.tensors} tensors become {fallback.made} instead of {fallback.wanted}: "
            "their rows are no whole number of its blocks"
        )
    if fallen and not base:
        said.append(f"not one tensor will be {made.base}: the name {made.name} tells little of this file")
    if planned.requantised and planned.recipe.allow_requantize:
        said.append(f"quantised anew from {', '.join(planned.requantised)}; the file will record it")
    if planned.matrix is not None:
        said += _of_matrix(planned)
    return said


def _of_matrix(planned: QuantisePlanned) -> list[str]:
    matrix = planned.matrix
    assert matrix is not None
    said = []
    if not matrix.used:
        said.append(f"{planned.recipe.kind} makes no use of the matrix")
    elif matrix.lacking:
        said.append(f"the matrix has {matrix.used} of the {matrix.used + matrix.lacking} tensors that can use one")
    if matrix.unknown:
        names = ", ".join(matrix.unknown_names)
        more = ", …" if matrix.unknown > len(matrix.unknown_names) else ""
        said.append(
            f"{matrix.unknown} of its {matrix.entries} entries are for tensors that are not here: {names}{more}"
        )
    if matrix.experts_seen < matrix.experts:
        share = matrix.experts_seen * 100 / matrix.experts
        said.append(f"it has seen {matrix.experts_seen} of {matrix.experts} experts ({share:.1f} %)")
    return said
