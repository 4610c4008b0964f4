"""What the quality of a variant is said to be: of the same bytes only, and comparable within a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.library.variant import Variant
from qtui.core.measure.bands import Band
from qtui.core.measure.quality import UNKNOWN, Qualities
from qtui.core.measure.records import MeasureRecord
from qtui.core.origin import Origin
from tests.core.measure.samples import F16, Q4, SCORES, record_of
from tests.fakes import make_variant

Q4_FILE = make_variant("Tiny", "Q4_K_M", size=Q4.size)
Q2_FILE = make_variant("Tiny", "Q2_K", size=100)
Q2 = replace(Q4, quant="Q2_K", size=100, hash="sha256:q2")


class Kept:
    """Measurements in a list."""

    def __init__(self, *records: MeasureRecord) -> None:
        self.kept = list(records)

    async def keep(self, record: MeasureRecord) -> None:
        self.kept.append(record)

    async def records(self, limit: int = 50, search: str = "") -> Sequence[MeasureRecord]:
        return self.kept[:limit]

    async def delete(self, ids: Sequence[str] | None = None) -> int:
        return 0


class Named:
    """Hashes by path; counts what it was asked."""

    def __init__(self, hashes: dict[Path, str]) -> None:
        self.hashes, self.asked = hashes, list[Path]()

    async def hash(self, variant: Variant) -> str:
        self.asked.append(variant.path)
        return self.hashes.get(variant.path, "")


HASHES = {Q4_FILE.path: Q4.hash, Q2_FILE.path: Q2.hash}


async def test_a_measurement_counts_for_the_same_bytes_only() -> None:
    other = make_variant("Other", "Q4_K_M", size=77)
    hashes = Named({**HASHES, other.path: Q4.hash})
    told = await Qualities(Kept(record_of()), hashes).of([Q4_FILE, Q2_FILE, other])
    assert told[Q4_FILE.path].origin is Origin.MEASURED and told[Q4_FILE.path].kld == 0.031
    assert told[Q4_FILE.path].band is Band.GOOD and "F16" in told[Q4_FILE.path].source
    assert told[Q2_FILE.path] is UNKNOWN and UNKNOWN.band is None
    assert hashes.asked == [Q4_FILE.path]  # nothing else has a size that was measured
    changed = await Qualities(Kept(record_of()), Named({Q4_FILE.path: "sha256:changed"})).of([Q4_FILE])
    assert changed[Q4_FILE.path] is UNKNOWN


async def test_without_a_history_nothing_is_known() -> None:
    assert (await Qualities(None, Named({})).of([Q4_FILE]))[Q4_FILE.path] is UNKNOWN


async def test_of_several_the_one_counts_that_its_model_can_be_compared_by() -> None:
    q8 = replace(F16, quant="Q8_0", hash="sha256:q8")
    both = [record_of(kld=0.03), record_of(Q2, kld=0.4)]
    newer = record_of(kld=0.01, reference=q8, time=9.0, scores=replace(SCORES, tokens=90_000))
    told = await Qualities(Kept(*both, newer), Named(HASHES)).of([Q4_FILE, Q2_FILE])
    assert told[Q4_FILE.path].kld == 0.03
    assert told[Q4_FILE.path].ground == told[Q2_FILE.path].ground
    alone = await Qualities(Kept(*both, newer), Named(HASHES)).of([Q4_FILE])
    assert alone[Q4_FILE.path].record == newer
    bare = record_of(scores=replace(SCORES, kl_divergence=None))
    assert (await Qualities(Kept(bare), Named(HASHES)).of([Q4_FILE]))[Q4_FILE.path] is UNKNOWN


def test_only_the_same_part_of_the_text_by_the_same_build_is_compared() -> None:
    one = record_of()
    assert one.ground == record_of(Q4, 0.2).ground
    for other in (replace(one, chunks=3), replace(one, n_ctx=256), replace(one, build="0.6.0")):
        assert other.ground != one.ground


async def test_what_was_measured_against_itself_tells_nothing() -> None:
    itself = record_of(Q4, 0.0, reference=Q4)
    told = await Qualities(Kept(itself), Named(HASHES)).of([Q4_FILE])
    assert told[Q4_FILE.path] is UNKNOWN
