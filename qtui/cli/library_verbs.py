"""`ls` and `show`: what is on this machine, and what one file's header says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.cli.variants import find_variant
from qtui.core.gguf.facts import Facts
from qtui.core.gguf.names import parse_name
from qtui.core.hub.flags import header_flags
from qtui.core.library.grouping import group_models
from qtui.core.library.report import library_report
from qtui.core.library.variant import Role, Variant
from qtui.core.text import clean_name, count, gib, size

MAX_VALUE = 120
"""Characters of a metadata value in the plain form; --json has all."""


async def ls(context: Context) -> int:
    """List the variants, grouped into models."""
    console, library = context.console, context.services.library
    variants: list[Variant] = []
    async for variant in library.scan(context.options.models_dir):
        variants.append(variant)
        console.progress(f"{len(variants)} found")
    console.end_progress()
    shelves = group_models(variants)
    ordered = [variant for model in shelves.models for variant in model.variants] + list(shelves.other)
    console.json(library_report(ordered))
    if not ordered:
        looked = context.options.models_dir or [path for _, path in library.places()]
        console.note("no models here; looked in:")
        for folder in looked:
            console.note(f"  {folder}")
        console.note("hint: --models-dir DIR, or qtui demo")
        return 0
    for line in _table(ordered).lines(console.width):
        console.print(line)
    console.print("sizes in GiB")
    return 0


async def show(context: Context) -> int:
    """Print what the header of a variant says."""
    console, services = context.console, context.services
    variant = await find_variant(context, context.options.variant)
    facts = await asyncio.to_thread(services.facts, variant)
    label = parse_name(variant.file, variant.repository).quant or ""
    warnings = [line for line in (variant.problem, *header_flags(facts, label, variant.file)) if line]
    report = facts.as_json(variant.file, variant.model, variant.quant) | {"warnings": warnings}
    console.json(report)
    for line in (*_facts(variant, facts, console.width), *(f"warning: {warning}" for warning in warnings)):
        console.print(line)
    return 0


def _table(variants: Sequence[Variant]) -> Table:
    table = Table(("MODEL", "QUANT", "ARCH", ">PARAMS", ">SIZE", ">BPW", "WHERE", "NOTE"))
    digits = digits_for(*(variant.size for variant in variants))
    for variant in variants:
        bits = "?" if variant.bits_per_weight is None else f"{variant.bits_per_weight:.2f}"
        role = "" if variant.role is Role.MODEL else variant.role.value
        note = "; ".join(part for part in (role, variant.problem) if part)
        table.add(
            variant.model, variant.quant, variant.architecture or "?", count(variant.parameters),
            gib_of(variant.size, digits=digits), bits, variant.source, note,
        )  # fmt: skip
    return table


def _facts(variant: Variant, facts: Facts, width: int | None) -> list[str]:
    active = f", {count(facts.active_parameters)} active" if facts.active_parameters != facts.parameters else ""
    bits = "?" if facts.bits_per_weight is None else f"{facts.bits_per_weight:.3f}"
    per_token = "not the same for every token" if facts.context_bytes_per_token is None else None
    lines = [
        f"{facts.model or variant.model} {variant.quant}",
        f"file           {variant.file}",
        f"architecture   {facts.architecture or '?'}, {facts.layers or '?'} layers, role {facts.role.value}",
        f"parameters     {count(facts.parameters)}{active}, {bits} bits per weight, {size(variant.size)}",
        f"context        trained to {facts.context_length or '?'}; one token takes "
        f"{per_token or size(facts.context_bytes_per_token)} at f16",
        f"chat template  {'yes' if facts.chat_template else 'none'}",
        f"imatrix        {', '.join(f'{k} {v}' for k, v in facts.imatrix.items()) or 'not noted in the file'}",
    ]
    if facts.experts:
        lines.append(f"experts        {facts.experts.count}, of which {facts.experts.used or '?'} compute a token")
    if facts.mix:
        table = Table(("TYPE", ">TENSORS", ">ELEMENTS", ">GiB"))
        digits = digits_for(*(row.bytes for row in facts.mix))
        for row in facts.mix:
            table.add(row.name, str(row.tensors), count(row.elements), gib(row.bytes, digits))
        lines += ["", *table.lines(width)]
    if facts.metadata:
        table = Table(("METADATA", "VALUE"), flexible=1)
        for key, value in facts.metadata.items():
            table.add(key, clean_name(str(value), MAX_VALUE))
        lines += ["", *table.lines(width)]
    return lines
