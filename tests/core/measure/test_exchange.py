"""What of a round can be measured, and the run over a scripted measurer and real folders."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.duel.conversation import Answer
from qtui.core.duel.run import DuelMode, RoundEnded
from qtui.core.duel.side import SideResult
from qtui.core.errors import EngineError, MemoryRefusedError, QtuiError, UsageError
from qtui.core.events import Loaded
from qtui.core.library.variant import Variant
from qtui.core.measure import room
from qtui.core.measure.events import ExchangeAdvanced, ExchangeEvent, ExchangeMeasured, PassBegan, PassLoading
from qtui.core.measure.exchange import Exchange, ExchangeMeasuring, exchange_of
from qtui.core.measure.words import exchange_words
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.services.measure_files import MeasureFolder
from tests.core.measure.scripted import BIG, KLDS, SMALL, TINY, ScriptedMeasurer, means_of, named
from tests.fakes import RESIDENT, FakeMachine, make_variant


def side(label: str, variant: Variant, text: str = "the answer", **fields: object) -> SideResult:
    """Return a side that answered; `fields` are further fields of its answer."""
    plain = Answer(
        text, "", "stop", 100, 0, 20, 0.1, 60.0, 20.0, 42, RESIDENT, prompt=f"<user>why<{label}>",
        pieces=("the", " answer"),
    )  # fmt: skip
    loaded = Loaded(1.5, {}, 512, "file", RESIDENT)
    return SideResult(label, variant, loaded=loaded, answer=replace(plain, **fields))  # type: ignore[arg-type]


def ended(*sides: SideResult) -> RoundEnded:
    return RoundEnded("why", DuelMode.ALTERNATING, sides)


EXCHANGE = exchange_of(ended(side("A", TINY), side("B", BIG)))


@pytest.fixture
def folder(tmp_path: Path) -> MeasureFolder:
    return MeasureFolder(tmp_path / "measure")


def left(folder: MeasureFolder) -> list[str]:
    """Return what of the work is still there."""
    return [path.name for path in folder.folder.iterdir()] if folder.folder.exists() else []


async def events_of(
    measurer: ScriptedMeasurer, folder: MeasureFolder, exchange: Exchange = EXCHANGE, machine: FakeMachine | None = None
) -> list[ExchangeEvent]:
    run = ExchangeMeasuring(means_of(measurer, folder, machine=machine))
    return [event async for event in run.run(exchange)]


def test_the_better_file_is_the_reference_and_its_answer_is_read() -> None:
    for sides in (
        (side("A", TINY), side("B", BIG, "B’s", written="<think>x</think>B’s")),
        (side("A", BIG), side("B", TINY)),
    ):
        found = exchange_of(ended(*sides))
        assert (found.reference.variant, found.other.variant) == (BIG, TINY)
        assert found.prompt == f"<user>why<{found.reference.side}>"
        assert found.answer == ("<think>x</think>B’s" if found.reference.side == "B" else "the answer")
    larger = exchange_of(ended(side("A", replace(SMALL, size=10)), side("B", replace(TINY, size=20))))
    assert larger.reference.side == "B", "neither is whole: the larger one"
    assert exchange_of(ended(side("A", SMALL), side("B", SMALL))).reference.side == "A"


def test_what_takes_a_moment_by_the_round_itself_need_not_be_asked_for() -> None:
    assert EXCHANGE.seconds == pytest.approx(2 * (1.5 + 120 / 60)) and not EXCHANGE.at_once
    quick = exchange_of(ended(side("A", TINY, prompt_rate=1000.0), side("B", SMALL, prompt_rate=1000.0)))
    assert quick.at_once
    unknown = exchange_of(ended(side("A", TINY, prompt_rate=None), side("B", SMALL, prompt_rate=1e9)))
    assert unknown.seconds is None and not unknown.at_once
    assert exchange_of(ended(replace(side("A", TINY), loaded=None), side("B", SMALL))).seconds is None


@pytest.mark.parametrize(
    ("round_", "says"),
    [
        (ended(side("A", TINY)), "both sides must have answered"),
        (ended(side("A", TINY), SideResult("B", SMALL)), "both sides must have answered"),
        (ended(side("A", TINY), side("B", replace(SMALL, address="acme/tiny"))), "side B is answered by a server"),
        (ended(side("A", TINY), side("B", make_variant("Other", architecture="qwen3"))), "not variants of one model"),
        (ended(side("A", TINY), side("B", BIG, "")), "side B wrote nothing"),
        (ended(side("A", TINY), side("B", BIG, prompt="")), "does not tell the prompt"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(round_: RoundEnded, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        exchange_of(round_)


async def test_both_read_the_same_text_one_after_the_other_and_nothing_stays(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer()
    kept = await folder.open("kept")
    Path(kept.logits).write_bytes(b"of another measurement")
    await kept.close(done=True)
    events = await events_of(measurer, folder)
    tokens = [("tokens", named(one), 0) for one in (BIG, TINY)]
    assert measurer.journal == [*tokens, ("reference", named(BIG), 0), ("compare", named(TINY), 0)]
    assert [(one.variant, one.number, one.passes, one.reference) for one in events if isinstance(one, PassBegan)] == [
        (BIG, 1, 2, True), (TINY, 2, 2, False)
    ]  # fmt: skip
    assert sum(isinstance(one, PassLoading) for one in events) == 2
    steps = [one for one in events if isinstance(one, ExchangeAdvanced)]
    assert [(one.reference, one.done, one.tokens) for one in steps] == [
        (reference, done, 60) for reference in (True, False) for done in (20, 40)
    ]
    assert all(one.left >= 0 for one in steps)
    last = events[-1]
    assert isinstance(last, ExchangeMeasured) and (last.reference, last.other) == ("B", "A")
    divergence = last.scores.kl_divergence
    assert last.scores.tokens == 12 and divergence is not None
    assert divergence.mean == pytest.approx(KLDS[TINY.path], rel=0.8) and divergence.mean > 0.1
    assert left(folder) == ["kept"], "what an earlier measurement left is not touched"


async def test_the_furthest_token_is_named_where_its_text_is_known(folder: MeasureFolder) -> None:
    pieces = tuple(f" w{place}" for place in range(1, 13))
    (*_, last) = await events_of(ScriptedMeasurer(), folder, replace(EXCHANGE, pieces=pieces))
    assert isinstance(last, ExchangeMeasured) and last.widest_text == f" w{last.widest}"
    first, second, _ = exchange_words(last)
    assert first.startswith("KL divergence of A from B: 0.") and "over the 12 tokens of B’s answer" in first
    assert f"furthest apart at token {last.widest} (“ w{last.widest}”): " in second
    (*_, other) = await events_of(ScriptedMeasurer(), folder)
    assert isinstance(other, ExchangeMeasured) and not other.widest_text, "two texts, twelve tokens: told by none"
    few = ScriptedMeasurer(exchange=(20, 1))
    (*_, one) = await events_of(few, folder)
    assert isinstance(one, ExchangeMeasured)
    assert "over the 1 token of" in exchange_words(one)[0] and "±" not in exchange_words(one)[0]


async def test_each_is_loaded_as_its_side_was_but_for_what_only_a_session_needs(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer()
    plan = LoadPlan(
        ctx_size=8192, cache_type_k="q8_0", cache_type_v="q8_0", engine="llama-server", extra="--x", parallel=4,
        load_mode=LoadMode.MLOCK, threads=3,
    )  # fmt: skip
    exchange = replace(EXCHANGE, other=replace(EXCHANGE.other, plan=plan))
    await events_of(measurer, folder, exchange)
    plans = [LoadPlan.from_json(job.plan) for job in measurer.jobs[2:]]
    reference, other = plans
    assert (reference.cache_type_k, other.cache_type_k, other.cache_type_v, other.threads) == ("f16", "q8_0", "q8_0", 3)
    for one in plans:
        assert (one.engine, one.extra, one.parallel, one.load_mode) == ("built-in", "", 1, LoadMode.MMAP)
        assert (one.ctx_size, one.batch_size, one.ubatch_size) == (60, 60, 60)


async def test_different_tokens_and_short_texts_are_refused(folder: MeasureFolder) -> None:
    with pytest.raises(UsageError, match="vocabulary of 7 tokens, Tiny F16 one of 100"):
        await events_of(ScriptedMeasurer(vocabulary={TINY.path: 7}), folder)
    with pytest.raises(UsageError, match="divides the text into other tokens"):
        await events_of(ScriptedMeasurer(other_tokens={TINY.path}), folder)
    with pytest.raises(UsageError, match="have 5 tokens together, at least 8"):
        await events_of(ScriptedMeasurer(exchange=(5, 2)), folder)
    same = exchange_of(ended(side("A", SMALL), side("B", SMALL)))
    measurer = ScriptedMeasurer()
    await events_of(measurer, folder, same)
    assert [task for task, _, _ in measurer.journal] == ["tokens", "reference", "compare"]


async def test_what_goes_wrong_leaves_nothing(folder: MeasureFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EngineError("the model computes no numbers (NaN)")
    with pytest.raises(EngineError, match="NaN"):
        await events_of(ScriptedMeasurer(failing={TINY.path: broken}), folder)
    assert left(folder) == []
    full = FakeMachine()
    full.set(available=1 << 20)
    with pytest.raises(MemoryRefusedError) as refused:
        await events_of(ScriptedMeasurer(), folder, machine=full)
    assert "Monitor" in refused.value.hint and left(folder) == []
    monkeypatch.setattr(room, "SPARE_BYTES", 1 << 60)
    with pytest.raises(QtuiError, match="logits need"):
        await events_of(ScriptedMeasurer(), folder)
    assert left(folder) == []


async def test_who_leaves_ends_the_child_and_leaves_nothing(folder: MeasureFolder) -> None:
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    async with aclosing(ExchangeMeasuring(means_of(measurer, folder)).run(EXCHANGE)) as events:
        async for event in events:
            if isinstance(event, ExchangeAdvanced):
                assert len(left(folder)) == 1
                break
    assert measurer.closed == 1 and left(folder) == []
