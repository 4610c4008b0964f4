"""Sessions of all processes: seen, read and ended by whoever looks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError, UsageError
from qtui.core.events import Failed
from qtui.core.memory.actual import Estimate
from qtui.core.memory.footprint import Pools
from qtui.core.origin import Origin
from qtui.core.sessions import SessionRecord, SessionState
from qtui.services.engine import running_sessions
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.running_sessions import RunningSessions
from qtui.services.engine.sessions import Registry, started
from qtui.services.paths import log_dir, runtime_dir
from tests.services.engine.scripts import READY, REQUEST, all_of, opened, scripted, text

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells processes apart through /proc")
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); input()"
GENTLE = "print('ready', flush=True); input()"


@contextmanager
def recorded(code: str = GENTLE, **changes: object) -> Iterator[tuple[subprocess.Popen[str], SessionRecord]]:
    """A process of somebody else that stands on record as a session."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        plain = SessionRecord("other", process.pid, started(process.pid), 1, "Tiny Q8_0", "/m/tiny.gguf")
        record = replace(plain, **changes)  # type: ignore[arg-type]
        Registry().put(record)
        try:
            yield process, record
        finally:
            process.kill()


async def test_a_session_of_this_process_is_seen_whole() -> None:
    engine = scripted(Load=READY)
    session = opened(engine)
    await all_of(session.load())
    (seen,) = await RunningSessions().list()
    assert (seen.record.id, seen.record.pid, seen.own) == (session.id, session.pid, True)
    assert (seen.record.state, seen.record.context_size, seen.record.context_used) == (SessionState.READY, 64, 0)
    assert seen.memory.resident is not None and seen.memory.resident > 0
    assert Path(seen.record.log).parent == log_dir() and Path(seen.record.log).exists()
    await session.close()
    assert await RunningSessions().list() == ()


async def test_the_estimate_is_on_record() -> None:
    child = scripted(Load=READY)._means.command
    engine = BuiltInEngine(
        command=child, estimate=lambda _, plan: Estimate(Pools(1, 2, (plan.ctx_size, 5)), 9, Origin.DRY_RUN)
    )
    session = opened(engine)
    await all_of(session.load())
    (seen,) = await RunningSessions().list()
    assert (seen.record.estimated_ram, seen.record.estimated_vram, seen.record.estimate) == (3, 69, 72)
    assert (seen.record.estimated_reclaimable, seen.record.expected) == (9, 81)
    await session.close()


async def test_stopping_ends_the_engine_and_its_owner_gets_the_reason() -> None:
    session = opened(scripted(Load=READY, Ask=[text("half"), ["wait", "Cancel"]]))
    await all_of(session.load())
    events = session.ask(REQUEST)
    await anext(events)
    await RunningSessions().stop(session.id)
    assert await RunningSessions().list() == ()
    last = (await all_of(events))[-1]
    assert isinstance(last, Failed) and last.fatal
    assert last.failure.message == "the engine was asked to end from outside while answering"
    assert session.pid is None
    await session.close()


async def test_a_session_of_another_process_is_stopped() -> None:
    with recorded() as (process, record):
        (seen,) = await RunningSessions().list()
        assert (seen.record, seen.own) == (record, False)
        await RunningSessions().stop("other")
        assert process.wait() == -signal.SIGTERM
    assert list(runtime_dir().glob("session-*")) == []


async def test_one_that_does_not_listen_is_killed() -> None:
    with recorded(DEAF) as (process, _):
        await RunningSessions(patience=0.1).stop("other")
        assert process.wait() == -signal.SIGKILL


async def test_another_process_with_the_same_id_is_left_alone() -> None:
    with recorded() as (process, record):
        Registry().put(replace(record, pid_started=(record.pid_started or 0) - 1))
        with pytest.raises(UsageError, match="no session other"):
            await RunningSessions().stop("other")
        stale = replace(record, pid_started=(record.pid_started or 0) - 1)
        running_sessions._signal(stale, signal.SIGKILL)  # its process id was given away after it was looked up
        assert process.poll() is None
        process.communicate("\n")
        assert process.returncode == 0


async def test_without_pidfd_it_works_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    with recorded() as (process, _):
        await RunningSessions().stop("other")
        assert process.wait() == -signal.SIGTERM


async def test_qtui_does_not_end_itself() -> None:
    Registry().put(SessionRecord("self", os.getpid(), started(os.getpid()), 1, "x", "/x"))
    with pytest.raises(QtuiError, match="qtui itself"):
        await RunningSessions().stop("self")


async def test_a_process_of_someone_else_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with recorded(), monkeypatch.context() as patched:
        patched.setattr(signal, "pidfd_send_signal", refuse, raising=False)
        patched.setattr(os, "kill", refuse)
        with pytest.raises(QtuiError, match="cannot be ended: Operation not permitted"):
            await RunningSessions().stop("other")


async def test_the_log_is_the_sessions_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not a log")
    log = log_dir() / "engine-other.log"
    log.write_bytes(b"first\x1b[2J\n\nlast\xff\n")
    with recorded(log=str(log)) as (_, record):
        assert await RunningSessions().log("other") == ("first�[2J", "last�")
        Registry().put(replace(record, log=str(secret)))
        assert await RunningSessions().log("other") == ()
        Registry().put(replace(record, log=str(tmp_path / "engine-other.log")))
        assert await RunningSessions().log("other") == ()
    assert await RunningSessions().log("other") == ()


@pytest.mark.parametrize("value", [10**400, 1e308, -5, float("nan")])
async def test_absurd_numbers_in_a_record_are_unknown(value: float) -> None:
    with recorded():
        path = runtime_dir() / "session-other.json"
        body = json.loads(path.read_text())
        numbers = dict.fromkeys(("rate", "progress", "since", "estimated_ram", "context_used"), value)
        path.write_text(json.dumps({**body, **numbers, "title": "a\x1b[2J\nb"}))
        for seen in await RunningSessions().list():
            assert (seen.record.rate, seen.record.estimated_ram, seen.record.context_used) == (None, None, None)
            assert "\x1b" not in seen.record.title and "\n" not in seen.record.title
