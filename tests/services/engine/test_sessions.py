from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.core.sessions import SessionRecord, SessionState
from qtui.services.engine.sessions import Registry, started
from qtui.services.paths import runtime_dir

HERE = SessionRecord(
    "abc1", os.getpid(), started(os.getpid()), os.getppid(), "Tiny Q8_0", "/models/tiny\udcff.gguf", {"ctx_size": 64},
    since=2.0, state=SessionState.READY,
)  # fmt: skip


def test_records_come_back_private_and_in_order() -> None:
    registry = Registry()
    earlier = replace(HERE, id="abc0", since=1.0)
    registry.put(HERE)
    registry.put(earlier)
    registry.put(replace(HERE, state=SessionState.ANSWERING))
    assert Registry().list() == (earlier, replace(HERE, state=SessionState.ANSWERING))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in runtime_dir().iterdir()}
    assert modes == {0o600} and stat.S_IMODE(runtime_dir().stat().st_mode) == 0o700
    registry.drop("abc0")
    registry.drop("abc0")
    assert [record.id for record in Registry().list()] == ["abc1"]


def test_stale_records_are_dropped_by_pid_and_start_time() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pid = process.pid
    assert started(pid) is None
    registry = Registry()
    registry.put(replace(HERE, id="dead", pid=pid, pid_started=1))
    registry.put(replace(HERE, id="reused", pid_started=(HERE.pid_started or 0) - 1))
    registry.put(replace(HERE, id="init", pid=1))
    registry.put(HERE)
    assert [record.id for record in Registry().list()] == ["abc1"]
    assert [path.name for path in runtime_dir().glob("*dead*")] == []


def test_a_process_that_waits_to_be_reaped_counts_as_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    born = started(process.pid)
    assert born is not None and born >= (HERE.pid_started or 0)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert started(process.pid) is None
    process.communicate()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"v": 1, "type": "SessionRecord"}', '{"v": 9}', "\x00" * 100])
def test_a_broken_record_hides_no_other(content: str) -> None:
    (runtime_dir() / "session-broken.json").write_text(content)
    registry = Registry()
    registry.put(HERE)
    assert [record.id for record in Registry().list()] == ["abc1"]


def test_a_record_of_a_newer_qtui_is_read() -> None:
    registry = Registry()
    registry.put(HERE)
    path = runtime_dir() / "session-abc1.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "good"}))
    assert Registry().list() == (HERE,)


def test_a_folder_that_cannot_be_used_records_nothing(tmp_path: Path) -> None:
    def refuse() -> Path:
        raise QtuiError("cannot use the folder")

    for folder in (refuse, lambda: tmp_path / "missing"):
        registry = Registry(folder)
        registry.put(HERE)
        registry.drop("abc1")
        assert registry.list() == ()
