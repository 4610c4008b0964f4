"""Repositories and their variants as plain tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from qtui.cli.tables import Table, digits_for, gib_of
from qtui.core.hub.choice import Nearest
from qtui.core.hub.listing import Listing
from qtui.core.hub.remote import RemoteVariant, Status
from qtui.core.hub.repository import Repository
from qtui.core.library.variant import Role
from qtui.core.memory.guard import Weighing
from qtui.core.memory.verdict import Fit
from qtui.core.text import count, gib, size


def search_table(repositories: Sequence[Repository]) -> Table:
    """Return repositories as rows."""
    table = Table(("REPOSITORY", ">PARAMS", "ARCH", ">DOWNLOADS", ">LIKES", "UPDATED", "ACCESS", "LICENCE"))
    for each in repositories:
        table.add(
            each.id, count(each.parameters), each.architecture or "?", count(each.downloads), count(each.likes),
            date(each.updated), each.access.value, each.licence or "?",
        )  # fmt: skip
    return table


def quants_lines(
    listing: Listing, weighings: Mapping[str, Weighing], suggested: RemoteVariant | None, near: Nearest | None,
    width: int | None,
) -> list[str]:  # fmt: skip
    """Return a repository's variants as lines: the table, what else is in it, what to take."""
    repository = listing.repository
    known = [f"{count(repository.parameters)} parameters" if repository.parameters else "", repository.architecture]
    head = ", ".join(part for part in (*known, repository.licence, repository.access.value) if part)
    lines = [f"{repository.id}: {head}"]
    rows = (*listing.rows, *listing.drafts)
    if rows:
        lines += ["", *_table(rows, weighings, suggested).lines(width), "sizes in GiB; ~ computed"]
    lines += [f"{row.variant.role.value}: {row.key}, {size(row.size)}" for row in listing.others]
    lines += [f"{row.variant.quant}: {flag}" for row in rows for flag in row.flags if flag.startswith("says ")]
    lines += [f"note: {note}" for note in listing.notes]
    verdicts = [weighing.verdict.fit for weighing in weighings.values()]
    if suggested is not None:
        lines.append(f"* {suggested.variant.quant} is the largest that fits")
    elif near is not None:
        context = next(iter(weighings.values())).plan.ctx_size
        lines.append(f"nothing here fits at {context}: {near.row.variant.quant} would at {near.context}")
    elif verdicts and all(fit is not Fit.UNKNOWN for fit in verdicts):
        lines.append("nothing here fits, at any context")
    return lines


def date(moment: float | None) -> str:
    """Return the day of a time; `?` when unknown."""
    try:
        return "?" if moment is None else time.strftime("%Y-%m-%d", time.gmtime(moment))
    except (OverflowError, OSError, ValueError):
        return "?"


def _table(rows: Sequence[RemoteVariant], weighings: Mapping[str, Weighing], suggested: RemoteVariant | None) -> Table:
    table = Table(("", "VARIANT", ">SIZE", ">BPW", ">NEEDS", "FIT", "DATE", "STATUS", "NOTE"), flexible=8)
    digits = digits_for(*(row.size for row in rows))
    for row in rows:
        weighing = weighings.get(row.key)
        footprint = weighing.footprint if weighing is not None else None
        needs = "?" if footprint is None else gib_of(footprint.total, footprint.origin, digits)
        bits = "?" if row.variant.bits_per_weight is None else f"{row.variant.bits_per_weight:.2f}"
        star = "*" if suggested is not None and suggested.key == row.key else ""
        table.add(
            star, row.variant.quant, gib_of(row.size, digits=digits), bits, needs, _fit(weighing), date(row.date),
            _status(row), _note(row, weighing),
        )  # fmt: skip
    return table


def _fit(weighing: Weighing | None) -> str:
    if weighing is None:
        return "?"
    if weighing.verdict.fit is Fit.TOO_BIG:
        return f"over {gib(weighing.verdict.short_by)}"
    return weighing.verdict.fit.value.replace("_", " ")


def _status(row: RemoteVariant) -> str:
    if row.newer:
        return "newer on the Hub"
    if row.status is Status.PARTIAL and len(row.files) > 1:
        return f"partial, of {len(row.files)} shards"
    return row.status.value


def _note(row: RemoteVariant, weighing: Weighing | None) -> str:
    role = "" if row.variant.role is Role.MODEL else row.variant.role.value
    shards = f"{len(row.files)} shards" if len(row.files) > 1 else ""
    error = weighing.error.message if weighing is not None and weighing.error is not None else ""
    return "; ".join(part for part in (role, shards, row.variant.problem, row.problem, error, row.scan) if part)
