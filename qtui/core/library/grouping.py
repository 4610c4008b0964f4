"""Groups variants into models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qtui.core.library.variant import Model, Role, Variant

_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Shelves:
    """What a library holds, sorted."""

    models: tuple[Model, ...]
    """By name."""
    other: tuple[Variant, ...]
    """What does not load as a model: projectors, adapters, importance matrices, vocabularies, raw parts."""


def group_models(variants: Iterable[Variant]) -> Shelves:
    """Group variants by base name and architecture, largest first; other roles are kept apart.

    Names that differ only in case and separators are one name (`Qwen3-8B`, `qwen3_8b`); a variant whose architecture
    is unknown, since its first shard is missing or its header is damaged, joins the model of its name.
    """
    groups: dict[tuple[str, str], list[Variant]] = {}
    other, unknown = [], []
    for variant in variants:
        if variant.role not in (Role.MODEL, Role.EMBEDDING):
            other.append(variant)
        elif variant.architecture:
            groups.setdefault((name_key(variant.model), variant.architecture), []).append(variant)
        else:
            unknown.append(variant)
    for variant in unknown:
        name = name_key(variant.model)
        key = next((key for key in groups if key[0] == name), (name, ""))
        groups.setdefault(key, []).append(variant)
    models = [_model(members) for members in groups.values()]
    return Shelves(
        tuple(sorted(models, key=lambda model: (name_key(model.name), model.architecture))),
        tuple(sorted(other, key=lambda variant: (variant.role, name_key(variant.model), variant.path))),
    )


def name_key(name: str) -> str:
    """Return a name without case and separators, for comparing."""
    return _SEPARATORS.sub("", name.casefold()) or name


def _model(members: list[Variant]) -> Model:
    ordered = tuple(sorted(members, key=lambda variant: (-variant.size, variant.quant, variant.path)))
    counted = [variant.parameters for variant in ordered if variant.parameters and variant.complete]
    return Model(ordered[0].model, ordered[0].architecture or "", max(counted, default=None), ordered)
