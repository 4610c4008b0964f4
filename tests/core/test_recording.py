"""Recording over the scripted engine: what is kept of a run, and what never stops one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from qtui.core.duel.conversation import Message, Request
from qtui.core.duel.run import Duel, DuelMode, RoundEnded
from qtui.core.errors import Failure, QtuiError
from qtui.core.events import Answered, SessionEvent
from qtui.core.history import MeasuredRate, PastRun, Run, Timing
from qtui.core.library.variant import Variant
from qtui.core.memory.actual import Actual, Estimate
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.unaccounted import ByCard
from qtui.core.recording import RecordedSession, Recorder, RecordingEngine
from qtui.core.text import MIB
from tests.fakes import FakeDryRun, FakeMachine, Reply, ScriptedEngine, make_footprint, make_variant

VARIANT, OTHER = make_variant(), make_variant(quant="Q2_K")
PLAN = LoadPlan(ctx_size=1024, ubatch_size=64)
HELD = Actual(100 * MIB, 300 * MIB, 10 * MIB, 0, 0)
LONG = Request(messages=(Message("user", "w" * 4 * 64),))
SHORT = Request(messages=(Message("user", "w"),))


class FakeHistory:
    """Keeps runs in a list, or fails."""

    def __init__(self) -> None:
        self.kept: list[tuple[Run, Timing]] = []
        self.error: QtuiError | None = None

    async def record_run(self, run: Run, timing: Timing) -> None:
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        self.kept.append((run, timing))

    async def runs(self, limit: int = 50, path: Path | None = None) -> Sequence[PastRun]:
        return []

    async def rates(self, variants: Sequence[Variant]) -> Mapping[Path, Sequence[MeasuredRate]]:
        return {}

    async def unaccounted(self) -> ByCard:
        return {}


class Stage:
    """A recorder over fakes."""

    def __init__(self) -> None:
        self.history = FakeHistory()
        self.inner = ScriptedEngine()
        self.looked: list[tuple[int, tuple[Path, ...]]] = []
        self.told: list[str] = []
        self.recorder = Recorder(self.history, self, self.estimate, self.told.append)
        self.engine = RecordingEngine(self.inner, self.recorder)

    def estimate(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        return make_footprint(variant, plan)

    async def actual(self, pid: int, files: Sequence[Path]) -> Actual:
        self.looked.append((pid, tuple(files)))
        return HELD

    async def loaded(self, variant: Variant = VARIANT) -> RecordedSession:
        session = self.engine.open(variant, PLAN)
        async for _ in session.load():
            pass
        return session


async def last(session: RecordedSession, request: Request) -> SessionEvent:
    return [event async for event in session.ask(request)][-1]


async def test_an_answer_carries_what_was_held_and_is_kept_with_its_run() -> None:
    stage = Stage()
    session = await stage.loaded()
    short, long, again = [await last(session, request) for request in (SHORT, LONG, SHORT)]
    await stage.recorder.settle()
    assert [isinstance(e, Answered) and e.answer.actual and e.answer.actual.full_prompt for e in (short, long, again)] \
        == [False, True, True]  # fmt: skip
    assert {run.id for run, _ in stage.history.kept} == {stage.history.kept[0][0].id}
    run, timing = stage.history.kept[-1]
    assert (run.model, run.quant, run.size, run.load_time) == (VARIANT.model, "Q8_0", VARIANT.size, 0.5)
    assert run.plan == {**PLAN.as_json(), "flash_attn": "on"}
    assert run.estimate == Estimate.of(make_footprint(VARIANT, PLAN))
    assert run.build == stage.inner.engine_info.build
    assert (timing.generation_rate, timing.alone) == (40.0, True)
    assert stage.looked == [(session.pid, (VARIANT.path,))] * 3


async def test_answers_at_the_same_time_are_not_alone() -> None:
    stage = Stage()
    one, two = await stage.loaded(), await stage.loaded(OTHER)
    hold = asyncio.Event()
    stage.inner.enqueue(Reply("a b", hold=hold), variant=VARIANT)
    first = asyncio.create_task(last(one, SHORT))
    while not stage.inner.sessions[0].requests:
        await asyncio.sleep(0)
    await last(two, SHORT)
    hold.set()
    await first
    await last(two, SHORT)
    await stage.recorder.settle()
    assert [timing.alone for _, timing in stage.history.kept] == [False, False, True]


async def test_a_history_that_fails_says_so_once_and_stops_nothing() -> None:
    stage = Stage()
    stage.history.error = QtuiError("the history x is damaged")
    session = await stage.loaded()
    for _ in range(2):
        assert isinstance(await last(session, SHORT), Answered)
        await stage.recorder.settle()
    assert stage.told == [stage.recorder.problem] == ["this run is not recorded: the history x is damaged"]


async def test_a_failed_answer_is_not_kept_and_a_dead_session_not_looked_at() -> None:
    stage = Stage()
    session = await stage.loaded()
    stage.inner.enqueue(Reply("a", failure=Failure("it broke"), fatal=True))
    await last(session, SHORT)
    await stage.recorder.settle()
    assert (stage.history.kept, stage.looked, session.pid) == ([], [], None)


async def test_an_iterator_that_is_left_early_ends_the_inner_one() -> None:
    stage = Stage()
    session = await stage.loaded()
    async with aclosing(session.ask(SHORT)) as events:  # type: ignore[type-var]
        async for _ in events:
            break
    assert stage.recorder.ends(session) is False
    assert isinstance(await last(session, SHORT), Answered)
    await stage.recorder.settle()
    assert [timing.alone for _, timing in stage.history.kept] == [True]


@pytest.mark.parametrize("mode", list(DuelMode))
async def test_a_duel_records_both_sides_without_knowing_it(mode: DuelMode) -> None:
    stage = Stage()
    guard = Guard(Footprints(FakeDryRun()), FakeMachine(), stage.engine)
    duel = Duel(stage.engine, guard)
    await duel.put("A", VARIANT, PLAN)
    await duel.put("B", OTHER, PLAN)
    ended = [event async for event in duel.ask("go", mode=mode)][-1]
    await duel.close()
    await stage.recorder.settle()
    assert isinstance(ended, RoundEnded)
    assert [side.answer and side.answer.actual for side in ended.sides] == [HELD, HELD]
    assert sorted(run.quant for run, _ in stage.history.kept) == ["Q2_K", "Q8_0"]
    assert {timing.alone for _, timing in stage.history.kept} == {mode is not DuelMode.TOGETHER}


async def test_the_answers_of_a_lane_belong_to_the_run_of_its_session() -> None:
    stage = Stage()
    session = stage.engine.open(VARIANT, LoadPlan(ctx_size=1024, engine="llama-server", parallel=2))
    assert [event async for event in session.load()]
    lane = session.lane()
    assert lane is not None and [event async for event in lane.load()]
    for way in (session, lane):
        assert [event async for event in way.ask(SHORT)]
    await stage.recorder.settle()
    assert len(stage.history.kept) == 2 and len({run.id for run, _ in stage.history.kept}) == 1
    assert stage.engine.open(VARIANT, PLAN).lane() is None
