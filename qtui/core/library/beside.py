"""Which of the files that were found go with a model: its projectors, and adapters for its architecture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtui.core.library.grouping import name_key
from qtui.core.library.variant import Role, Variant

PROJECTORS = ("F16", "BF16", "Q8_0", "F32")
"""Which projector is taken first: more bits do not show, and fewer are slower."""


def projectors_of(variant: Variant, found: Iterable[Variant]) -> tuple[Variant, ...]:
    """Return the projectors of a model, the best first.

    A projector lies in its model's folder, or in its repository. Where models of other names lie there too, its own
    name must have the model's in it, since nothing in a projector's header says whose it is.
    """
    everything = tuple(found)
    near = [other for other in everything if other.role is Role.MMPROJ and _near(variant, other)]
    if variant.role is not Role.MODEL or not near:
        return ()
    names = {
        name_key(other.model) for other in everything if other.role is Role.MODEL and _near(variant, other)
    }  # fmt: skip
    if names - {name_key(variant.model)}:
        near = [other for other in near if _named_after(other, variant, names)]
    return tuple(sorted(near, key=lambda other: (*_rank(variant, other), str(other.path))))


def adapters_of(variant: Variant, found: Iterable[Variant]) -> tuple[Variant, ...]:
    """Return the adapters whose header names the model's architecture, those beside it first."""
    if variant.role is not Role.MODEL or not variant.architecture:
        return ()
    fitting = [
        other for other in found
        if other.role is Role.ADAPTER and not other.problem and other.architecture == variant.architecture
    ]  # fmt: skip
    return tuple(sorted(fitting, key=lambda other: (not _near(variant, other), str(other.path))))


def _near(variant: Variant, other: Variant) -> bool:
    if other.problem or other.path == variant.path:
        return other.path == variant.path
    if variant.repository:
        return other.repository == variant.repository
    return other.path.parent == variant.path.parent


def _named_after(projector: Variant, variant: Variant, names: set[str]) -> bool:
    """Tell whether a projector is called after a model, and after no other whose name is longer."""
    key = name_key(variant.model)
    said = (name_key(projector.model), name_key(projector.path.stem))
    longest = max((name for name in names if any(name in each for each in said)), key=len, default="")
    return longest == key


def _rank(variant: Variant, projector: Variant) -> tuple[bool, int, int]:
    quant = projector.quant
    place: Sequence[str] = PROJECTORS
    rank = place.index(quant) if quant in place else len(place)
    return (projector.path.parent != variant.path.parent, rank, projector.size)
