from __future__ import annotations

import os
import stat
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.services.engine.child_process import ChildProcess
from qtui.services.engine.logs import KEPT_FILES, ChildLog, prune
from qtui.services.paths import log_dir


def write(log: ChildLog, content: bytes) -> None:
    with os.fdopen(log.open(), "wb") as stream:
        stream.write(content)


def test_the_tail_is_clean_and_short() -> None:
    log = ChildLog("a")
    assert log.path is not None and log.path.parent == log_dir() and stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert log.tail() == ()
    lines = [f"line {n}" for n in range(100)]
    write(log, "\n".join([*lines, "", "\x1b]0;x\x07 \u202e", "x" * 50_000]).encode() + b"\n\xff\xfe\r\n")
    tail = log.tail()
    assert len(tail) == 20 and tail[-4:-2] == ("line 99", "\ufffd]0;x\ufffd \ufffd")
    assert tail[-2] == "x" * 2000 and "\ufffd\ufffd" in tail[-1] and "\r" not in tail[-1]


def test_only_the_end_of_a_large_log_is_read() -> None:
    log = ChildLog("large")
    write(log, b"early\n" + b"y" * (1 << 20) + b"\nlast\n")
    assert log.tail()[-1] == "last" and "early" not in log.tail()


def test_a_log_of_the_same_name_is_begun_anew(tmp_path: Path) -> None:
    target = tmp_path / "victim"
    target.write_text("mine")
    (log_dir() / "engine-b.log").symlink_to(target)
    write(ChildLog("b"), b"new")
    assert target.read_text() == "mine"


def test_without_a_folder_the_temporary_one_serves(tmp_path: Path) -> None:
    def refuse() -> Path:
        raise QtuiError("read-only")

    log = ChildLog("fallback", refuse)
    assert log.path is not None
    write(log, b"here\n")
    assert log.tail() == ("here",)
    log.path.unlink()
    write(log, b"nowhere\n")
    assert log.tail() == ()


def test_old_logs_are_removed_newest_kept() -> None:
    for number in range(5):
        log = ChildLog(str(number))
        assert log.path is not None
        os.utime(log.path, (number, number))
    (log_dir() / "other.txt").write_text("stays")
    prune(keep=2)
    assert sorted(path.name for path in log_dir().iterdir()) == ["engine-3.log", "engine-4.log", "other.txt"]


async def test_whoever_begins_a_log_removes_old_ones_but_none_of_a_child_that_runs() -> None:
    running = ChildLog("running")
    assert running.path is not None
    child = await ChildProcess.start(("sh", "-c", "echo here >&2; cat"), running)
    try:
        for number in range(KEPT_FILES + 5):
            log = ChildLog(f"download-{number}")
            assert log.path is not None
            os.utime(log.path, (number + 1, number + 1))
            os.utime(running.path, (0, 0))
        assert running.path.exists()
        assert len(list(log_dir().glob("engine-*.log"))) == KEPT_FILES + 1
    finally:
        child.close_input()
        assert [line async for line in child.lines()] == []
        assert await child.ended(30.0) == 0
    assert running.tail() == ("here",)
    os.utime(running.path, (0, 0))
    ChildLog("after")
    assert not running.path.exists()
