"""The load test over the scripted engine and real HTTP: turns, what counts, what a failure leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from qtui.core.errors import Failure, UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.serving.load_test import LoadEnded, LoadEvent, LoadHappened, LoadSettings, LoadTest, ShotTaken, method
from qtui.core.text import GIB
from qtui.services.serving.endpoints import LocalEndpoints
from qtui.services.serving.load_client import shoot
from tests.fakes import FakeDryRun, FakeMachine, LoadScript, Reply, ScriptedEngine, make_variant
from tests.services.serving.conftest import until

ONE, TWO = make_variant(quant="Q8_0"), make_variant(quant="Q2_K")


class Ground:
    """An engine, what is free, and what came of a test."""

    def __init__(self) -> None:
        self.engine = ScriptedEngine()
        self.dry_run = FakeDryRun()
        self.events: list[LoadEvent] = []

    def test(self, settings: LoadSettings) -> LoadTest:
        guard = Guard(Footprints(self.dry_run), FakeMachine(), self.engine)
        return LoadTest(self.engine, guard, LocalEndpoints(str), settings)

    async def run(self, test: LoadTest, variants: Sequence[Variant] = (ONE,)) -> LoadEnded:
        self.events = [event async for event in test.run(variants, LoadPlan(load_mode=LoadMode.NONE))]
        assert all(session.closed for session in self.engine.sessions)
        ended = self.events[-1]
        assert isinstance(ended, LoadEnded)
        return ended


@pytest.fixture
def ground() -> Ground:
    return Ground()


async def test_every_request_is_asked_and_one_more_is_discarded(ground: Ground) -> None:
    ended = await ground.run(ground.test(LoadSettings(2, 5, 8, ("p", "q"))))
    result = ended.results[0]
    assert (len(result.answered), result.errors, result.tokens) == (5, [], 15)
    assert (result.rate.p50, result.rate.p95) == (40.0, 40.0)
    assert result.first_token.p50 is not None and result.first_token.p50 > 0
    requests = ground.engine.sessions[0].requests
    first, *asked = (request.messages[0].content for request in requests)
    assert (first, sorted(asked)) == ("p", ["p", "p", "p", "q", "q"])  # two programs at once: in any order
    assert {(r.sampling.temperature, r.sampling.max_tokens, r.ignore_eos, r.reuse_prefix) for r in requests} == {
        (0.0, 8, True, False)
    }
    shots = [event for event in ground.events if isinstance(event, ShotTaken)]
    assert [(shot.taken, shot.total) for shot in shots] == [(n, 5) for n in range(1, 6)]
    assert any(isinstance(event, LoadHappened) for event in ground.events)
    assert "waiting for it is part of the time to the first token" in ended.method


async def test_files_take_turns_and_one_is_asked_at_a_time(ground: Ground) -> None:
    ended = await ground.run(ground.test(LoadSettings(1, 6, 8)), (ONE, TWO))
    asked = [quant for what, quant in ground.engine.journal if what == "ask"]
    a, b = "Q8_0", "Q2_K"
    assert asked == [a] * 3 + [b] * 3 + [b] * 2 + [a] * 2 + [a] * 2 + [b] * 2  # the first of each is discarded
    assert [len(result.answered) for result in ended.results] == [6, 6]
    assert "2 files in 3 rounds" in ended.method


async def test_files_that_do_not_fit_at_once_are_loaded_in_turn(ground: Ground) -> None:
    ground.dry_run.totals = {ONE.path: 9 * GIB, TWO.path: 9 * GIB}
    ended = await ground.run(ground.test(LoadSettings(1, 4, 8)), (ONE, TWO))
    opened = [pair for pair in ground.engine.journal if pair[0] in ("open", "close")]
    assert opened == [
        ("open", "Q8_0"), ("close", "Q8_0"), ("open", "Q2_K"), ("close", "Q2_K"),
        ("open", "Q2_K"), ("close", "Q2_K"), ("open", "Q8_0"), ("close", "Q8_0"),
    ]  # fmt: skip
    assert "do not fit at once" in ended.method
    assert [len(result.answered) for result in ended.results] == [4, 4]


async def test_a_file_that_cannot_be_loaded_leaves_the_others(ground: Ground) -> None:
    ground.engine.loads[ONE.path] = LoadScript(failure=Failure("no such tensor", "", "bad_file"))
    ended = await ground.run(ground.test(LoadSettings(1, 2, 8)), (ONE, TWO))
    assert ended.results[0].failure == Failure("no such tensor", "", "bad_file")
    assert [len(result.answered) for result in ended.results] == [0, 2]


async def test_what_is_too_big_is_not_loaded(ground: Ground) -> None:
    ground.dry_run.totals = {ONE.path: 900 * GIB}
    ended = await ground.run(ground.test(LoadSettings(1, 2, 8)))
    assert ended.results[0].failure is not None
    assert ended.results[0].failure.kind == "memory"
    assert not ground.engine.sessions


async def test_requests_that_fail_are_counted_and_told(ground: Ground) -> None:
    died = Reply("a", failure=Failure("the engine died", "", "engine"), fatal=True)
    ground.engine.enqueue(Reply("warm up"), died)
    ended = await ground.run(ground.test(LoadSettings(1, 3, 8)))
    result = ended.results[0]
    assert (len(result.shots), len(result.answered)) == (3, 2)
    assert result.errors == [("the engine died", 1)]
    assert len(ground.engine.sessions) == 2


async def test_a_stop_keeps_what_has_come_back(ground: Ground) -> None:
    ground.engine.enqueue(Reply("warm"), Reply("one"), Reply("never ends", hold=asyncio.Event()))
    test = ground.test(LoadSettings(2, 9, 8))
    running = asyncio.create_task(ground.run(test))
    await until(lambda: ground.engine.sessions and len(ground.engine.sessions[0].requests) == 3)
    await test.stop()
    ended = await running
    assert (len(ended.results[0].shots), ended.results[0].errors) == (1, [])


def test_settings_that_measure_nothing() -> None:
    with pytest.raises(UsageError, match="--requests 3 are too few"):
        LoadSettings(4, 3)
    with pytest.raises(UsageError, match="--max-tokens 1"):
        LoadSettings(1, 3, 1)
    assert LoadSettings(4, 23).rounds(2) == [12, 11]
    assert LoadSettings(4, 100).rounds(1) == [100]
    assert sum(LoadSettings(3, 100).rounds(3)) == 100
    assert "one program over HTTP" in method(LoadSettings(1, 3), 1)


def test_an_endpoint_that_is_not_there() -> None:
    shot = shoot("http://127.0.0.1:9/v1", "k", {})
    assert shot.error.startswith("the connection broke")
