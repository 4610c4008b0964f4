"""Flags: what a header or a name says of a file that one would not expect, in sentences."""

from __future__ import annotations

import re

from qtui.core.gguf import types
from qtui.core.gguf.facts import Facts, MixRow
from qtui.core.library.variant import Role

LEAST_SHARE = 0.05
"""Of the weights, from which on a type below the label's is worth a word."""
LEAST_OF_BASE = 0.25
"""Of the weights, that a label's own type has at least."""
FEWER_BITS = 0.7
"""Bits per weight below the label's type: mixes of llama.cpp stay within this."""
RECENT_TYPES = ("MXFP4", "NVFP4", "Q1_0", "Q2_0")
"""Types that programs with an older llama.cpp inside do not read (MXFP4 came with llama.cpp PR 15091, August 2025)."""
_MIX = re.compile(r"^(?:UD-|smol-|mix:)|_(?:XXL|XL|L|P)$")
_MARK = re.compile(r"^i1-")
_PRUNED = re.compile(r"(?:^|[-_./ ])REAP(?:[-_./ ]|\d|$)", re.IGNORECASE)
_MXFP4_NATIVE = ("gpt-oss",)
_BASES = {kind.name: kind.base_type for kind in types.FILE_TYPES.values()}


def name_flags(path: str) -> tuple[str, ...]:
    """Return what the name alone tells."""
    return (
        ("pruned (REAP): experts were taken out, so that it is another model than the one it is named after",)
        if _PRUNED.search(path)
        else ()
    )


def header_flags(facts: Facts, label: str, path: str = "") -> tuple[str, ...]:
    """Return what a header tells of a file that is called by a label.

    Args:
        facts: of all its shards.
        label: of its name: `Q4_K_M`; empty where the name has none.
        path: in its repository.
    """
    found = list(name_flags(f"{path} {facts.model or ''}"))
    if facts.role in (Role.MODEL, Role.EMBEDDING):
        found += _disagreement(facts, label)
        found += _native(facts, label)
        found += _readers(facts)
    found += facts.warnings
    return tuple(dict.fromkeys(found))


def _disagreement(facts: Facts, label: str) -> list[str]:
    """Say where the weights are not of the type that the label stands for."""
    plain = _MARK.sub("", label)
    base = _BASES.get(plain, "")
    weights = _weights(facts)
    if not base or _MIX.search(plain) or not weights:
        return []
    shares = {row.name: row.elements / sum(each.elements for each in weights) for row in weights}
    bits = _bits(base)
    lower = [
        row for row in weights
        if (own := _bits(row.name)) is not None and bits is not None and own < bits - FEWER_BITS
    ]  # fmt: skip
    most = max(lower, key=lambda row: row.elements, default=None)
    if most is not None and shares[most.name] >= LEAST_SHARE:
        return [f"says {label}, holds {100 * shares[most.name]:.0f} % {most.name}"]
    if shares.get(base, 0.0) < LEAST_OF_BASE:
        largest = max(weights, key=lambda row: row.elements)
        return [f"says {label}, holds {100 * shares[largest.name]:.0f} % {largest.name}"]
    return []


def _native(facts: Facts, label: str) -> list[str]:
    """Say of a model that was trained in four bits what other labels than its own are worth."""
    if not facts.architecture.startswith(_MXFP4_NATIVE):
        return []
    share = sum(row.elements for row in facts.mix if row.name == "MXFP4") / (facts.parameters or 1)
    if share >= LEAST_OF_BASE:
        return ["its experts are MXFP4 as they were trained: larger quants of it add bytes and hardly any quality"]
    return [f"the model was trained in MXFP4; {label or 'this file'} has converted its experts to another type"]


def _readers(facts: Facts) -> list[str]:
    """Say which programs read the types that are in it, where not all do."""
    recent = [row.name for row in facts.mix if row.name in RECENT_TYPES]
    return [f"holds {', '.join(recent)}: only programs with a recent llama.cpp inside load it"] if recent else []


def _weights(facts: Facts) -> list[MixRow]:
    """Return the types of the weights; the few that stay whole in every quant (norms, biases) are not among them."""
    quantised = [row for row in facts.mix if row.name != "F32"]
    return quantised or list(facts.mix)


def _bits(name: str) -> float | None:
    number = types.TYPE_IDS.get(name)
    kind = types.TENSOR_TYPES.get(number) if number is not None else None
    return 8 * kind.type_size / kind.block_size if kind is not None and kind.known else None
