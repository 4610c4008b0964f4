"""The library as JSON, as `qtui ls --json` prints it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtui.core.library.copies import hashes
from qtui.core.library.variant import Variant


def library_report(variants: Iterable[Variant]) -> dict[str, Any]:
    """Return `{"variants": [...]}` with every key of the documented form; sizes in bytes, unknown values None."""
    return {"variants": [variant_report(variant) for variant in variants]}


def variant_report(variant: Variant) -> dict[str, Any]:
    """Return one variant; the keys about copies are those of a marked one (`core.library.copies`).

    Bytes of a path that are no UTF-8 stay the lone surrogates that Python reads them as: JSON in ASCII writes those as
    escapes, so that a program that reads them back gets the file's true name.
    """
    return {
        "path": str(variant.path),
        "paths": [str(path) for path in variant.paths or (variant.path,)],
        "shards": [str(path) for path in variant.shards],
        "model": variant.model,
        "quant": variant.quant,
        "architecture": variant.architecture,
        "role": variant.role.value,
        "parameters": variant.parameters,
        "size": variant.size,
        "bits_per_weight": None if variant.bits_per_weight is None else round(variant.bits_per_weight, 4),
        "context_length": variant.context_length,
        "source": variant.source,
        "repository": variant.repository,
        "complete": variant.complete,
        "problem": variant.problem,
        "owner": variant.owner.value,
        "aliases": list(variant.aliases),
        "sha256": list(hashes(variant) or ()) or None,
        "duplicate_of": None if variant.duplicate_of is None else str(variant.duplicate_of),
        "possible_duplicate_of": None if variant.possible_duplicate_of is None else str(variant.possible_duplicate_of),
        "reclaimable": variant.reclaimable,
    }
