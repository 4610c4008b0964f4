"""The parent's side of a session, against a child that plays scripts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qtui.core.errors import EngineError, Failure
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed, PromptProgressed, TextArrived
from qtui.core.hardware import ProcessMemory
from qtui.core.sessions import SessionState
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.session import Patience
from qtui.services.engine.sessions import Registry
from tests.services.engine.scripts import (
    ANSWERED,
    CANCELLED,
    LOADED,
    QUICK,
    READY,
    REQUEST,
    all_of,
    answer_of,
    failure_of,
    gone,
    opened,
    scripted,
    text,
    until,
)


async def test_events_come_in_order_and_the_session_is_ready_again() -> None:
    engine = scripted(
        Load=[["say", {"type": "LoadProgressed", "fraction": 0.5, "elapsed": 1}], *READY],
        Ask=[["say", {"type": "PromptProgressed", "done": 2, "total": 3}], text("h", tokens=1), text("i"),
             ["say", ANSWERED]],
    )  # fmt: skip
    session = opened(engine)
    assert opened(engine).pid is None
    loading = await all_of(session.load())
    assert [type(event) for event in loading] == [LoadProgressed, Loaded]
    pid = session.pid
    assert pid is not None and not gone(pid)
    for _ in range(2):
        answering = await all_of(session.ask(REQUEST))
        assert [type(event) for event in answering] == [PromptProgressed, TextArrived, TextArrived, Answered]
    await session.close()
    await session.close()
    assert gone(pid) and session.pid is None


async def test_commands_carry_path_plan_and_request() -> None:
    engine = scripted(Load=[["echo"], *READY], Ask=[["echo"], ["say", ANSWERED]])
    session = opened(engine, Path("tiny\udcff.gguf"))
    told, *_ = await all_of(session.load())
    assert isinstance(told, TextArrived)
    load = json.loads(told.text)
    assert load["path"] == str(Path.cwd() / "tiny\udcff.gguf")  # absolute, bytes that are not UTF-8 kept
    assert load["plan"]["ctx_size"] == 64
    told, *_ = await all_of(session.ask(REQUEST))
    assert isinstance(told, TextArrived)
    asked = json.loads(told.text)["request"]
    assert asked["messages"] == [{"role": "user", "content": "hello"}] and asked["sampling"]["temperature"] == 0.0
    await session.close()


async def test_garbage_unknown_events_and_fields_are_passed_over() -> None:
    noise: list[list[Any]] = [
        ["raw", "llama.cpp says hello"],
        ["raw", '{"v": 2, "type": "TextArrived", "text": "of another version"}'],
        ["raw", '{"v": 1, "type": "TextArrived", "text": 5}'],
        ["raw", '{"v": 1, "type": "TextArrived"'],
        ["raw", '{"v": 1, "type": "Told", "text": "unknown"}'],
        ["raw", "[]"],
        ["raw", "\x00\x1b]0;title\x07\udcff"],
        ["say", LOADED],
        text("h\x1b[31m\u202ei", colour="red"),
    ]
    session = opened(scripted(Load=[*noise[:-2], *READY], Ask=[*noise, ["say", {**ANSWERED, "mood": "good"}]]))
    assert isinstance((await all_of(session.load()))[-1], Loaded)
    events = await all_of(session.ask(REQUEST))
    assert events[0] == TextArrived("h\ufffd[31m\ufffdi") and isinstance(events[1], Answered) and len(events) == 2
    await session.close()


@pytest.mark.parametrize("size", [(5 << 20), pytest.param(70 << 20, marks=pytest.mark.slow)])
async def test_huge_lines_are_survived(size: int) -> None:
    session = opened(scripted(Load=[["raw", "x", size], *READY], Ask=[text("y" * 100_000), ["say", ANSWERED]]))
    assert isinstance((await all_of(session.load()))[-1], Loaded)
    first, *_ = await all_of(session.ask(REQUEST))
    assert first == TextArrived("y" * 100_000)
    await session.close()


DEATHS = {
    signal.SIGILL: "instruction that this CPU does not have",
    signal.SIGABRT: "GGML_ASSERT(n > 0) failed",
    signal.SIGBUS: "truncated, or the disk failed",
    signal.SIGKILL: "memory ran out",
    signal.SIGSEGV: "invalid memory access",
    signal.SIGTERM: "asked to end from outside",
}


@pytest.mark.parametrize("number", DEATHS, ids=lambda s: s.name)
@pytest.mark.parametrize("phase", ["Start", "Load", "Ask"])
async def test_a_death_in_any_phase_is_a_sentence(phase: str, number: signal.Signals) -> None:
    last: list[list[Any]] = [["log", "earlier"], ["log", "ggml.c:12: GGML_ASSERT(n > 0) failed"], ["die", int(number)]]
    script: dict[str, Any] = {"Load": READY, "Ask": [text("half")]}
    script[phase] = [*script.get(phase, []), *last] if phase != "Load" else last
    session = opened(scripted(**script))
    events = await all_of(session.load())
    if phase == "Ask":
        assert isinstance(events[-1], Loaded)
        events = await all_of(session.ask(REQUEST))
        assert events[0] == TextArrived("half")
    failed = events[-1]
    assert isinstance(failed, Failed) and failed.fatal
    assert DEATHS[number] in failed.failure.message and failed.failure.hint
    assert ("while answering" if phase == "Ask" else "while loading") in failed.failure.message
    assert failed.failure.log[-1] == "ggml.c:12: GGML_ASSERT(n > 0) failed"
    assert session.pid is None and await session.memory() == ProcessMemory()
    again = await failure_of(session.ask(REQUEST))  # a dead session says so at once, and again
    assert again.fatal and again.failure.message == failed.failure.message
    await session.close()


async def test_a_death_between_commands_is_told_by_the_next() -> None:
    session = opened(scripted(Load=[*READY, ["die", signal.SIGSEGV]]))
    await all_of(session.load())
    await until(lambda: session.pid is None)
    failed = await failure_of(session.ask(REQUEST))
    assert failed.fatal and failed.failure.message == "llama.cpp crashed: invalid memory access"
    await session.close()


@pytest.mark.parametrize("end", [["exit", 0], ["exit", 1], ["die", int(signal.SIGABRT)], ["hang"]], ids=str)
async def test_what_a_child_says_of_its_end_stands(end: list[Any]) -> None:
    words = {"message": "no such architecture", "hint": "another file", "kind": "bad_file"}
    script: list[list[Any]] = [["log", "why"], ["say", {"type": "Failed", "fatal": True, "failure": words}], end]
    failed = await failure_of(opened(scripted(Load=script)).load())
    assert failed == Failed(Failure(**words, log=("why",)), fatal=True)


async def test_a_failure_that_is_not_fatal_leaves_the_session() -> None:
    refused = {"type": "Failed", "failure": {"message": "too long", "hint": "shorter", "kind": "plan_refused"}}
    session = opened(scripted(Load=READY, Ask=[["say", refused]]))
    await all_of(session.load())
    for _ in range(2):
        failed = await failure_of(session.ask(REQUEST))
        assert not failed.fatal and failed.failure.message == "too long"
    await session.close()


async def test_an_exit_with_a_status_tells_what_the_log_says() -> None:
    log = [["log", "Traceback (most recent call last):"], ["log", "ModuleNotFoundError: No module named 'llama_cpp'"]]
    failed = await failure_of(opened(scripted(Start=[*log, ["exit", 1]])).load())
    assert failed.failure.message == "the engine cannot be loaded: ModuleNotFoundError: No module named 'llama_cpp'"
    assert "pip install" in failed.failure.hint
    failed = await failure_of(opened(scripted(Load=[["exit", 0]])).load())
    assert failed.failure.message == "the engine ended by itself while loading"


async def test_an_output_that_closes_ends_the_session() -> None:
    failed = await failure_of(opened(scripted(Load=[["shut"], ["hang"]])).load())
    assert failed.fatal


async def test_an_engine_that_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    session = opened(BuiltInEngine(command=(str(tmp_path / "missing"),)))
    failed = await failure_of(session.load())
    assert failed.fatal and failed.failure.message == "the engine cannot be started: No such file or directory"
    await session.close()


async def test_cancel_ends_an_answer_and_the_session_is_usable() -> None:
    session = opened(scripted(Load=READY, Ask=[text("a"), ["wait", "Cancel"], ["say", CANCELLED]]))
    await all_of(session.load())
    for _ in range(2):
        events = session.ask(REQUEST)
        assert await anext(events) == TextArrived("a")
        await session.cancel()
        answered = await answer_of(events)
        assert answered.answer.finish_reason == "cancelled"
    await session.cancel()  # nothing runs: nothing happens
    await session.close()


async def test_a_load_that_does_not_stop_is_killed() -> None:
    session = opened(scripted(Load=[["say", {"type": "LoadProgressed", "fraction": 0, "elapsed": 0}], ["hang"]]))
    events = session.load()
    assert isinstance(await anext(events), LoadProgressed)
    pid = session.pid
    assert pid is not None
    await session.cancel()
    failed = await failure_of(events)
    assert failed.fatal and failed.failure.kind == "cancelled" and gone(pid)
    await session.close()


async def test_an_answer_that_does_not_stop_is_killed() -> None:
    session = opened(scripted(Load=READY, Ask=[text("a"), ["hang"]]))
    await all_of(session.load())
    events = session.ask(REQUEST)
    await anext(events)
    await session.cancel()
    failed = await failure_of(events)
    assert failed.fatal and failed.failure.message == "the engine did not stop within 0.30 s and was ended"
    await session.close()


async def test_a_load_cancelled_before_its_child_runs_is_cancelled() -> None:
    session = opened(scripted(Load=[["hang"]]))
    loading = asyncio.create_task(all_of(session.load()))
    await asyncio.sleep(0)
    await session.cancel()
    last = (await loading)[-1]
    assert isinstance(last, Failed) and last.fatal and last.failure.kind == "cancelled"
    await session.close()


@pytest.mark.parametrize("how", ["aclose", "break", "cancelled task"])
async def test_an_iterator_closed_early_cancels_and_leaves_the_session_usable(how: str) -> None:
    script = [text("a"), ["wait", "Cancel"], text("late"), ["say", CANCELLED]]
    session = opened(scripted(Patience(), Load=READY, Ask=script))
    await all_of(session.load())
    if how == "aclose":
        events = session.ask(REQUEST)
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]
    elif how == "break":
        async for _ in session.ask(REQUEST):
            break
    else:
        started = asyncio.Event()

        async def consume() -> None:
            async for _ in session.ask(REQUEST):
                started.set()

        task = asyncio.create_task(consume())
        await started.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    events = session.ask(REQUEST)
    assert await anext(events) == TextArrived("a")  # of the second answer: what came late of the first is dropped
    await session.cancel()
    rest = await all_of(events)
    assert rest[0] == TextArrived("late") and isinstance(rest[-1], Answered)
    await session.close()


async def test_one_command_at_a_time() -> None:
    session = opened(scripted(Load=READY, Ask=[text("a"), ["wait", "Cancel"], ["say", CANCELLED]]))
    with pytest.raises(EngineError, match="not loaded"):
        await all_of(session.ask(REQUEST))
    await all_of(session.load())
    with pytest.raises(EngineError, match="loaded already"):
        await all_of(session.load())
    events = session.ask(REQUEST)
    await anext(events)
    with pytest.raises(EngineError, match="answering already"):
        await all_of(session.ask(REQUEST))
    await session.cancel()
    assert isinstance((await all_of(events))[-1], Answered)
    await session.close()


async def test_a_slow_reader_gets_everything_in_order() -> None:
    count = 3000
    session = opened(scripted(Load=READY, Ask=[["count", count], ["say", ANSWERED]]))
    await all_of(session.load())
    events = session.ask(REQUEST)
    assert await anext(events) == TextArrived("0000")
    await until(lambda: Registry().list()[0].state is SessionState.READY)  # the child is done before anyone reads on
    rest = await all_of(events)
    assert [event.text for event in rest[:-1] if isinstance(event, TextArrived)] == [
        f"{n:04d}" for n in range(1, count)
    ]
    assert isinstance(rest[-1], Answered)
    await session.close()


async def test_close_ends_a_deaf_child_and_the_waiting_iterator() -> None:
    session = opened(scripted(Load=READY, Ask=[text("a"), ["hang"]]))
    await all_of(session.load())
    events = session.ask(REQUEST)
    await anext(events)
    pid = session.pid
    assert pid is not None
    await session.close()
    assert gone(pid)
    failed = await failure_of(events)
    assert failed.fatal and failed.failure.message == "the session was closed"
    with pytest.raises(ChildProcessError):  # it was waited for: no zombie is left
        os.waitpid(pid, os.WNOHANG)


async def test_close_before_and_while_starting() -> None:
    engine = scripted(Load=[["hang"]])
    session = opened(engine)
    await session.close()
    assert (await failure_of(session.load())).failure.message == "the session was closed"
    session = opened(engine)
    loading = asyncio.create_task(failure_of(session.load()))
    await asyncio.sleep(0)
    await session.close()
    assert (await loading).failure.kind == "cancelled" and session.pid is None


async def test_an_engine_closes_all_its_sessions() -> None:
    engine = scripted(Load=READY)
    sessions = [opened(engine) for _ in range(2)]
    for session in sessions:
        await all_of(session.load())
    pids = [session.pid for session in sessions]
    await engine.close()
    assert all(pid is not None and gone(pid) for pid in pids)


@pytest.mark.parametrize("ending", ["return", "cancel", "interrupt"])
def test_a_loop_that_ends_under_a_session_leaves_no_child_and_no_noise(ending: str, tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal, sys
from tests.services.engine.scripts import READY, REQUEST, all_of, opened, scripted, text
async def main():
    session = opened(scripted(Load=READY, Ask=[text("a"), ["hang"]]))
    await all_of(session.load())
    print(session.pid, flush=True)
    try:
        async for event in session.ask(REQUEST):
            if {ending!r} == "return":
                return
            if {ending!r} == "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            else:
                asyncio.current_task().cancel()
    finally:
        if {ending!r} != "return":
            await session.close()
asyncio.run(main(), debug=True)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        check=False, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert gone(int(done.stdout.split()[0]))
    noise = [line for line in done.stderr.splitlines() if "never" in line or "Warning" in line or "unclosed" in line]
    assert not noise and "Task" not in done.stderr and "Event loop is closed" not in done.stderr, done.stderr
    assert {"return": 0, "cancel": 1, "interrupt": -signal.SIGINT}[ending] == done.returncode, done.stderr


async def test_secrets_do_not_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    session = opened(scripted(Load=READY))
    await all_of(session.load())
    environment = Path(f"/proc/{session.pid}/environ").read_bytes()
    assert b"hf_secret" not in environment and b"PATH=" in environment
    await session.close()


async def test_an_unwritable_home_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "a file, no folder"
    blocked.write_text("")
    for variable in ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(variable, str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(blocked))
    session = opened(scripted(QUICK, Load=READY, Ask=[["log", "x"], ["die", signal.SIGSEGV]]))
    assert isinstance((await all_of(session.load()))[-1], Loaded)
    failed = await failure_of(session.ask(REQUEST))
    assert "invalid memory access" in failed.failure.message and failed.failure.log == ()
