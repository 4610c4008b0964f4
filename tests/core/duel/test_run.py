"""The duel run, fed by the scripted engine: what computes when, what is said, and what survives."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.duel.report import duel_report
from qtui.core.duel.run import (
    Duel,
    DuelEvent,
    DuelMode,
    ModeChosen,
    RoundEnded,
    SideHappened,
    SideUnloaded,
    SideWaits,
    SideWeighed,
)
from qtui.core.errors import EngineError, Failure, PlanRefusedError
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed, PromptProgressed, TextArrived
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.text import GIB
from tests.fakes import FakeDryRun, FakeMachine, LoadScript, Reply, ScriptedEngine, make_variant

BIG = make_variant(quant="Q8_0")
SMALL = make_variant(quant="Q2_K")
DIED = Failure("the engine was killed (signal 9)", "another program may have needed the memory", "engine", ("last",))


class World:
    """A duel of BIG against SMALL over fakes."""

    def __init__(self, *, force: bool = False) -> None:
        self.engine = ScriptedEngine()
        self.dry_run = FakeDryRun()
        self.machine = FakeMachine()
        self.guard = Guard(Footprints(self.dry_run), self.machine, self.engine)
        self.duel = Duel(self.engine, self.guard, force=force)

    async def put(self) -> None:
        await self.duel.put("A", BIG, LoadPlan())
        await self.duel.put("B", SMALL, LoadPlan())

    def fits_one(self) -> None:
        """Leave room for one side, not for both."""
        for variant in (BIG, SMALL):
            self.dry_run.totals[variant.path] = 10 * GIB

    def computing(self) -> list[str]:
        """Return the order of loads, answers and ends, as `load Q8_0`."""
        kinds = ("load", "ask", "answered", "close")
        return [f"{what} {quant}" for what, quant in self.engine.journal if what in kinds]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.put()
    yield made
    await made.duel.close()


async def events_of(duel: Duel, mode: DuelMode | None = None, prompt: str = "What?") -> list[DuelEvent]:
    return [event async for event in duel.ask(prompt, mode=mode)]


def told(events: list[DuelEvent]) -> list[str]:
    """Return the events as short words, repetitions joined."""
    words: list[str] = []
    for event in events:
        match event:
            case ModeChosen(mode=mode):
                word = f"mode {mode}"
            case SideHappened(side=side, event=happened):
                word = f"{side} {type(happened).__name__}"
            case SideWaits(side=side, waits_for=other):
                word = f"{side} waits {other}"
            case SideWeighed(side=side) | SideUnloaded(side=side):
                word = f"{side} {type(event).__name__}"
            case RoundEnded():
                word = "ended"
        if not words or words[-1] != word:
            words.append(word)
    return words


def ending(events: list[DuelEvent]) -> RoundEnded:
    assert isinstance(events[-1], RoundEnded)
    return events[-1]


async def test_alternating_loads_both_then_lets_one_answer_at_a_time(world: World) -> None:
    events = await events_of(world.duel)
    assert told(events) == [
        "A SideWeighed", "B SideWeighed", "mode alternating",
        "A LoadProgressed", "A Loaded", "B LoadProgressed", "B Loaded",
        "B waits A", "A PromptProgressed", "A TextArrived", "A Answered",
        "B PromptProgressed", "B TextArrived", "B Answered", "ended",
    ]  # fmt: skip
    assert world.computing() == [
        "load Q8_0", "load Q2_K", "ask Q8_0", "answered Q8_0", "ask Q2_K", "answered Q2_K"
    ]  # fmt: skip


async def test_a_second_round_answers_on_the_loaded_sessions_with_the_transcript(world: World) -> None:
    await events_of(world.duel, prompt="One?")
    events = await events_of(world.duel, prompt="Two?")
    assert "A SideWeighed" not in told(events)
    assert world.computing().count("load Q8_0") == 1
    asked = world.engine.sessions[0].requests[-1]
    assert [message.content for message in asked.messages] == ["One?", "a b c", "Two?"]
    assert not asked.reuse_prefix
    assert ending(events).sides[0].loaded is not None


async def test_together_both_compute_at_once(world: World) -> None:
    both = asyncio.Event()
    world.engine.enqueue(Reply("one two three", hold=both), variant=BIG)
    world.engine.enqueue(Reply("four five six", hold=both), variant=SMALL)
    seen: list[DuelEvent] = []
    async for event in world.duel.ask("What?", mode=DuelMode.TOGETHER):
        seen.append(event)
        started = {e.side for e in seen if isinstance(e, SideHappened) and isinstance(e.event, TextArrived)}
        if started == {"A", "B"}:  # neither has answered, both have begun
            both.set()
    assert told(seen)[-1] == "ended"
    assert "B waits A" not in told(seen)
    assert [side.answer.text for side in ending(seen).sides if side.answer] == ["one two three", "four five six"]
    assert world.computing()[-4:-2] == ["ask Q8_0", "ask Q2_K"]


async def test_in_turn_is_chosen_when_both_do_not_fit(world: World) -> None:
    world.fits_one()
    events = await events_of(world.duel)
    chosen = next(event for event in events if isinstance(event, ModeChosen))
    assert chosen.mode is DuelMode.IN_TURN
    assert "do not fit" in chosen.reason
    assert told(events) == [
        "A SideWeighed", "B SideWeighed", "mode in_turn", "B waits A",
        "A LoadProgressed", "A Loaded", "A PromptProgressed", "A TextArrived", "A Answered", "A SideUnloaded",
        "B LoadProgressed", "B Loaded", "B PromptProgressed", "B TextArrived", "B Answered", "ended",
    ]  # fmt: skip
    assert world.computing() == [
        "load Q8_0", "ask Q8_0", "answered Q8_0", "close Q8_0", "load Q2_K", "ask Q2_K", "answered Q2_K"
    ]  # fmt: skip


async def test_in_turn_keeps_both_transcripts_over_rounds(world: World) -> None:
    world.fits_one()
    await events_of(world.duel, prompt="One?")
    events = await events_of(world.duel, prompt="Two?")
    assert all(side.answer for side in ending(events).sides)
    for label in ("A", "B"):
        assert [m.content for m in world.duel.transcript(label)] == ["One?", "a b c", "Two?", "a b c"]


async def test_in_turn_can_be_wanted_where_both_fit(world: World) -> None:
    events = await events_of(world.duel, DuelMode.IN_TURN)
    assert "A SideUnloaded" in told(events)


async def test_a_side_that_dies_while_answering_leaves_the_other_alone(world: World) -> None:
    world.engine.enqueue(Reply("half an", failure=DIED, fatal=True), variant=BIG)
    events = await events_of(world.duel)
    first, second = ending(events).sides
    assert first.failure == DIED
    assert first.answer is None
    assert second.answer is not None
    assert second.failure is None
    assert world.duel.session("A") is None
    assert world.duel.transcript("A") == ()


async def test_a_side_that_died_is_loaded_again_by_the_next_round(world: World) -> None:
    world.engine.enqueue(Reply("half an", failure=DIED, fatal=True), variant=BIG)
    await events_of(world.duel)
    events = await events_of(world.duel)
    assert all(side.answer for side in ending(events).sides)
    assert world.computing().count("load Q8_0") == 2


@pytest.mark.parametrize("mode", list(DuelMode))
async def test_a_side_that_died_while_nothing_was_asked_is_loaded_by_the_same_round(
    world: World, mode: DuelMode
) -> None:
    await events_of(world.duel)
    world.engine.sessions[0].die()
    events = await events_of(world.duel, mode)
    assert all(side.answer and not side.failure for side in ending(events).sides)
    assert world.computing().count("load Q8_0") == 2 and world.engine.sessions[0].closed


@pytest.mark.parametrize("mode", list(DuelMode))
async def test_a_side_that_cannot_be_loaded_leaves_the_other_alone(world: World, mode: DuelMode) -> None:
    world.engine.loads[BIG.path] = LoadScript(failure=Failure("unknown architecture", "", "plan_refused"))
    world.engine.loads[SMALL.path] = LoadScript()
    events = await events_of(world.duel, mode)
    first, second = ending(events).sides
    assert first.failure is not None
    assert first.failure.kind == "plan_refused"
    assert second.answer is not None
    assert world.engine.sessions[0].closed


async def test_an_engine_that_cannot_start_a_child_is_a_failure_of_the_side(world: World) -> None:
    world.engine.loads[BIG.path] = LoadScript(raises=EngineError("no child can be started", "see the log"))
    events = await events_of(world.duel)
    failed = [e.event for e in events if isinstance(e, SideHappened) and isinstance(e.event, Failed)]
    assert [f.failure.message for f in failed] == ["no child can be started"]
    assert ending(events).sides[1].answer is not None


async def test_more_memory_than_there_is_is_refused_before_a_child_starts(world: World) -> None:
    world.dry_run.totals[BIG.path] = 40 * GIB
    await world.duel.put("A", BIG, replace(LoadPlan(), load_mode=LoadMode.NONE))
    events = await events_of(world.duel)
    first, second = ending(events).sides
    assert first.failure is not None
    assert first.failure.kind == "memory"
    assert "--force" in first.failure.hint
    assert second.answer is not None
    assert ("open", "Q8_0") not in world.engine.journal


async def test_force_loads_against_the_guard() -> None:
    world = World(force=True)
    await world.put()
    for variant in (BIG, SMALL):
        world.dry_run.totals[variant.path] = 40 * GIB
    events = await events_of(world.duel)
    assert all(side.answer for side in ending(events).sides)
    await world.duel.close()


async def test_a_plan_that_llama_cpp_refuses_is_said_before_a_child_starts(world: World) -> None:
    world.dry_run.errors[BIG.path] = PlanRefusedError("the V cache cannot be quantised", "take f16")
    events = await events_of(world.duel)
    first = ending(events).sides[0]
    assert first.failure == Failure("the V cache cannot be quantised", "take f16", "plan_refused")
    assert ("open", "Q8_0") not in world.engine.journal


async def test_a_half_model_is_refused() -> None:
    world = World()
    half = make_variant(quant="Q6_K", complete=False, problem="2 of 3 shards here")
    await world.duel.put("A", half, LoadPlan())
    first = ending(await events_of(world.duel)).sides[0]
    assert first.failure is not None
    assert "2 of 3 shards" in first.failure.message
    assert world.engine.journal == []


async def test_stop_cuts_what_answers_and_keeps_what_waits_from_starting(world: World) -> None:
    world.engine.enqueue(Reply("never to be finished", hold=asyncio.Event()), variant=BIG)
    seen: list[DuelEvent] = []
    async for event in world.duel.ask("What?"):
        seen.append(event)
        if isinstance(event, SideHappened) and isinstance(event.event, TextArrived):
            await world.duel.stop()
    first, second = ending(seen).sides
    assert first.answer is not None
    assert first.answer.finish_reason == "cancelled"
    assert first.answer.text == "never "
    assert second.answer is None
    assert second.failure is None
    assert ("ask", "Q2_K") not in world.engine.journal


async def test_stop_in_turn_unloads_nothing_for_a_side_that_will_not_start(world: World) -> None:
    world.engine.enqueue(Reply("never to be finished", hold=asyncio.Event()), variant=BIG)
    seen: list[DuelEvent] = []
    async for event in world.duel.ask("What?", mode=DuelMode.IN_TURN):
        seen.append(event)
        if isinstance(event, SideHappened) and isinstance(event.event, TextArrived):
            await world.duel.stop()
    assert "A SideUnloaded" not in told(seen)
    assert world.duel.session("A") is not None


async def test_stop_while_loading_ends_the_round(world: World) -> None:
    world.engine.loads[BIG.path] = LoadScript(hold=asyncio.Event())
    seen: list[DuelEvent] = []
    async for event in world.duel.ask("What?"):
        seen.append(event)
        if isinstance(event, SideHappened) and isinstance(event.event, LoadProgressed):
            await world.duel.stop()
    assert ending(seen).sides[0].answer is None
    assert not any(what == "ask" for what, _ in world.engine.journal)


async def test_together_stop_cuts_both(world: World) -> None:
    never = asyncio.Event()
    world.engine.enqueue(Reply("one two three", hold=never), variant=BIG)
    world.engine.enqueue(Reply("four five six", hold=never), variant=SMALL)
    seen: list[DuelEvent] = []
    async for event in world.duel.ask("What?", mode=DuelMode.TOGETHER):
        seen.append(event)
        begun = {e.side for e in seen if isinstance(e, SideHappened) and isinstance(e.event, TextArrived)}
        if begun == {"A", "B"}:
            await world.duel.stop()
    assert [s.answer.finish_reason for s in ending(seen).sides if s.answer] == ["cancelled", "cancelled"]


async def test_a_consumer_that_leaves_early_leaves_no_task_behind(world: World) -> None:
    never = asyncio.Event()
    world.engine.enqueue(Reply("one two three", hold=never), Reply("four five six", hold=never))
    before = asyncio.all_tasks()
    async with aclosing(world.duel.ask("What?", mode=DuelMode.TOGETHER)) as events:
        async for event in events:
            if isinstance(event, SideHappened) and isinstance(event.event, TextArrived):
                break
    await world.duel.close()
    left = asyncio.all_tasks() - before
    await asyncio.wait_for(asyncio.gather(*left, return_exceptions=True), 5)
    assert all(session.closed for session in world.engine.sessions)


async def test_raw_and_system_reach_the_session(world: World) -> None:
    world.duel.system = "Be short."
    async for _ in world.duel.ask("Once", raw=True, timed=False):
        pass
    request = world.engine.sessions[0].requests[0]
    assert request.raw == "Once"
    assert request.messages[0].role == "system"
    assert request.reuse_prefix


async def test_events_of_a_session_pass_in_order(world: World) -> None:
    events = await events_of(world.duel)
    kinds = [type(e.event) for e in events if isinstance(e, SideHappened) and e.side == "A"]
    assert kinds[:3] == [LoadProgressed, LoadProgressed, Loaded]
    assert kinds[3] is PromptProgressed
    assert kinds[-1] is Answered


async def test_the_report_has_the_shape_that_other_programs_rely_on(world: World) -> None:
    world.engine.enqueue(Reply("the sky is blue"), variant=BIG)
    world.engine.enqueue(Reply("the sky was blue", thinking="hm"), variant=SMALL)
    report = duel_report(ending(await events_of(world.duel, prompt="Why?")))
    assert set(report) == {"prompt", "mode", "sides", "difference"}
    assert report["prompt"] == "Why?"
    assert report["mode"] == "alternating"
    assert report["difference"] == {
        "identical": False, "first_differing_word": 3, "words_shared": 0.75,
        "first_differing_token": {"place": 1, "a": "the ", "b": "hm"},
    }  # fmt: skip
    first, second = report["sides"]
    assert {
        "file", "quant", "text", "thinking", "finish_reason", "prompt_tokens", "generated_tokens", "load_time",
        "time_to_first_token", "prompt_rate", "generation_rate", "peak_rss", "estimated_total", "actual_total",
        "degeneration",
    } <= set(first)  # fmt: skip
    assert Path(first["file"]) == BIG.path
    assert second["thinking"] == "hm"
    assert first["actual_total"] == 420 << 20
    assert first["estimated_total"] == BIG.size + (64 << 20)
    assert "error" not in first


async def test_the_report_of_a_side_that_failed_has_an_error(world: World) -> None:
    world.engine.enqueue(Reply("half an", failure=DIED, fatal=True), variant=BIG)
    report = duel_report(ending(await events_of(world.duel)))
    assert report["sides"][0]["error"] == {
        "message": DIED.message,
        "hint": DIED.hint,
        "kind": "engine",
        "log": ["last"],
    }
    assert report["sides"][0]["text"] is None
    assert report["difference"] is None


async def test_sides_compute_in_the_order_that_is_asked_for_and_are_reported_by_label(world: World) -> None:
    events = [event async for event in world.duel.ask("What?", order=("B", "A"))]
    assert [quant for what, quant in world.engine.journal if what == "ask"] == ["Q2_K", "Q8_0"]
    assert [side.side for side in ending(events).sides] == ["A", "B"]


async def test_together_is_refused_with_numbers_when_both_do_not_fit(world: World) -> None:
    world.fits_one()
    events = await events_of(world.duel, DuelMode.TOGETHER)
    assert world.computing() == []
    for side in ending(events).sides:
        assert side.failure is not None
        assert side.failure.kind == "memory"
        assert re.search(r"together is not possible: both do not fit at once: .*\d+\.\d+ GiB", side.failure.message)
    assert ending(await events_of(world.duel)).mode is DuelMode.IN_TURN


async def test_a_side_that_was_unloaded_is_loaded_by_the_next_prompt(world: World) -> None:
    await events_of(world.duel)
    await world.duel.unload("A")
    assert world.duel.session("A") is None
    await events_of(world.duel)
    assert world.computing().count("load Q8_0") == 2


async def test_what_a_server_cannot_load_is_offered_to_the_built_in_engine(world: World) -> None:
    refusal = Failure("this llama-server does not know the architecture new", "update it", "plan_refused")
    world.engine.loads[BIG.path] = LoadScript(failure=refusal)
    await world.duel.put("A", BIG, LoadPlan(engine="llama-server", extra="--cache-reuse 256"))
    await events_of(world.duel)
    offered = await world.duel.remedy("A")
    assert offered is not None and offered.plan.engine == "built-in" and offered.plan.extra == ""
    await world.duel.put("A", BIG, LoadPlan())
    await events_of(world.duel)
    again = await world.duel.remedy("A")  # it is no other program's fault
    assert again is None or again.plan.engine == "built-in"
