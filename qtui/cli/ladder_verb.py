"""`fit --ladder`: what variants need at growing contexts and with smaller cache types."""

from __future__ import annotations

from collections.abc import Sequence

from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.cli.variants import find_variants
from qtui.core.errors import BadFileError
from qtui.core.library.variant import Variant
from qtui.core.memory.ladder import LETTERS, Cell, cache_types, climb, ladder_report, largest_fitting, rungs
from qtui.core.memory.verdict import Headroom
from qtui.core.text import gib

LEGEND = (
    "sizes in GiB; nothing: fits, t tight, p partial, d from disk, x too big, ? refused; ~ computed; - not trained to"
)


async def ladder(context: Context) -> int:
    """Weigh the variants on every rung and print the table."""
    options, console, services = context.options, context.console, context.services
    plan = context.plan(runs=False)
    variants = await _variants(context, [options.variant, *options.more])
    guard = await services.guard_of(options.ram, options.vram, plan.engine)
    contexts, caches = rungs(variants, plan.ctx_size), cache_types(plan)
    found: dict[tuple[str, int, tuple[str, str]], Cell] = {}
    async for cell in climb(guard, variants, plan, contexts, caches):
        found[str(cell.variant.path), cell.context, cell.cache] = cell
        console.progress(f"{cell.variant.title}: context {cell.context}, KV {cell.cache[0]}")
    console.end_progress()
    cells = tuple(found.values())
    errors = [cell.weighing.error for cell in cells if cell.weighing.error is not None]
    if len(errors) == len(cells) and errors:
        raise errors[0]
    room = cells[0].weighing.headroom if cells else await guard.headroom()
    console.json(ladder_report(variants, contexts, cells, room))
    lines = _table(variants, contexts, caches, cells).lines(console.width)
    for line in (*lines, LEGEND, _room(room), *(_best(variant, cells) for variant in variants)):
        console.print(line)
    return 0


async def _variants(context: Context, names: Sequence[str]) -> list[Variant]:
    """Return the variants that are named; a name that is no variant's may be a model's."""
    found = [variant for name in names for variant in await find_variants(context, name)]
    for variant in found:
        if not variant.loadable:
            reason = variant.problem or f"its role is {variant.role.value}"
            raise BadFileError(f"{variant.title} cannot be weighed: {reason}", "choose complete model files")
    return list(dict.fromkeys(found))


def _table(
    variants: Sequence[Variant], contexts: Sequence[int], caches: Sequence[tuple[str, str]], cells: Sequence[Cell]
) -> Table:
    table = Table(("VARIANT", "KV", *(f">{context}" for context in contexts)))
    digits = digits_for(*(cell.weighing.footprint.total for cell in cells if cell.weighing.footprint is not None))
    by_place = {(cell.variant, cell.cache, cell.context): cell for cell in cells}
    for variant in variants:
        for cache in caches:
            row = (by_place.get((variant, cache, context)) for context in contexts)
            title = variant.title if cache == caches[0] else ""
            table.add(title, "/".join(dict.fromkeys(cache)), *(_cell(cell, digits) for cell in row))
    return table


def _best(variant: Variant, cells: Sequence[Cell]) -> str:
    best = largest_fitting([cell for cell in cells if cell.variant == variant])
    if best is None:
        return f"{variant.title}: nothing of this fits; qtui fit --auto searches further"
    return f"{variant.title}: fits up to {best.context} of these, with KV {best.cache[0]}"


def _cell(cell: Cell | None, digits: int) -> str:
    """Return what a cell needs with its letter; a space keeps the numbers of a column in line."""
    if cell is None:
        return "- "
    footprint = cell.weighing.footprint
    letter = LETTERS[cell.weighing.verdict.fit] or " "
    return "? " if footprint is None else gib_of(footprint.total, footprint.origin, digits) + letter


def _room(room: Headroom) -> str:
    parts = [f"RAM {gib(room.ram)}", *(f"GPU{index} {gib(left)}" for index, left in enumerate(room.vram))]
    return f"headroom{' (simulated)' if room.simulated else ''}: {'  '.join(parts)}"
