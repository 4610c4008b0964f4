"""`quantize` and `imatrix` as a user runs them: real files, real llama.cpp, one process per command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_real import answered, qtui
from tests.conftest import DEMO_F16
from tests.services.engine.making import TEXT, write_llama


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_a_quant_is_made_as_it_was_told(tmp_path: Path) -> None:
    target = tmp_path / "demo-Q8_0.gguf"
    told = answered("quantize", str(DEMO_F16), str(target), "q8_0", "--dry-run")
    assert told["refused"] is None and not target.exists()
    made = answered("quantize", str(DEMO_F16), str(target), "q8_0")
    assert made["size"] == made["predicted_size"] == told["predicted_size"] == target.stat().st_size
    assert (made["file"], made["files"], made["type"]) == (str(target), [str(target)], "Q8_0")
    assert made["tensor_types"].keys() == {"Q8_0", "F32"} and made["elapsed"] > 0
    again = answered("quantize", str(DEMO_F16), str(target), "Q4_0", status=2)
    assert "is there already" in again["error"]["message"]
    refused = answered("quantize", str(target), str(tmp_path / "b.gguf"), "Q4_0", "--dry-run", status=1)
    assert refused["requantised_from"] == ["Q8_0"] and "--allow-requantize" in refused["refused"]["hint"]


def test_what_was_made_is_measured_against_its_source(tmp_path: Path) -> None:
    target = tmp_path / "demo-Q4_0.gguf"
    made = answered("quantize", str(DEMO_F16), str(target), "Q4_0", "--measure", "--measure-chunks", "2")
    measured = made["measured"]
    assert measured["file"] == str(target) and measured["chunks"] == 2
    assert 0 < measured["kl_divergence"]["mean"] < 1
    assert measured["reference"]["quant"] == "F16"


def test_a_source_alone_shows_every_type(tmp_path: Path) -> None:
    lines = qtui("quantize", str(DEMO_F16)).stdout.splitlines()
    assert lines[0].split() == ["TYPE", "SIZE", "BPW", "MATRIX", "FOR"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert "2.47 MiB" in rows["Q4_K_M"] and "needed" in rows["IQ2_XS"] and "NVFP4" not in rows
    assert "would write a Q8_0 file" in rows["MXFP4_MOE"]


def test_a_matrix_is_gathered_on_the_way(tmp_path: Path, text: Path) -> None:
    source, target = write_llama(tmp_path / "small.gguf", 256, feed=256), tmp_path / "q.gguf"
    failed = answered("quantize", str(source), str(target), "IQ2_S", status=2)
    assert "needs an importance matrix" in failed["error"]["message"]
    failed = answered("quantize", str(source), str(target), "IQ2_S", "--imatrix-text", str(text), status=1)
    assert "lack tokenizer" in failed["error"]["message"]
    made = answered(
        "quantize", str(DEMO_F16), str(target), "Q2_K_S", "--imatrix-text", str(text), "--ctx-size", "64",
        "--chunks", "3",
    )  # fmt: skip
    assert made["imatrix"]["used"] == made["gathered"]["entries"] == 35
    assert (tmp_path / "q.imatrix.gguf").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q.gguf", "q.imatrix.gguf", "small.gguf", "text.txt"]


def test_an_interrupted_command_leaves_nothing(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "qtui.cli.main", "quantize", str(DEMO_F16), str(tmp_path / "q.gguf"), "IQ3_S", "--json",
         "--threads", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stderr is not None
    assert "IQ3_S" in running.stderr.readline()  # what it will be: now it is being written
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert list(tmp_path.iterdir()) == []


def test_the_child_of_a_killed_command_removes_its_part(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "qtui.cli.main", "quantize", str(DEMO_F16), str(tmp_path / "q.gguf"), "IQ3_S",
         "--threads", "1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stderr is not None
    assert "IQ3_S" in running.stderr.readline()
    running.kill()
    running.wait()
    running.stderr.close()
    # The child sees that nobody listens any more.
    for _ in range(600):
        if not list(tmp_path.iterdir()):
            break
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_command_left_is_named_and_removed(tmp_path: Path) -> None:
    part = tmp_path / ".q.gguf.abcdefgh.quantise.part"
    part.write_bytes(b"123")
    source = write_llama(tmp_path / "small.gguf")
    done = qtui("quantize", str(source), str(tmp_path / "q.gguf"), "Q8_0")
    assert f"removed what a killed run had left: {part}" in done.stderr
    assert not part.exists()


def test_a_matrix_is_told_with_what_it_saw(tmp_path: Path, text: Path) -> None:
    target = tmp_path / "m.gguf"
    arguments = ("--text", str(text), "--ctx-size", "64", "--chunks", "2")
    told = answered("imatrix", str(DEMO_F16), str(target), *arguments)
    assert (told["file"], told["chunks"], told["entries"], told["resumed"]) == (str(target), 2, 35, 0)
    assert told["experts"] == {"total": 0, "seen": 0, "scarce": []}
    failed = answered("imatrix", str(DEMO_F16), str(target), *arguments, status=2)
    assert "is there already" in failed["error"]["message"]
