"""Sessions on the real child with the demo model: answers, deaths, and that nothing outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed, TextArrived
from qtui.core.hardware import ProcessMemory
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Engine, Session
from qtui.core.sessions import SessionState
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.session import ChildSession
from qtui.services.engine.sessions import Registry
from tests.benchmarks.make_model import Shape, model_metadata
from tests.builders.gguf import Tensor, build
from tests.services.engine.scripts import all_of, answer_of, failure_of, gone, until, variant

ROOT = Path(__file__).parents[3]
GREEDY = Sampling(temperature=0.0, seed=42)
SUM = Request((Message("user", "What is 23 + 45?"),), sampling=GREEDY, reuse_prefix=False)
LONG = Request(raw="What is", sampling=replace(GREEDY, max_tokens=100_000), ignore_eos=True)
"""Goes on until the context is full: long enough to be stopped in the middle."""
PLAN = LoadPlan(ctx_size=2048, threads=1, n_gpu_layers=0)


def session_on(path: Path, engine: BuiltInEngine | None = None) -> ChildSession:
    return (engine or BuiltInEngine()).open(variant(path), PLAN)


async def test_a_model_answers(demo_f16: Path) -> None:
    session = session_on(demo_f16)
    loading = await all_of(session.load())
    loaded = loading[-1]
    assert isinstance(loaded, Loaded) and all(isinstance(event, LoadProgressed) for event in loading[:-1])
    for _ in range(2):  # from an empty cache each time: the same to the letter
        events = await all_of(session.ask(SUM))
        answered = events[-1]
        assert isinstance(answered, Answered)
        assert answered.answer.text.strip() == "23 + 45 = 68."
        streamed = "".join(e.text for e in events if isinstance(e, TextArrived) and not e.thinking)
        assert streamed == answered.answer.text
    memory = await session.memory()
    assert memory.resident is not None and memory.resident > demo_f16.stat().st_size
    assert memory.peak is not None and memory.peak >= memory.resident and memory.locked == 0
    pid = session.pid
    assert pid is not None
    await session.close()
    assert gone(pid) and await session.memory() == ProcessMemory()


async def test_cancel_stops_at_once_and_keeps_the_session(demo_f16: Path) -> None:
    session = session_on(demo_f16)
    await all_of(session.load())
    events = session.ask(LONG)
    async for event in events:
        if isinstance(event, TextArrived):
            break
    events = session.ask(LONG)  # the one before was left by `break`
    while not isinstance(await anext(events), TextArrived):
        pass
    await asyncio.wait_for(session.cancel(), 2.0)
    assert (await answer_of(events)).answer.finish_reason == "cancelled"
    assert (await answer_of(session.ask(SUM))).answer.text.strip() == "23 + 45 = 68."
    await session.close()


async def test_kill_in_mid_answer_spares_the_other_side(demo_f16: Path) -> None:
    engine = BuiltInEngine()
    first, second = session_on(demo_f16, engine), session_on(demo_f16, engine)
    await asyncio.gather(all_of(first.load()), all_of(second.load()))
    victim = first.pid
    assert victim is not None and victim != second.pid
    events, other = first.ask(LONG), second.ask(LONG)
    while not isinstance(await anext(events), TextArrived):
        pass
    await anext(other)
    os.kill(victim, signal.SIGKILL)
    failed = await failure_of(events)
    assert failed.fatal and failed.failure.kind == "engine"
    assert failed.failure.message == "the system killed the engine while answering, usually because memory ran out"
    assert gone(victim)
    await second.cancel()
    assert (await answer_of(other)).answer.generated_tokens > 0
    assert (await answer_of(second.ask(SUM))).answer.text.strip() == "23 + 45 = 68."
    await engine.close()


async def test_a_mapped_file_that_is_cut_is_a_sentence(demo_f16: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(demo_f16.read_bytes())
    session = session_on(path)
    await all_of(session.load())
    os.truncate(path, 4096)
    failed = await failure_of(session.ask(LONG))
    assert failed.fatal and "truncated, or the disk failed" in failed.failure.message
    await session.close()


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 100], ids=["empty", "magic", "text"])
async def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    session = session_on(path)
    failed = await failure_of(session.load())
    assert failed.fatal and failed.failure.message and "Traceback" not in failed.failure.message
    await until(lambda: session.pid is None)
    await session.close()


async def test_an_assertion_of_llama_cpp_is_told(tmp_path: Path) -> None:
    metadata = model_metadata("broken", Shape(256, 512, 1, 4, 2, 512))
    image = build({**metadata, "llama.expert_count": 2, "llama.expert_used_count": 99}, [Tensor("x", (32,))])
    session = session_on(image.write(tmp_path / "broken.gguf"))
    failed = await failure_of(session.load())
    assert failed.fatal and "GGML_ASSERT(n_expert_used" in failed.failure.message and failed.failure.hint
    assert len(failed.failure.log) > 5 and "GGML_ASSERT" in failed.failure.log[-1]
    await session.close()


async def test_the_engine_is_the_port(demo_f16: Path) -> None:
    engine: Engine = BuiltInEngine()
    session: Session = engine.open(variant(demo_f16), PLAN)
    assert session.pid is None and session.id
    await session.close()


async def test_a_session_is_on_record_while_it_lives(demo_f16: Path) -> None:
    session = session_on(demo_f16)
    loading = session.load()
    await anext(loading)
    (record,) = Registry().list()
    assert (record.id, record.pid, record.parent_pid) == (session.id, session.pid, os.getpid())
    assert record.path == str(demo_f16) and record.engine == "built-in"
    assert isinstance((await all_of(loading))[-1], Loaded)
    (record,) = Registry().list()
    assert record.state is SessionState.READY and record.plan["ctx_size"] == 2048
    events = session.ask(LONG)
    await anext(events)
    assert Registry().list()[0].state is SessionState.ANSWERING
    await session.cancel()
    assert not isinstance((await all_of(events))[-1], Failed)
    await session.close()
    assert Registry().list() == ()


ORPHANS = """
import asyncio, sys
from pathlib import Path
from tests.services.engine.test_real_session import LONG, session_on
from tests.benchmarks.make_model import Shape, model_metadata
from tests.builders.gguf import Tensor, build
from tests.services.engine.scripts import all_of
async def compute(path):
    session = session_on(path)
    await all_of(session.load())
    print(session.pid, flush=True)
    while True:
        async for event in session.ask(LONG):
            pass
async def main():
    await asyncio.gather(*(compute(Path(sys.argv[1])) for _ in range(2)))
asyncio.run(main())
"""


async def test_no_child_outlives_a_killed_parent(demo_f16: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANS, str(demo_f16)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        assert not any(gone(pid) for pid in children)
        parent.kill()
    await until(lambda: all(gone(pid) for pid in children), 3.0)
    assert Registry().list() == ()  # their records are stale, and dropped by whoever looks
