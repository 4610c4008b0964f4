"""The quality of a variant as it was measured here. What was published comes second: `core/advice/loss.py`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtui.core.duel.storage import Hashes
from qtui.core.library.variant import Variant
from qtui.core.measure.bands import Band, band_of
from qtui.core.measure.ports import Measurements
from qtui.core.measure.records import MeasureRecord
from qtui.core.origin import Origin

MOST = 10_000
"""Measurements that are looked through."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How far a variant is from its reference, and how that is known."""

    origin: Origin = Origin.UNKNOWN
    """MEASURED or UNKNOWN."""
    kld: float | None = None
    """Mean KL divergence in nats."""
    stderr: float | None = None
    same_top: float | None = None
    """Share of tokens, from 0 to 1."""
    source: str = ""
    """Against what, on which text."""
    ground: str = ""
    """Only numbers that share it may be compared; empty: none."""
    record: MeasureRecord | None = None
    """What was measured."""

    @property
    def band(self) -> Band | None:
        """Return how far that is, in words; None where it is not known."""
        return None if self.kld is None else band_of(self.kld)


UNKNOWN = Quality()


class Qualities:
    """Answers what the quality of variants is. A measurement counts for the same bytes only, told by their hash."""

    def __init__(self, measurements: Measurements | None, hashes: Hashes) -> None:
        self._measurements = measurements
        self._hashes = hashes

    async def of(self, variants: Sequence[Variant]) -> Mapping[Path, Quality]:
        """Return the quality of each variant as it was measured, by path; `UNKNOWN` of what was not.

        What was measured against itself tells nothing. Of several measurements of a file the one counts whose ground
        most variants of its model share, then the one of most tokens, then the newest. Only files of a size that was
        measured are hashed.

        Raises:
            QtuiError: the history cannot be read.
        """
        records = await self._measurements.records(MOST) if self._measurements is not None else ()
        by_hash: dict[str, list[MeasureRecord]] = defaultdict(list)
        for record in records:
            itself = record.subject.hash == record.reference.hash
            if record.subject.hash and record.scores.kl_divergence is not None and not itself:
                by_hash[record.subject.hash].append(record)
        sizes = {record.subject.size for kept in by_hash.values() for record in kept}
        found: dict[Path, list[MeasureRecord]] = {}
        for variant in variants:
            if variant.size in sizes and not variant.address:
                kept = by_hash.get(await self._hashes.hash(variant))
                if kept:
                    found[variant.path] = kept
        shared = Counter(
            (variant.model, ground)
            for variant in variants
            for ground in {record.ground for record in found.get(variant.path, ())}
        )
        return {
            variant.path: measured_quality(_best(found[variant.path], variant.model, shared))
            if variant.path in found
            else UNKNOWN
            for variant in variants
        }


def measured_quality(record: MeasureRecord) -> Quality:
    """Return what a measurement says."""
    divergence, same = record.scores.kl_divergence, record.scores.same_top
    if divergence is None:
        return UNKNOWN
    return Quality(
        Origin.MEASURED, divergence.mean, divergence.stderr, same.value if same else None,
        f"measured here {record.method}", record.ground, record,
    )  # fmt: skip


def _best(records: Sequence[MeasureRecord], model: str, shared: Mapping[tuple[str, str], int]) -> MeasureRecord:
    return max(records, key=lambda one: (shared.get((model, one.ground), 0), one.scores.tokens, one.time))
