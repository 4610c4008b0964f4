"""Repositories and their variants as JSON, as `qtui search --json` and `qtui quants --json` print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qtui.core.hub.kinds import Kind
from qtui.core.hub.listing import Listing
from qtui.core.hub.query import Query
from qtui.core.hub.remote import RemoteVariant
from qtui.core.hub.repository import Repository
from qtui.core.memory.guard import Weighing


def search_report(query: Query, repositories: Iterable[Repository], following: str) -> dict[str, Any]:
    """Return the object of `qtui search --json`; `following` names the next page, empty: there is none."""
    return {
        "query": query.text,
        "sort": query.sort.value,
        "repositories": [repository_report(repository) for repository in repositories],
        "next": following or None,
    }


def repository_report(repository: Repository) -> dict[str, Any]:
    """Return one repository; times in seconds since the epoch, unknown values None."""
    return {
        "repo": repository.id,
        "access": repository.access.value,
        "licence": repository.licence or None,
        "architecture": repository.architecture or None,
        "parameters": repository.parameters,
        "context_length": repository.context_length,
        "downloads": repository.downloads,
        "likes": repository.likes,
        "updated": repository.updated,
        "created": repository.created,
        "base_models": list(repository.base_models),
        "gguf": repository.gguf,
    }


def quants_report(
    listing: Listing,
    weighings: Mapping[str, Weighing],
    suggested: RemoteVariant | None,
    kind: Kind | None = None,
    alternatives: Sequence[Repository] = (),
) -> dict[str, Any]:
    """Return the object of `qtui quants --json`.

    Args:
        listing: with what was read of it.
        weighings: by the row's key.
        suggested: the largest that fits.
        kind: what the repository is, where it holds no GGUF file.
        alternatives: GGUF repositories of the same model then.
    """
    body: dict[str, Any] = {
        "repo": listing.repository.id,
        "commit": listing.repository.commit or None,
        "access": listing.repository.access.value,
        "variants": [_row(row, weighings.get(row.key)) for row in (*listing.rows, *listing.drafts)],
        "others": [_row(row, None) for row in listing.others],
        "suggested": suggested.key if suggested is not None else None,
        "notes": list(listing.notes),
    }
    if kind is not None:
        body["kind"] = {
            "format": kind.format.value, "why": kind.why, "command": kind.command or None, "advice": kind.advice,
        }  # fmt: skip
        body["alternatives"] = [repository_report(repository) for repository in alternatives]
    return body


def _row(row: RemoteVariant, weighing: Weighing | None) -> dict[str, Any]:
    variant = row.variant
    return {
        "file": row.key,
        "shards": [file.path for file in row.files] if len(row.files) > 1 else [],
        "model": variant.model,
        "quant": variant.quant,
        "role": variant.role.value,
        "architecture": variant.architecture or None,
        "parameters": variant.parameters,
        "bits_per_weight": None if variant.bits_per_weight is None else round(variant.bits_per_weight, 4),
        "context_length": variant.context_length,
        "size": row.size,
        "sha256": row.sha256,
        "date": row.date,
        "scan": row.scan or None,
        "projector": row.projector.path if row.projector is not None else None,
        "status": row.status.value,
        "newer": row.newer,
        "here": str(row.here) if row.here is not None else None,
        "problem": row.problem or variant.problem,
        "flags": list(row.flags),
        "footprint": _footprint(weighing) if weighing is not None else None,
    }


def _footprint(weighing: Weighing) -> dict[str, Any]:
    footprint, verdict = weighing.footprint, weighing.verdict
    return {
        "total": footprint.total if footprint is not None else None,
        "pools": footprint.pools.as_json() if footprint is not None else {},
        "verdict": verdict.fit.value,
        "pool": verdict.pool,
        "short_by": verdict.short_by if footprint is not None else None,
        "origin": footprint.origin.value if footprint is not None else "unknown",
        "reason": verdict.reason,
    }
