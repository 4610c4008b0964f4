"""The measuring run over a scripted measurer and real folders: order, what is refused, and what an end leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, EngineError, MemoryRefusedError, PlanRefusedError, QtuiError, UsageError
from qtui.core.measure.events import (
    LogitsPlanned,
    MeasureEnded,
    MeasureRunEvent,
    PassAdvanced,
    PassBegan,
    TextTaken,
    VariantFailed,
    VariantMeasured,
)
from qtui.core.measure.request import MeasureRequest, best_reference, default_text, same_model
from qtui.core.measure.run import Measuring
from qtui.core.measure.words import clipped_words, measured_numbers, progress_words
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.services.history import HistoryFile
from qtui.services.measure_files import FolderDesk, MeasureFolder
from qtui.services.measurements import MeasurementsFile
from tests.core.measure.scripted import BIG, KLDS, SMALL, TEXT, TINY, ScriptedMeasurer, means_of, named
from tests.fakes import FakeDryRun, FakeMachine, make_variant

REQUEST = MeasureRequest((SMALL, TINY), TEXT, BIG)


@pytest.fixture
def folder(tmp_path: Path) -> MeasureFolder:
    return MeasureFolder(tmp_path / "measure")


@pytest.fixture
def kept(tmp_path: Path) -> MeasurementsFile:
    return MeasurementsFile(HistoryFile(tmp_path / "history.sqlite3"))


async def events_of(run: Measuring, request: MeasureRequest = REQUEST) -> list[MeasureRunEvent]:
    return [event async for event in run.run(request)]


def end_of(events: list[MeasureRunEvent]) -> MeasureEnded:
    assert isinstance(events[-1], MeasureEnded)
    return events[-1]


async def test_the_reference_is_computed_once_then_each_variant_on_its_tokens(
    folder: MeasureFolder, kept: MeasurementsFile
) -> None:
    measurer = ScriptedMeasurer()
    events = await events_of(Measuring(means_of(measurer, folder, kept)))
    tokens = [("tokens", named(one), 0) for one in (BIG, SMALL, TINY)]
    assert measurer.journal == [
        *tokens, ("reference", named(BIG), 0), ("compare", named(SMALL), 0), ("compare", named(TINY), 0),
    ]  # fmt: skip
    taken, planned = events[:2]
    assert isinstance(taken, TextTaken) and (taken.n_ctx, taken.chunks, taken.text.tokens) == (512, 10, 5120)
    assert isinstance(planned, LogitsPlanned) and planned.needed > 10 * 255 * 200
    ended = end_of(events)
    assert [record.subject.quant for record in ended.records] == ["Q4_K_M", "Q2_K"]
    for record, variant in zip(ended.records, (SMALL, TINY), strict=True):
        divergence = record.scores.kl_divergence
        assert divergence and divergence.mean == pytest.approx(KLDS[variant.path], rel=0.1)
        assert record.complete and record.chunks == 10 and record.time == 7.0
        assert record.subject.hash == f"sha256:{named(variant)}" and record.reference.quant == "F16"
    assert ended.reference and ended.reference.scores.kl_divergence is None
    assert list(await kept.records()) == list(ended.records)[::-1]
    steps = [event for event in events if isinstance(event, PassAdvanced)]
    assert [step.done for step in steps] == [*range(1, 11)] * 3
    assert [step.left for step in steps[:2]] == [pytest.approx(0.5 * 29), pytest.approx(0.5 * 28)]
    assert "chunk 10 of 10, PPL" in progress_words(steps[-1]) and "KLD 0.4" in progress_words(steps[-1])


async def test_what_was_measured_is_not_measured_again(folder: MeasureFolder, kept: MeasurementsFile) -> None:
    first = end_of(await events_of(Measuring(means_of(ScriptedMeasurer(), folder, kept))))
    measurer = ScriptedMeasurer()
    again = end_of(await events_of(Measuring(means_of(measurer, folder, kept))))
    assert {task for task, _, _ in measurer.journal} == {"tokens"}
    assert again.records == first.records
    assert len(await kept.records()) == 2  # the same takes the older one's place
    fresh = ScriptedMeasurer()
    await events_of(Measuring(means_of(fresh, folder)), replace(REQUEST, fresh=True))
    assert [task for task, _, _ in fresh.journal[3:]] == ["reference", "compare", "compare"]
    other = ScriptedMeasurer()
    await events_of(Measuring(means_of(other, folder)), replace(REQUEST, chunks=4))
    assert [(task, done) for task, _, done in other.journal[3:]] == [("reference", 0), ("compare", 0), ("compare", 0)]


async def test_a_run_goes_on_where_its_child_died(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer(dying_at=6)
    with pytest.raises(EngineError, match="killed"):
        await events_of(Measuring(means_of(measurer, folder)))
    measurer.journal.clear()
    measurer.dying_at = 3
    events = await events_of(Measuring(means_of(measurer, folder)))
    assert measurer.journal[3] == ("reference", named(BIG), 6)
    failed = [event for event in events if isinstance(event, VariantFailed)]
    assert [event.variant.quant for event in failed] == ["Q4_K_M"]  # the other variant was measured all the same
    assert [record.subject.quant for record in end_of(events).records] == ["Q2_K"]


async def test_the_end_of_an_interrupted_run_is_that_of_one_in_a_piece(folder: MeasureFolder, tmp_path: Path) -> None:
    straight = end_of(await events_of(Measuring(means_of(ScriptedMeasurer(), MeasureFolder(tmp_path / "other")))))
    measurer = ScriptedMeasurer()
    for _ in range(40):  # ended after every single chunk
        run = Measuring(means_of(measurer, folder))
        events = []
        async for event in run.run(REQUEST):
            events.append(event)
            if isinstance(event, PassAdvanced):
                run.stop()
        if not end_of(events).stopped:
            break
    assert end_of(events).records == straight.records
    assert len([1 for task, _, _ in measurer.journal if task != "tokens"]) == 30


async def test_a_stop_is_heard_while_a_chunk_is_computed_and_keeps_what_is_done(
    folder: MeasureFolder, kept: MeasurementsFile
) -> None:
    await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), replace(REQUEST, variants=(TINY,)))
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    run = Measuring(means_of(measurer, folder, kept))
    events: list[MeasureRunEvent] = []
    async for event in run.run(REQUEST):
        events.append(event)
        if isinstance(event, PassAdvanced):
            asyncio.get_running_loop().call_soon(run.stop)
    ended = end_of(events)
    assert ended.stopped and measurer.closed == 1
    (record,) = ended.records
    assert not record.complete and record.chunks == 1 and record.subject.quant == "Q4_K_M"
    assert "stopped at chunk 1" in measured_numbers(record).verdict and "goes on" in ended.kept
    assert [one.complete for one in await kept.records()] == [False]
    await events_of(Measuring(means_of(ScriptedMeasurer(), folder, kept)))
    assert [one.complete for one in await kept.records()] == [True, True]


async def test_a_cancelled_run_lets_go_of_its_folder(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    begun = asyncio.Event()

    async def watch() -> None:
        async for event in Measuring(means_of(measurer, folder)).run(REQUEST):
            if isinstance(event, PassAdvanced):
                begun.set()

    task = asyncio.create_task(watch())
    await begun.wait()
    with pytest.raises(QtuiError, match="another qtui"):
        await events_of(Measuring(means_of(ScriptedMeasurer(), folder)))
    task.cancel()
    await asyncio.wait({task})
    assert measurer.closed == 1
    measurer = ScriptedMeasurer()
    assert not end_of(await events_of(Measuring(means_of(measurer, folder)))).stopped
    assert measurer.journal[3] == ("reference", named(BIG), 1)


async def test_vocabularies_must_be_the_same(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer(vocabulary={TINY.path: 101})
    with pytest.raises(UsageError, match=r"vocabulary of 101 tokens, Tiny F16 one of 100"):
        await events_of(Measuring(means_of(measurer, folder)))
    with pytest.raises(UsageError, match="divides the text into other tokens"):
        await events_of(Measuring(means_of(ScriptedMeasurer(other_tokens={SMALL.path}), folder)))
    assert not folder.folder.exists()


async def test_a_short_text_says_what_is_missing(folder: MeasureFolder) -> None:
    with pytest.raises(UsageError, match=r"1000 tokens, 24 are missing for two chunks of 512"):
        await events_of(Measuring(means_of(ScriptedMeasurer(tokens=1000), folder)))
    with pytest.raises(UsageError, match="too few"):
        small = replace(REQUEST, n_ctx=64, chunks=1)
        await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), small)


async def test_a_disk_too_small_says_what_is_needed_and_free(
    folder: MeasureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def little(_self: FolderDesk) -> int:
        return (256 << 20) + 300_000

    monkeypatch.setattr(FolderDesk, "free", little)
    measurer = ScriptedMeasurer()
    with pytest.raises(QtuiError, match=r"need 538 KiB, and 256 MiB are free") as refused:
        await events_of(Measuring(means_of(measurer, folder)))
    assert "--chunks 5 would fit" in refused.value.hint and "--save-logits" in refused.value.hint
    assert [task for task, _, _ in measurer.journal] == ["tokens"] * 3
    await events_of(Measuring(means_of(measurer, folder)), replace(REQUEST, chunks=5))


async def test_a_reference_that_is_quantised_is_allowed_and_said(folder: MeasureFolder) -> None:
    request = replace(REQUEST, variants=(TINY,), reference=SMALL, chunks=4, n_ctx=256)
    taken = (await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), request))[0]
    assert isinstance(taken, TextTaken)
    assert [word in " ".join(taken.notes) for word in ("quantised itself (Q4_K_M)", "chunks of 256", "only 508")] == [
        True, True, True,
    ]  # fmt: skip


async def test_models_that_are_not_the_same_are_doubted(folder: MeasureFolder) -> None:
    larger = make_variant("Large", "Q8_0", parameters=8_000_000_000)
    other = make_variant("Other", "Q8_0", architecture="gemma3")
    for variant in (larger, other):
        with pytest.raises(UsageError, match="not variants of one model"):
            await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), replace(REQUEST, variants=(variant,)))
    assert not same_model(larger, SMALL) and same_model(SMALL, BIG)
    request = replace(REQUEST, variants=(larger,), force=True)
    assert end_of(await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), request)).records


async def test_what_does_not_fit_is_refused_and_the_rest_goes_on(folder: MeasureFolder) -> None:
    machine = FakeMachine()
    machine.set(available=0)
    with pytest.raises(MemoryRefusedError, match="needs"):
        await events_of(Measuring(means_of(ScriptedMeasurer(), folder, machine=machine)))
    forced = replace(REQUEST, force=True)
    assert end_of(await events_of(Measuring(means_of(ScriptedMeasurer(), folder, machine=machine)), forced)).records
    failing = ScriptedMeasurer(failing={SMALL.path: EngineError("the model computes no numbers (NaN)")})
    events = await events_of(Measuring(means_of(failing, folder)), replace(REQUEST, fresh=True))
    assert [event.failure.message for event in events if isinstance(event, VariantFailed)] == [
        "the model computes no numbers (NaN)"
    ]
    assert [event.variant for event in events if isinstance(event, VariantMeasured)] == [TINY]


async def test_what_does_not_fit_is_told_before_the_reference_is_computed(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer()
    means = means_of(measurer, folder)
    dry_run = FakeDryRun()
    dry_run.errors[SMALL.path] = PlanRefusedError("this llama.cpp does not know it")
    guard = Guard(Footprints(dry_run), FakeMachine(), means.engine)
    events = await events_of(Measuring(replace(means, guard=guard)), REQUEST)
    place = next(place for place, event in enumerate(events) if isinstance(event, VariantFailed))
    assert place < next(place for place, event in enumerate(events) if isinstance(event, PassBegan))
    journal = [(task, name) for task, name, _ in measurer.journal[3:]]
    assert journal == [("reference", named(BIG)), ("compare", named(TINY))]
    assert [(one.number, one.passes) for one in events if isinstance(one, PassBegan)] == [(1, 2), (2, 2)]
    assert [record.subject.quant for record in end_of(events).records] == ["Q2_K"]
    alone = replace(REQUEST, variants=(SMALL,))
    with pytest.raises(PlanRefusedError, match="does not know it"):
        await events_of(Measuring(replace(means, guard=guard)), alone)
    assert len(measurer.journal) == 3 + 2 + 2, "only the tokens were counted"


async def test_logits_stay_where_a_variant_failed(tmp_path: Path) -> None:
    small = MeasureFolder(tmp_path / "measure", kept_bytes=10)
    failing = ScriptedMeasurer(failing={SMALL.path: EngineError("the engine died")})
    ended = end_of(await events_of(Measuring(means_of(failing, small))))
    assert "goes on from there" in ended.kept
    again = ScriptedMeasurer()
    ended = end_of(await events_of(Measuring(means_of(again, small))))
    assert [(task, done) for task, _, done in again.journal[3:]] == [("compare", 1)], "neither reference nor Q2_K anew"
    assert len(ended.records) == 2 and "are removed" in ended.kept


async def test_logits_of_another_measurement_are_not_written_over(folder: MeasureFolder, tmp_path: Path) -> None:
    saved = replace(REQUEST, save=str(tmp_path / "mine.kld"))
    await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), saved)
    before = (tmp_path / "mine.kld").read_bytes()
    with pytest.raises(QtuiError, match=r"mine\.kld holds other logits: 10 chunks of 512 tokens"):
        await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), replace(saved, chunks=3))
    assert (tmp_path / "mine.kld").read_bytes() == before
    again = end_of(await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), saved))
    assert len(again.records) == 2


async def test_logits_are_written_where_the_user_says_and_measured_against(
    folder: MeasureFolder, tmp_path: Path
) -> None:
    file = tmp_path / "mine.kld"
    ended = end_of(await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), replace(REQUEST, save=str(file))))
    assert "mine.kld" in ended.kept and file.exists()
    measurer = ScriptedMeasurer()
    against = MeasureRequest((SMALL,), None, logits=str(file))
    events = await events_of(Measuring(means_of(measurer, folder)), against)
    assert [task for task, _, _ in measurer.journal] == ["tokens", "compare"]
    (record,) = end_of(events).records
    assert record.reference.quant == "stored logits" and record.reference.hash.startswith("logits:")
    assert record.scores == ended.records[0].scores and file.exists()
    wrong = ScriptedMeasurer(vocabulary={SMALL.path: 90})
    with pytest.raises(UsageError, match=r"vocabulary of 90 tokens, mine\.kld one of 100"):
        await events_of(Measuring(means_of(wrong, folder)), against)
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size - 1)
    with pytest.raises(BadFileError, match=r"9 of 10 chunks") as cut:
        await events_of(Measuring(means_of(measurer, folder)), against)
    assert "--chunks 9" in cut.value.hint
    assert end_of(await events_of(Measuring(means_of(measurer, folder)), replace(against, chunks=9))).records
    text = tmp_path / "notes.txt"
    text.write_text("dear diary")
    with pytest.raises(QtuiError, match="no file of logits"):
        await events_of(Measuring(means_of(measurer, folder)), replace(REQUEST, save=str(text)))
    assert text.read_text() == "dear diary"


async def test_requests_that_make_no_sense(folder: MeasureFolder) -> None:
    for request in (
        replace(REQUEST, variants=()), replace(REQUEST, reference=None), replace(REQUEST, logits="x"),
        replace(REQUEST, text=None), replace(REQUEST, n_ctx=8),
        replace(REQUEST, variants=(make_variant("Tiny", "Q3_K", complete=False),)),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            await events_of(Measuring(means_of(ScriptedMeasurer(), folder)), request)
    assert best_reference([TINY, BIG, SMALL]) == BIG and best_reference([]) is None
    assert best_reference([replace(BIG, problem="truncated"), TINY, replace(SMALL, size=1 << 40)]) is not BIG
    assert (default_text(BIG), default_text(replace(BIG, model="qtui-demo"))) == ("mixed", "demo")


async def test_a_file_that_is_there_twice_and_rows_of_a_reference(folder: MeasureFolder) -> None:
    events = await events_of(Measuring(means_of(ScriptedMeasurer(), folder)))
    began = [event for event in events if isinstance(event, PassBegan)]
    assert [(event.number, event.passes, event.reference) for event in began] == [
        (1, 3, True), (2, 3, False), (3, 3, False),
    ]  # fmt: skip
    ended = end_of(events)
    assert ended.reference and measured_numbers(ended.reference).verdict == "the reference"
    assert measured_numbers(ended.reference).kld == "–"
    assert clipped_words(ended)  # the script's reference and its stored logits have nothing to do with each other
    assert clipped_words(replace(ended, reference=None)) == ()
