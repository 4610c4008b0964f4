"""The bench run over the scripted engine: order, what counts, what a failure leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from qtui.core.bench import Bench, BenchEnded, BenchEvent, BenchHappened, BenchSampled, BenchSettings, method
from qtui.core.duel.conversation import Answer, Request
from qtui.core.errors import Failure, UsageError
from qtui.core.events import Answered, Failed
from qtui.core.library.variant import Variant
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import GIB
from tests.fakes import RESIDENT, FakeDryRun, FakeMachine, LoadScript, ScriptedEngine, ScriptedSession, make_variant

ONE = make_variant(quant="Q8_0")
TWO = make_variant(quant="Q2_K")


class BenchSession(ScriptedSession):
    """A session that does what a benchmark asks for to the token, at rates that count up."""

    cached = 0

    async def ask(self, request: Request):  # type: ignore[no-untyped-def]
        engine = self._engine
        assert isinstance(engine, BenchEngine)
        engine.journal.append(("ask", self.variant.quant))
        engine.requests.append(request)
        if engine.fails_at == len(engine.requests):
            yield Failed(Failure("the engine died", "", "engine"), fatal=True)
            return
        length, generated = request.prompt_length or 0, request.sampling.max_tokens or 0
        reused = self.cached if request.reuse_prefix and engine.extends else 0
        self.cached = length
        rate = float(len(engine.requests))
        yield Answered(
            Answer(
                "x", "", "length", length, reused, generated - engine.short, 0.1, rate, rate, 1, RESIDENT
            )
        )  # fmt: skip


class BenchEngine(ScriptedEngine):
    """Opens bench sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.fails_at = 0
        self.short = 0
        self.extends = True

    def open(self, variant: Variant, plan: LoadPlan) -> BenchSession:
        session = BenchSession(self, variant, plan, len(self.sessions) + 1)
        self.sessions.append(session)
        return session


class World:
    def __init__(self) -> None:
        self.engine = BenchEngine()
        self.dry_run = FakeDryRun()
        self.guard = Guard(Footprints(self.dry_run), FakeMachine(), self.engine)

    async def run(
        self, settings: BenchSettings, *variants: Variant, plan: LoadPlan = LoadPlan()
    ) -> tuple[list[BenchEvent], BenchEnded]:
        bench = Bench(self.engine, self.guard, settings)
        events = [event async for event in bench.run(variants, plan)]
        assert isinstance(events[-1], BenchEnded)
        return events, events[-1]

    def asked(self) -> list[str]:
        return [quant for what, quant in self.engine.journal if what == "ask"]


async def test_files_alternate_and_the_warm_up_does_not_count() -> None:
    world = World()
    events, ended = await world.run(BenchSettings(prompt_tokens=8, generate=4, repeats=2), ONE, TWO)
    assert world.asked() == ["Q8_0", "Q8_0", "Q2_K", "Q2_K"] * 3
    samples = [(e.variant.quant, e.test.name, e.repetition) for e in events if isinstance(e, BenchSampled)]
    assert samples[:5] == [
        ("Q8_0", "pp8", 0), ("Q8_0", "tg4", 0), ("Q2_K", "pp8", 0), ("Q2_K", "tg4", 0), ("Q8_0", "pp8", 1)
    ]  # fmt: skip
    found = {(r.variant.quant, r.test.name): r.samples for r in ended.results}
    assert found == {
        ("Q8_0", "pp8"): (5.0, 9.0), ("Q8_0", "tg4"): (6.0, 10.0),
        ("Q2_K", "pp8"): (7.0, 11.0), ("Q2_K", "tg4"): (8.0, 12.0),
    }  # fmt: skip
    assert ended.results[0].mean == 7.0
    assert ended.results[0].stdev == pytest.approx(2.8284, abs=1e-4)
    assert all(session.closed for session in world.engine.sessions)


async def test_each_sample_asks_for_exact_lengths_from_an_empty_cache() -> None:
    world = World()
    await world.run(BenchSettings(prompt_tokens=8, generate=4, repeats=1), ONE)
    prompt, generate = world.engine.requests[:2]
    assert (prompt.prompt_length, prompt.sampling.max_tokens, prompt.reuse_prefix) == (8, 1, False)
    assert (generate.prompt_length, generate.sampling.max_tokens, generate.reuse_prefix) == (1, 4, False)
    assert generate.ignore_eos
    assert generate.sampling.temperature == 0


async def test_depth_fills_the_context_first() -> None:
    world = World()
    _, ended = await world.run(BenchSettings(prompt_tokens=8, generate=4, depth=16, repeats=1), ONE)
    fill, prompt, generate = world.engine.requests[:3]
    assert (fill.prompt_length, fill.reuse_prefix) == (16, False)
    assert (prompt.prompt_length, prompt.reuse_prefix) == (24, True)
    assert (generate.prompt_length, generate.reuse_prefix) == (16, False)
    assert ended.results[0].as_json()["depth"] == 16
    assert "holds 16 tokens" in ended.method


async def test_a_model_that_cannot_extend_its_cache_is_no_wrong_rate() -> None:
    world = World()
    world.engine.extends = False
    _, ended = await world.run(BenchSettings(prompt_tokens=8, generate=0, depth=16, repeats=1), ONE)
    failure = ended.results[0].failure
    assert failure is not None
    assert "--depth 0" in failure.hint


async def test_fewer_tokens_than_asked_for_is_no_rate() -> None:
    world = World()
    world.engine.short = 1
    _, ended = await world.run(BenchSettings(prompt_tokens=0, generate=4, repeats=1), ONE)
    assert ended.results[0].samples == ()
    assert ended.results[0].failure is not None
    assert "3 of 4" in ended.results[0].failure.message


async def test_one_that_dies_leaves_the_others_and_its_own_samples() -> None:
    world = World()
    world.engine.fails_at = 3  # the first sample of ONE that would count
    events, ended = await world.run(BenchSettings(prompt_tokens=8, generate=0, repeats=2), ONE, TWO)
    first, second = ended.results
    assert first.failure == Failure("the engine died", "", "engine")
    assert first.samples == ()
    assert len(second.samples) == 2
    assert first.as_json()["error"]["kind"] == "engine"
    assert first.as_json()["rate"] == {"mean": None, "stdev": None, "samples": []}
    assert sum(isinstance(e, BenchHappened) and isinstance(e.event, Failed) for e in events) == 1


async def test_files_that_do_not_fit_at_once_are_loaded_in_turn() -> None:
    world = World()
    world.dry_run.totals = {ONE.path: 10 * GIB, TWO.path: 10 * GIB}
    _, ended = await world.run(BenchSettings(prompt_tokens=8, generate=0, repeats=1), ONE, TWO)
    work = [f"{what} {quant}" for what, quant in world.engine.journal if what in ("load", "close")]
    assert work == ["load Q8_0", "close Q8_0", "load Q2_K", "close Q2_K"] * 2
    assert "loaded anew" in ended.method


async def test_the_context_is_what_the_tests_need_and_no_less() -> None:
    world = World()
    settings = BenchSettings(prompt_tokens=8, generate=4, depth=16, repeats=1)
    _, ended = await world.run(settings, ONE)
    assert ended.plans[0].ctx_size == 25
    with pytest.raises(UsageError, match="--ctx-size 24 is too small"):
        await world.run(settings, ONE, plan=replace(LoadPlan(), ctx_size=24))


async def test_a_consumer_that_leaves_early_closes_the_sessions() -> None:
    world = World()
    run = Bench(world.engine, world.guard, BenchSettings(8, 4)).run([ONE, TWO], LoadPlan())
    async for event in run:
        if isinstance(event, BenchSampled):
            break
    await asyncio.wait_for(run.aclose(), 5)
    assert world.engine.sessions
    assert all(session.closed for session in world.engine.sessions)


@pytest.mark.parametrize("settings", [{"prompt_tokens": 0, "generate": 0}, {"generate": 1}])
def test_what_gives_no_rate_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        BenchSettings(**settings)


def test_the_method_says_what_was_done() -> None:
    said = method(BenchSettings(), files=2)
    assert said == (
        "pp512: 512 prompt tokens read from an empty cache; tg128: 128 tokens generated after a prompt of 1 token, "
        "greedy, (n - 1) / (last - first); 5 repetitions, alternated over 2 files, after one that is discarded; "
        "one computes at a time"
    )


@pytest.mark.parametrize("phase", ["ask", "load"])
async def test_what_was_measured_before_a_stop_stays_and_what_it_cuts_is_no_failure(phase: str) -> None:
    world = World()
    bench = Bench(world.engine, world.guard, BenchSettings(prompt_tokens=8, generate=4, repeats=5))
    events: list[BenchEvent] = []
    if phase == "load":
        world.engine.loads[ONE.path] = LoadScript(hold=asyncio.Event())
    async with asyncio.timeout(30):
        async for event in bench.run([ONE, TWO], LoadPlan()):
            events.append(event)
            if phase == "load" or (isinstance(event, BenchSampled) and event.repetition == 2):
                await bench.stop()
    ended = events[-1]
    assert isinstance(ended, BenchEnded)
    assert [len(result.samples) for result in ended.results] == ([2, 1, 1, 1] if phase == "ask" else [0] * 4)
    assert not any(result.failure for result in ended.results)
    assert "5 repetitions, stopped before all were done" in ended.method
    assert all(session.closed for session in world.engine.sessions)
