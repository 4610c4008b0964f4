"""Which variant of a repository to take: the largest that fits, or what would fit instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtui.core.hub.remote import RemoteVariant, Status
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.search import largest_context
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.verdict import Fit


@dataclass(frozen=True, slots=True)
class Nearest:
    """What comes nearest where nothing fits as planned."""

    row: RemoteVariant
    context: int
    """Tokens at which it would fit; computed."""


def largest_that_fits(rows: Sequence[RemoteVariant], weighings: Mapping[str, Weighing]) -> RemoteVariant | None:
    """Return the largest variant whose verdict is `fits`, by its files; None: none does, or nothing is known yet.

    `weighings` by the row's key.
    """
    fitting = [
        row for row in rows
        if row.variant.loadable and (found := weighings.get(row.key)) is not None and found.verdict.fit is Fit.FITS
    ]  # fmt: skip
    return max(fitting, key=lambda row: row.size, default=None)


def variants_to_choose(rows: Sequence[RemoteVariant], here: Sequence[Variant]) -> list[Variant]:
    """Return the loadable variants of rows whose headers were read; for one that is here, the file that is here.

    `here`: the variants of this machine. What was measured of a file counts for the file that it was measured of.
    """
    local = {path: variant for variant in here for path in (variant.path, *variant.shards, *variant.paths)}
    found = []
    for row in rows:
        own = local.get(row.here) if row.here is not None and row.status is Status.HERE and not row.newer else None
        if row.header_read and row.variant.loadable:
            found.append(own if own is not None and own.loadable else row.variant)
    return found


async def nearest(guard: Guard, rows: Sequence[RemoteVariant], weighings: Mapping[str, Weighing]) -> Nearest | None:
    """Return the variant that fits at the largest context below the one that was planned; None: none at any."""
    best: Nearest | None = None
    for row in sorted(rows, key=lambda row: row.size):
        weighing = weighings.get(row.key)
        if weighing is None or weighing.footprint is None or not row.variant.loadable:
            continue
        scale = await guard.scale(row.variant, weighing.plan, weighing.headroom)
        context = largest_context(scale, weighing.plan, weighing.plan.ctx_size) if scale is not None else None
        if context and (best is None or context > best.context):
            best = Nearest(row, context)
    return best
