"""`monitor` and `stop` over fakes, and the live lines on a stream that says it is a terminal."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.cli.console import Console
from qtui.cli.monitor_verbs import monitor
from qtui.cli.running import run
from qtui.core.errors import QtuiError
from qtui.core.hardware import Foreign, Gpu, MemorySample
from qtui.core.sessions import SessionState
from qtui.core.text import GIB, MIB
from tests.cli.test_hostile import HOSTILE, UNSAFE
from tests.cli.world import World
from tests.fakes import FakeMachine, FakeSessions, make_seen

CARD = Gpu(0, "A card", 12 * GIB, 8 * GIB, "GPU-1", processes=((4242, 3 * GIB),), busy=50.0)


def test_monitor_gives_one_sample_and_the_sessions(world: World) -> None:
    world.machine.set(gpus=(CARD,))
    world.sessions = FakeSessions(make_seen(estimated_vram=3 * GIB))
    body = world.run("monitor", "--once", "--json").json
    assert {"time", "ram", "swap", "gpus", "sessions", "alarms"} <= set(body)
    assert body["ram"]["available"] == 16 * GIB
    assert body["gpus"][0]["name"] == "A card"
    assert body["alarms"] == []
    (session,) = body["sessions"]
    assert (session["id"], session["title"], session["state"], session["pid"]) == ("s1", "Tiny Q8_0", "answering", 4242)
    assert (session["estimated_total"], session["measured_total"]) == (3 * GIB + 400 * MIB, 3 * GIB + 420 * MIB)
    assert (session["rate"], session["context_used"], session["context_size"]) == (41.2, 512, 4096)
    assert session["memory"]["anonymous"] == 120 * MIB
    ran = world.run("monitor", "--once")
    assert "16.00 GiB of 32.00 GiB free" in ran.out
    (line,) = [line for line in ran.out.splitlines() if line.startswith("Tiny")]
    assert line.split() == [
        "Tiny", "Q8_0", "s1", "answering", "0.41", "3.00", "3.39", "+0.6", "%", "41.2", "12", "%", "built-in", "4242",
    ]  # fmt: skip


def test_a_session_that_has_crashed_is_listed_with_its_reason(world: World) -> None:
    gone = make_seen(
        "gone1", "Big Q4_K_M", state=SessionState.CRASHED, reason="the engine ran out\x1b[2J of memory",
        crashed=world.machine.now.time - 65, progress=None, rate=None,
    )  # fmt: skip
    world.sessions = FakeSessions(make_seen(), gone)
    body = world.run("monitor", "--once", "--json").json
    assert [session["id"] for session in body["sessions"]] == ["s1"]
    (crashed,) = body["crashed"]
    assert (crashed["id"], crashed["title"], crashed["crashed"]) == ("gone1", "Big Q4_K_M", gone.record.crashed)
    assert "memory" in crashed["reason"] and crashed["estimated_total"] == 400 * MIB
    ran = world.run("monitor", "--once")
    line = next(line for line in ran.out.splitlines() if line.startswith("Big"))
    assert line.split()[2:5] == ["gone1", "crashed", "–"]
    assert "Big Q4_K_M (gone1) crashed 1 min 05 s ago: the engine ran out" in ran.out and "\x1b" not in ran.out
    world.sessions = FakeSessions(gone)
    assert "gone1" in world.run("monitor", "--once").out


def test_what_is_not_known_of_a_session_is_a_question_mark(world: World) -> None:
    world.sessions = FakeSessions(
        make_seen(rate=None, context_used=None, estimated_ram=None, state=SessionState.LOADING, progress=0.43)
    )
    body = world.run("monitor", "--once", "--json").json
    assert body["sessions"][0]["estimated_total"] is None
    line = next(line for line in world.run("monitor", "--once").out.splitlines() if line.startswith("Tiny"))
    assert line.split()[2:] == ["s1", "loading", "43", "%", "0.41", "–", "?", "?", "?", "?", "built-in", "4242"]


def test_no_sessions_are_no_failure(world: World) -> None:
    assert "no sessions" in world.run("monitor", "--once").out
    assert world.run("monitor", "--once", "--json").json["sessions"] == []


def test_without_a_terminal_it_says_what_to_do(world: World) -> None:
    ran = world.run("monitor")
    assert (ran.status, ran.out) == (2, "")
    assert "needs a terminal" in ran.err and "qtui monitor --once" in ran.err
    assert "--once --json" in world.run("monitor", "--json").err


def test_others_that_hold_memory_stand_beside_the_sessions(world: World) -> None:
    world.machine.set(gpus=(CARD,))
    other = Foreign(99, "python\x1b[2J", 2 * GIB, GIB, "/models/Big-Q4_0.gguf")
    world.machine.now = replace(world.machine.now, foreign=(other,))
    body = world.run("monitor", "--once", "--json").json
    assert body["foreign"][0]["vram"] == GIB
    ran = world.run("monitor", "--once")
    assert "no sessions of qtui" in ran.out
    line = next(line for line in ran.out.splitlines() if "Big-Q4_0.gguf" in line)
    assert line.split()[2:] == ["–", "not", "ours", "2.00", "1.00", "?", "?", "?", "?", "not", "ours", "99"]
    assert "\x1b" not in ran.out


def test_one_look_tells_what_is_wrong_and_what_would_end_it(world: World) -> None:
    world.machine.set(available=GIB)
    world.sessions = FakeSessions(make_seen(estimated_context=8 * GIB))
    (alarm,) = world.run("monitor", "--once", "--json").json["alarms"]
    assert (alarm["kind"], alarm["subject"]) == ("headroom", "ram")
    assert (alarm["remedy"]["session"], alarm["remedy"]["change"]) == ("s1", "KV q8_0")
    assert alarm["remedy"]["plan"]["cache_type_k"] == "q8_0"
    ran = world.run("monitor", "--once")
    assert ran.out.startswith("! RAM 1.0 GiB free, you keep 1.6. Reload with KV q8_0\n")


def test_a_row_is_written_for_each_sample(world: World, tmp_path: Path) -> None:
    world.machine.set(gpus=(CARD,))
    path = tmp_path / "samples.csv"
    assert world.run("monitor", "--once", "--csv", str(path)).status == 0
    head, row = csv.reader(path.read_text().splitlines())
    values = dict(zip(head, row, strict=True))
    assert (values["ram_available"], values["gpu0_free"]) == (str(16 * GIB), str(8 * GIB))
    assert (values["swap_in_per_s"], values["ram_anonymous"], values["gpu0_throttled"]) == ("", "", "")


def test_samples_go_to_a_file_without_a_terminal(world: World, tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    world.machine = TenSamples()
    assert world.run("monitor", "--csv", str(path)).status == 0
    assert len(path.read_text().splitlines()) == 1 + 10


def test_a_file_that_cannot_be_written_is_said(world: World, tmp_path: Path) -> None:
    ran = world.run("monitor", "--once", "--csv", str(tmp_path / "none/samples.csv"))
    assert ran.status == 1
    assert "cannot write" in ran.err


@pytest.mark.parametrize("name", ["abc123", "abc1", "4242"])
def test_stop_takes_an_id_its_beginning_or_a_process_id(world: World, name: str) -> None:
    world.sessions = FakeSessions(make_seen("abc123"), make_seen("def456", pid=77))
    ran = world.run("stop", name)
    assert (ran.status, ran.out) == (0, "stopped Tiny Q8_0 (abc123)\n")
    assert world.sessions.stopped == ["abc123"]


def test_stop_gives_the_session_as_an_object(world: World) -> None:
    world.sessions = FakeSessions(make_seen("abc123"))
    assert world.run("stop", "abc123", "--json").json["stopped"]["id"] == "abc123"


@pytest.mark.parametrize(
    ("name", "said"),
    [("x", "there is no session x"), ("abc", "2 sessions begin with abc"), ("", "there is no session (nothing)")],
)
def test_stop_wants_one_session(world: World, name: str, said: str) -> None:
    world.sessions = FakeSessions(make_seen("abc123"), make_seen("abc456", "Other Q2_K", pid=77))
    ran = world.run("stop", name)
    assert ran.status == 2
    assert said in ran.err and "abc123 Tiny Q8_0, abc456 Other Q2_K" in ran.err
    assert world.sessions.stopped == []


def test_an_exact_id_wins_over_a_longer_one(world: World) -> None:
    world.sessions = FakeSessions(make_seen("abc"), make_seen("abcd"))
    assert world.run("stop", "abc").status == 0
    assert world.sessions.stopped == ["abc"]


def test_stop_without_any_session_says_so(world: World) -> None:
    assert "no session runs now" in world.run("stop", "x").err


def test_a_session_that_cannot_be_stopped_is_a_sentence(world: World) -> None:
    world.sessions = FakeSessions(make_seen())
    world.sessions.errors["s1"] = QtuiError("it does not end", "wait")
    ran = world.run("stop", "s1")
    assert (ran.status, ran.err) == (1, "qtui: it does not end\nhint: wait\n")


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class TenSamples(FakeMachine):
    """Ends after ten samples, a second apart."""

    async def samples(self, interval: float = 1.0):  # type: ignore[no-untyped-def]
        for second in range(10):
            yield MemorySample(1000.0 + second, 32 * GIB, (20 - second) * GIB, 8 * GIB, 0, gpus=(CARD,))


def live(world: World, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int = 40) -> str:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_a, **_k: os.terminal_size((columns, lines)))
    screen = Screen()
    world.machine = TenSamples()
    options = Namespace(once=False, json=False, csv=None)
    status = run(monitor, options, Console(stdout=screen, stderr=io.StringIO()), world.wire)
    assert status == 0
    return screen.getvalue()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_live_lines_are_drawn_in_place_and_fit(world: World, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    world.sessions = FakeSessions(make_seen(), make_seen("s2", "漢字" * 100))
    written = live(world, monkeypatch, columns)
    frames = written.split("\x1b[?25l")[1:]
    assert len(frames) == 10
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).replace("\r", "") for frame in frames]
    rows = plain[-1].splitlines()
    assert [row.split()[0] for row in rows[2:8]] == ["RAM", "swap", "disk", "CPU", "GPU0", "t/s"]
    assert all(frame.startswith(f"\x1b[{len(rows)}A") for frame in frames[1:])
    assert "12.0 of 32.0 GiB" in plain[0] and "21.0 of 32.0 GiB" in plain[-1]
    assert "Tiny Q8_0" in plain[-1]
    assert written.endswith("\x1b[?25h")
    assert max(len(row) for row in rows) < columns


def test_a_low_terminal_shows_what_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sessions = FakeSessions(*(make_seen(f"s{number}") for number in range(50)))
    last = live(world, monkeypatch, 80, 10).split("\x1b[?25l")[-1]
    assert last.count("\n") == 9


def test_nothing_hostile_of_a_session_reaches_the_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in HOSTILE:
        world.sessions = FakeSessions(make_seen("s1", text, engine=text, path=text))
        for arguments in (["monitor", "--once"], ["monitor", "--once", "--json"], ["stop", text], ["stop", "s1"]):
            ran = world.run(*arguments)
            assert not UNSAFE.search(ran.out + ran.err)
        world.sessions = FakeSessions(make_seen("s1", text, engine=text, path=text))
        written = live(world, monkeypatch, 120)
        assert not UNSAFE.search(re.sub(r"\x1b\[(?:\?25[lh]|2K|\d*A|J)|\r", "", written))
