"""llama-server as an engine, against a program that has the options of an old build and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qtui.core.duel.conversation import Answer, Message, Request, Sampling
from qtui.core.errors import EngineError, Failure
from qtui.core.events import Answered, Failed, Loaded, SessionEvent, TextArrived
from qtui.core.hardware import ProcessMemory
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.sessions import SessionRecord, SessionState
from qtui.services.engine.running_sessions import RunningSessions
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.engine.server_engine import KEY_VARIABLE, ServerEngine
from qtui.services.engine.session import ChildSession, Patience
from qtui.services.engine.sessions import Registry, remembered
from qtui.services.engine.sessions import started as began
from tests.conftest import HERE
from tests.services.engine.scripts import all_of, failure_of, gone, until, variant

SCRIPT = Path(__file__).with_name("old_llama_server.py")
HELP = HERE / "data" / "llama_server" / "help-4589.txt"
ASKED = Request((Message("user", "hello"),), sampling=Sampling(temperature=0.0, max_tokens=9), reuse_prefix=False)
Open = Callable[..., ChildSession]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The old build."""
    program = tmp_path / "llama-server"
    program.write_text(f"#!{sys.executable}\n" + SCRIPT.read_text())
    program.chmod(0o755)
    (tmp_path / "help.txt").write_text(HELP.read_text())
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF" + bytes(4096))
    return program


@pytest.fixture
async def opens(old: Path) -> AsyncIterator[Open]:
    """Opens sessions over the old build, each with further fields of the plan; all are closed in the end."""
    engine = ServerEngine(ServerBuilds(), patience=Patience(close=3.0))
    sessions: list[ChildSession] = []

    def open_one(mode: str = "", **fields: Any) -> ChildSession:
        (old.parent / "mode").write_text(mode)
        plan = LoadPlan(ctx_size=64, n_gpu_layers=0, load_mode=LoadMode.MMAP, threads=1, engine=str(old))
        plan = LoadPlan.from_json({**plan.as_json(), **fields})
        sessions.append(engine.open(variant(old.parent / "tiny.gguf"), plan))
        return sessions[-1]

    yield open_one
    for session in sessions:
        await session.close()


def last_answer(events: Sequence[SessionEvent]) -> Answer:
    """Return the answer that events end with."""
    assert isinstance(events[-1], Answered), events[-1]
    return events[-1].answer


def last_failure(events: Sequence[SessionEvent]) -> Failure:
    """Return the failure that events end with."""
    assert isinstance(events[-1], Failed), events[-1]
    return events[-1].failure


async def why(events: AsyncIterator[SessionEvent]) -> Failure:
    """Return why a command fails."""
    return (await failure_of(events)).failure


def started(old: Path) -> dict[str, Any]:
    """Return what the program was started with."""
    found: dict[str, Any] = json.loads((old.parent / "argv.json").read_text())
    return found


async def test_an_old_build_gets_its_old_flags_and_answers(
    opens: Open, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv(KEY_VARIABLE, "a key of another server")
    monkeypatch.setenv("LLAMA_ARG_PORT", "1")
    session = opens(load_mode=LoadMode.MLOCK.value, flash_attn=FlashAttention.ON.value, cpu_moe=True, swa_full=True)
    loaded = (await all_of(session.load()))[-1]
    assert isinstance(loaded, Loaded), loaded
    told = started(old)
    arguments = told["arguments"]
    assert "--mlock" in arguments and "--no-mmap" in arguments and "--load-mode" not in arguments
    assert arguments[arguments.index("--flash-attn") + 1].startswith("--")  # a switch there
    assert "--no-webui" in arguments and arguments[arguments.index("--host") + 1] == "127.0.0.1"
    assert not {"--fit", "--offline", "--cors-origins", "--no-slots", "--verbosity", "--log-colors"} & set(arguments)
    environment = told["environment"]
    assert set(environment) == {"LLAMA_API_KEY", "LLAMA_SERVER_ROUTER_PORT"}
    assert len(environment["LLAMA_API_KEY"]) > 30 and environment["LLAMA_API_KEY"] not in arguments
    said = " ".join(loaded.warnings)
    assert "cannot keep experts on the CPU" in said and "does not know --swa-full" in said
    assert loaded.buffers == (("CPU_Mapped", 8399094, 0, 0), ("CPU", 0, 2621440, 0))
    record = Registry().list()[0]
    assert record.pid == session.pid and record.engine == str(old) and Path(record.log).read_text()
    events = await all_of(session.ask(ASKED))
    answer = last_answer(events)
    assert answer.text == "old servers answer too" and answer.finish_reason == "stop"
    assert answer.prompt == "[user]hello" and answer.prompt_tokens == 11 and answer.generated_tokens == 4
    assert answer.prompt_rate == 1100.0 and answer.generation_rate == 100.0  # the first token is the prompt's
    assert "".join(event.text for event in events if isinstance(event, TextArrived)) == answer.text
    asked = json.loads((old.parent / "asked.json").read_text())
    assert asked["cache_prompt"] is False and asked["n_predict"] == 9 and asked["temperature"] == 0.0
    pid = session.pid
    assert pid is not None
    await session.close()
    assert gone(pid) and Registry().list() == ()


async def test_a_request_beyond_the_context_is_refused_and_the_session_stays(opens: Open) -> None:
    session = opens()
    await all_of(session.load())
    failed = (await all_of(session.ask(Request(raw="x" * 70))))[-1]
    assert isinstance(failed, Failed) and not failed.fatal
    assert "70 tokens and the context 64" in failed.failure.message
    assert isinstance((await all_of(session.ask(ASKED)))[-1], Answered)


async def test_a_server_that_dies_in_an_answer_ends_the_session(opens: Open) -> None:
    session = opens("dies")
    await all_of(session.load())
    failed = await failure_of(session.ask(ASKED))
    assert failed.fatal and failed.failure.message == "llama-server ended with status 3 while answering"
    assert session.pid is None


async def test_an_answer_without_an_end_is_a_failure_and_the_server_goes_on(opens: Open, old: Path) -> None:
    session = opens("breaks off")
    await all_of(session.load())
    failed = await failure_of(session.ask(ASKED))
    assert not failed.fatal and "ended its answer in the middle" in failed.failure.message and failed.failure.hint
    assert session.pid is not None


@pytest.mark.parametrize(
    ("mode", "message", "kind"),
    [
        ("unknown architecture", "this llama-server does not know the architecture new\ufffd[31m", "plan_refused"),
        ("port taken", "llama-server could not take a port while loading", "engine"),
    ],
)
async def test_why_it_does_not_start_is_a_sentence(mode: str, message: str, kind: str, opens: Open) -> None:
    failure = await why(opens(mode).load())
    assert failure.message == message and failure.kind == kind and failure.hint and failure.log


async def test_a_stop_ends_the_answer_and_the_session_goes_on(opens: Open, old: Path) -> None:
    session = opens("waits")
    await all_of(session.load())
    asking = asyncio.create_task(all_of(session.ask(ASKED)))
    await until((old.parent / "waiting").exists)
    await session.cancel()
    answer = last_answer(await asking)
    assert answer.finish_reason == "cancelled" and answer.text == "old servers"
    assert session.pid is not None


async def test_a_load_can_be_stopped(opens: Open, old: Path) -> None:
    session = opens("loads for ever")
    loading = asyncio.create_task(all_of(session.load()))
    await until((old.parent / "argv.json").exists)
    await until(lambda: bool(Registry().list()) and Registry().list()[0].pid_started is not None)
    await session.cancel()
    failure = last_failure(await loading)
    assert failure.kind == "cancelled"
    assert session.pid is None


async def test_a_killed_server_is_told_and_its_guard_goes_too(opens: Open) -> None:
    session = opens()
    await all_of(session.load())
    pid = session.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: session.pid is None)
    assert session.ended
    failure = await why(session.ask(ASKED))
    assert "the system killed the engine" in failure.message and Registry().list() == ()


async def test_a_killed_guard_takes_its_server_along(opens: Open) -> None:
    session = opens()
    await all_of(session.load())
    pid = session.pid
    assert pid is not None
    guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert guard != os.getpid()
    os.kill(guard, signal.SIGKILL)
    await until(lambda: gone(pid))


async def test_a_program_that_is_no_llama_server_is_named(tmp_path: Path) -> None:
    engine = ServerEngine(ServerBuilds())
    for path, said in (("/bin/true", "is not a llama-server"), (str(tmp_path / "none"), "is not there")):
        failure = await why(engine.open(variant(), LoadPlan(engine=path)).load())
        assert said in failure.message and failure.hint


async def test_a_program_is_read_once_until_its_file_changes(old: Path, tmp_path: Path) -> None:
    builds = ServerBuilds()
    count = tmp_path / "count"
    first = await builds.read(old)
    assert first.info.build == "4589 (eb7cf15a)" and first.knows("--mlock") and not first.rpc
    old.write_text(old.read_text() + f"\nopen({str(count)!r}, 'a').write('x')\n")
    assert (await builds.read(old)) is not first
    text = old.read_text()
    again = await builds.read(old)
    assert again is await builds.read(old) and text == old.read_text()


async def test_without_a_program_the_failure_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EngineError) as error:
        ServerBuilds().program("llama-server")
    assert "on PATH" in error.value.message and "--engine" in error.value.hint
    assert ServerBuilds(lambda: "/opt/llama-server").program("llama-server") == Path("/opt/llama-server")


async def test_a_crash_stays_on_record_for_a_while_and_can_be_taken_off(opens: Open) -> None:
    session = opens("dies")
    await all_of(session.load())
    await all_of(session.ask(ASKED))
    await session.close()
    sessions = RunningSessions()
    (seen,) = await sessions.crashed()
    assert await sessions.list() == () and seen.own and seen.record.state is SessionState.CRASHED
    assert seen.record.reason == "llama-server ended with status 3 while answering" and seen.record.crashed
    assert seen.memory == ProcessMemory() and await sessions.log(session.id)
    await sessions.stop(session.id)
    assert await sessions.crashed() == ()


async def test_what_is_ended_from_outside_or_refused_is_no_crash(opens: Open) -> None:
    sessions = RunningSessions()
    refused = opens("unknown architecture")
    await all_of(refused.load())
    ended = opens()
    await all_of(ended.load())
    await sessions.stop(ended.id)
    await until(lambda: ended.pid is None)
    assert await sessions.crashed() == ()


def test_a_crash_is_forgotten_with_its_qtui_or_after_a_while() -> None:
    mine = began(os.getpid())
    record = SessionRecord("s", 7, 1, os.getpid(), "", "", state=SessionState.CRASHED, parent_started=mine)
    now = time.time()
    assert remembered(replace(record, crashed=now))
    for when in (now - 601, now + 60, 0.0):
        assert not remembered(replace(record, crashed=when))
    for parent in (None, 1):
        assert not remembered(replace(record, crashed=now, parent_started=parent))
