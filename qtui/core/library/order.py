"""The order of models and of the variants in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from qtui.core.library.filter import LibraryRow, Quantity
from qtui.core.library.grouping import name_key
from qtui.core.library.variant import Model, Variant


class SortKey(StrEnum):
    """What rows are sorted by."""

    NAME = "name"
    SIZE = "size"
    BPW = "bpw"
    NEEDS = "needs"
    RATE = "rate"


def sort_models(
    models: Iterable[Model], key: SortKey, reverse: bool = False, rows: Mapping[Path, LibraryRow] | None = None
) -> tuple[Model, ...]:
    """Return the models in order, and the variants in each; what is not known comes last in either direction.

    A model stands where its first variant does. By name, variants stay largest first. `rows`, by the variant's path,
    tell needs and rate. Equal ones keep their order by name, so that rows do not jump.
    """
    known = rows or {}
    ordered = [replace(model, variants=_variants(model.variants, key, reverse, known)) for model in models]
    ordered.sort(key=lambda model: (name_key(model.name), model.architecture), reverse=reverse and key is SortKey.NAME)
    if key is SortKey.NAME:
        return tuple(ordered)
    return tuple(sorted(ordered, key=lambda model: min(_rank(v, key, reverse, known) for v in model.variants)))


def _variants(
    variants: Iterable[Variant], key: SortKey, reverse: bool, rows: Mapping[Path, LibraryRow]
) -> tuple[Variant, ...]:
    largest = sorted(variants, key=lambda variant: (-variant.size, variant.quant, variant.path))
    if key is SortKey.NAME:
        return tuple(largest)
    return tuple(sorted(largest, key=lambda variant: _rank(variant, key, reverse, rows)))


def _rank(variant: Variant, key: SortKey, reverse: bool, rows: Mapping[Path, LibraryRow]) -> tuple[bool, float]:
    value = Quantity(key.value).of(rows.get(variant.path) or LibraryRow(variant))
    return (value is None, 0 if value is None else -value if reverse else value)
