"""The command as a user runs it: real files, real llama.cpp in real children, one process per command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qtui.core.sessions import SessionState
from qtui.services.engine.sessions import Registry
from tests.conftest import DEMO_F16, HEADER_SIZES, write_ghost

STORY = (
    ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. "
    "She wanted to play with it, but it was too high.\nLily's mom said"
)


def qtui(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "qtui.cli.main", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return done


def answered(*arguments: str, status: int = 0) -> dict[str, Any]:
    done = qtui(*arguments, "--json", status=status)
    body = json.loads(done.stdout)
    assert isinstance(body, dict)
    assert done.stdout.count("\n") == 1
    return body


@pytest.fixture(scope="module")
def demo_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that keeps the demo's quants over the tests of this module."""
    return tmp_path_factory.mktemp("demo-cache")


def children(pid: int) -> set[int]:
    """Return the living children of a process."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def until(happened: object, limit: float = 20.0) -> None:
    """Wait for a condition."""
    assert callable(happened)
    end = time.monotonic() + limit
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_ask_streams_the_answer_of_the_demo_model() -> None:
    done = qtui("ask", str(DEMO_F16), "What is 23 + 45?", "--temperature", "0")
    assert done.stdout == "23 + 45 = 68.\n"
    assert "t/s" in done.stderr


def test_ask_continues_a_story_to_the_letter(stories: Path) -> None:
    arguments = ("ask", str(stories), "Once upon a time", "--raw", "--temperature", "0", "--max-tokens", "64")
    assert qtui(*arguments).stdout == STORY + "\n"


def test_fit_agrees_with_what_the_session_allocates() -> None:
    told = answered("fit", str(DEMO_F16), "--ctx-size", "512")
    assert (told["origin"], told["verdict"]) == ("dry-run", "fits")
    assert told["plan"]["ctx_size"] == 512
    pools = told["pools"]
    assert pools["ram_anonymous"] + pools["ram_file_backed"] + sum(pools["vram"]) == told["total"]
    smaller = answered("fit", str(DEMO_F16), "--ctx-size", "256")
    context, half = (sum(d["context"] for d in body["devices"]) for body in (told, smaller))
    assert context == 512 * 5 * 2 * 128 * 2  # tokens × layers × (K, V) × 2 heads of 64 × f16
    assert half * 2 == context


def test_fit_takes_a_ghost_of_a_large_model(tmp_path: Path) -> None:
    largest = max(HEADER_SIZES, key=HEADER_SIZES.__getitem__)
    ghost = write_ghost(largest, tmp_path)
    body = answered("fit", str(ghost), "--ctx-size", "4096", "--ram", "4G")
    assert body["total"] > 4 << 30
    assert body["simulated"] is True
    assert body["verdict"] in ("too_big", "from_disk")
    assert body["short_by"] > 0


def test_ls_and_show_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "demo-F16.gguf").symlink_to(DEMO_F16)
    (tmp_path / "models" / "broken-Q8_0.gguf").write_bytes(b"GGUF and no more")
    variants = answered("ls", "--models-dir", str(tmp_path / "models"))["variants"]
    assert {variant["model"] for variant in variants} >= {"qtui-demo"}
    body = answered("show", str(DEMO_F16))
    assert (body["architecture"], body["layers"], body["context_length"]) == ("llama", 5, 1024)
    assert body["bits_per_weight"] == pytest.approx(16.0, abs=0.05)
    assert sum(kind["tensors"] for kind in body["tensor_types"].values()) == 47


@pytest.mark.parametrize("verb", ["show", "fit", "ask", "bench"])
def test_files_that_are_no_models_are_sentences(tmp_path: Path, verb: str) -> None:
    more = ("hi",) if verb == "ask" else ()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and no more")
    for path in (tmp_path / "missing.gguf", tmp_path, broken):
        body = answered(verb, str(path), *more, status=1)
        assert body["error"]["message"]
        assert body["error"]["hint"]


def test_doctor_and_monitor_tell_of_this_machine() -> None:
    body = answered("doctor")
    assert body["llama_cpp"]["usable"] is True
    assert body["llama_cpp"]["build"]
    assert any(device["name"] == "CPU" for device in body["engines"][0]["devices"])
    assert body["cpu"]["physical_cores"] >= 1
    sample = answered("monitor", "--once")
    assert 0 < sample["ram"]["available"] <= sample["ram"]["total"]
    assert sample["sessions"] == []


def test_the_demo_answers_headless(demo_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo_cache))
    body = answered("demo", "--headless")
    first, second = body["sides"]
    assert (first["quant"], second["quant"]) == ("Q8_0", "Q2_K")
    assert (first["text"], second["text"]) == ("63 + 36 = 99.", "63 + 36 = 109.")
    assert all(side["generation_rate"] > 0 and side["peak_rss"] > 0 for side in (first, second))
    assert body["mode"] == "alternating"
    sizes = [Path(side["file"]).stat().st_size for side in (first, second)]
    assert sizes[0] > sizes[1]


@pytest.mark.slow
def test_duel_of_two_files(demo_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo_cache))
    if not list(demo_cache.rglob("*Q8_0.gguf")):
        answered("demo", "--headless")
    (other,) = demo_cache.rglob("*Q8_0.gguf")
    body = answered("duel", str(DEMO_F16), str(other), "What is 12 + 7?", "--mode", "together", "--max-tokens", "16")
    assert body["mode"] == "together"
    assert all(side["text"] for side in body["sides"])


def test_bench_measures_to_the_token() -> None:
    arguments = ("--repeats", "2", "--prompt-tokens", "16", "--generate", "4", "--depth", "8")
    rates = answered("bench", str(DEMO_F16), *arguments)
    assert [(r["test"], r["depth"], len(r["rate"]["samples"])) for r in rates["results"]] == [
        ("pp16", 8, 2), ("tg4", 8, 2)
    ]  # fmt: skip
    assert all(sample > 0 for result in rates["results"] for sample in result["rate"]["samples"])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_survives_the_command(number: signal.Signals) -> None:
    with _computing() as running:
        until(lambda: any(_answers(pid) for pid in children(running.pid)))
        left = children(running.pid)
        os.kill(running.pid, number)
        out, err = running.communicate(timeout=20)
    assert running.returncode == (130 if number is not signal.SIGKILL else -signal.SIGKILL), err
    assert b"Traceback" not in err
    if number is not signal.SIGKILL:
        assert json.loads(out)["error"]["kind"] == "interrupted"
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 5)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_child_that_is_killed_is_a_sentence() -> None:
    with _computing() as running:
        until(lambda: any(_answers(pid) for pid in children(running.pid)))
        for pid in children(running.pid):
            if _answers(pid):
                os.kill(pid, signal.SIGKILL)
        out, err = running.communicate(timeout=20)
    assert running.returncode == 1
    body = json.loads(out)
    assert body["error"]["kind"] == "engine"
    assert b"Traceback" not in err


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_session_of_one_process_is_seen_and_stopped_from_another() -> None:
    with _computing() as running:
        until(lambda: any(record.state is SessionState.ANSWERING for record in Registry().list()))
        (seen,) = answered("monitor", "--once")["sessions"]
        assert seen["parent_pid"] == running.pid
        assert seen["pid"] in children(running.pid)
        assert seen["title"] == "qtui-demo F16"
        assert seen["plan"]["load_mode"] == "mmap"
        assert abs(seen["measured_total"] - seen["estimated_total"]) < seen["estimated_total"]
        assert f"stopped qtui-demo F16 ({seen['id']})" in qtui("stop", seen["id"]).stdout
        assert not Path(f"/proc/{seen['pid']}").exists()
        out, err = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "asked to end from outside" in json.loads(out)["error"]["message"]
    assert b"Traceback" not in err
    assert Registry().list() == ()


def _computing() -> subprocess.Popen[bytes]:
    """Start a benchmark that would take hours."""
    arguments = ("bench", str(DEMO_F16), "--json", "--repeats", "1000", "--generate", "1000")
    return subprocess.Popen(
        [sys.executable, "-m", "qtui.cli.main", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _answers(pid: int) -> bool:
    try:
        return b"child.answer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
