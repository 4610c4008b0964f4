"""What was measured here: it goes before what is published, for the same bytes only, and stays apart from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.advice.frontier import apart, frontier
from qtui.core.advice.loss import Losses
from qtui.core.advice.ranking import advise_on
from qtui.core.advice.wishes import Wishes
from qtui.core.errors import QtuiError
from qtui.core.hub.choice import variants_to_choose
from qtui.core.hub.listing import list_variants
from qtui.core.hub.repository import LocalCopy, Repository
from qtui.core.library.variant import Variant
from qtui.core.measure.quality import Qualities, Quality
from qtui.core.measure.records import MeasuredFile
from qtui.core.origin import Origin
from qtui.services.evidence import EvidenceFiles
from qtui.services.history import HistoryFile
from qtui.services.measurements import MeasurementsFile
from tests.core.advice.make import candidate
from tests.core.measure.samples import Q4, record_of
from tests.fake_hub import FakeHub, make_file
from tests.fakes import FakeHashes, make_variant

MEASURED = make_variant("Tiny", "Q4_K_M", size=Q4.size)
OTHER = make_variant("Tiny", "Q4_0", size=299)


async def test_a_kept_measurement_reaches_ranking_and_frontier(tmp_path: Path) -> None:
    kept = MeasurementsFile(HistoryFile(tmp_path / "h.sqlite"))
    await kept.keep(record_of(replace(Q4, hash=await FakeHashes().hash(MEASURED)), kld=0.0123))
    losses = Losses(EvidenceFiles(Path("/nowhere")).load()[0], Qualities(kept, FakeHashes()).of)
    found = await losses.of([MEASURED, OTHER])
    mine, its = found[MEASURED.path], found[OTHER.path]
    assert (mine.origin, mine.kl_divergence, mine.cell) == (Origin.MEASURED, 0.0123, "0.012")
    assert its.origin is Origin.PUBLISHED and its.cell == "°0.072" and losses.problem == ""
    assert "measured here against F16, text mixed" in mine.sentence and "not your model" not in mine.sentence
    both = [candidate("Q4_K_M", needs=4, known=mine), candidate("Q4_0", needs=5, known=its)]
    points = frontier(both)
    assert not any(point.dominated_by for point in points) and "are not compared" in apart(points)
    assert [each.candidate.label.text for each in advise_on(both, Wishes()).ranking] == ["Q4_K_M", "Q4_0"]


async def test_what_others_were_measured_against_is_marked_and_keeps_its_published_figure(tmp_path: Path) -> None:
    kept = MeasurementsFile(HistoryFile(tmp_path / "h.sqlite"))
    against = replace(MeasuredFile.of(OTHER, "sha256:other"), path=OTHER.file)
    await kept.keep(record_of(replace(Q4, hash=await FakeHashes().hash(MEASURED)), reference=against))
    found = await Losses(EvidenceFiles(Path("/nowhere")).load()[0], Qualities(kept, FakeHashes()).of).of(
        [MEASURED, OTHER]
    )
    its = found[OTHER.path]
    assert (its.cell, its.origin) == ("ref", Origin.PUBLISHED) and its.kl_divergence is not None
    assert its.sentence.endswith("others here were measured against it")
    assert found[MEASURED.path].cell == "0.031"


async def test_a_history_that_cannot_be_read_leaves_what_is_published() -> None:
    async def broken(_variants: Sequence[Variant]) -> Mapping[Path, Quality]:
        raise QtuiError("the history is damaged", "move it away")

    losses = Losses(EvidenceFiles(Path("/nowhere")).load()[0], broken)
    found = await losses.of([OTHER])
    assert found[OTHER.path].origin is Origin.PUBLISHED and "the history is damaged" in losses.problem


def test_of_a_repository_what_is_here_is_judged_by_the_file_that_is_here() -> None:
    files = [make_file("Tiny-Q8_0.gguf", 400), make_file("Tiny-Q4_K_M.gguf", Q4.size), make_file("Tiny-Q2_K.gguf", 90)]
    copy = LocalCopy("Tiny-Q4_K_M.gguf", MEASURED.path, Q4.size, files[1].sha256)
    listing = list_variants(Repository("acme/Tiny-GGUF"), files, FakeHub().header_path, (copy,))
    rows = [replace(row, header_read=row.key != "Tiny-Q2_K.gguf") for row in listing.rows]
    found = variants_to_choose(rows, [MEASURED, OTHER])
    assert [variant.file for variant in found] == ["acme/Tiny-GGUF/Tiny-Q8_0.gguf", str(MEASURED.path)]
    newer = [replace(row, newer=True) for row in rows]
    assert all(variant.address for variant in variants_to_choose(newer, [MEASURED]))
