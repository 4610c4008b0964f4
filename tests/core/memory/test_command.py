from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qtui.core.errors import UsageError
from qtui.core.memory.command import PROGRAM, server_arguments, server_command
from qtui.core.memory.plan import ALL_LAYERS, CACHE_TYPES, FlashAttention, LoadMode, LoadPlan

MODEL = Path("/models/a.gguf")
PLAIN = ["--model", "/models/a.gguf", "--ctx-size", "8192", "--parallel", "1", "--fit", "off"]
FULL = LoadPlan(
    ctx_size=512, n_gpu_layers=0, load_mode=LoadMode.NONE, cache_type_k="q8_0", cache_type_v="q8_0",
    flash_attn=FlashAttention.ON, threads=1, threads_batch=2, batch_size=256, ubatch_size=128, n_cpu_moe=1,
    cpu_moe=True, override_tensor=(("blk\\.0\\.ffn_(up|down)\\.weight$", "CPU"), ("x=y,'z", "CPU")),
    tensor_split=(3.0, 1.5), main_gpu=0, no_kv_offload=True, swa_full=True, parallel=2,
)  # fmt: skip
HOSTILE = [
    "plain.gguf", "with space.gguf", "quote's.gguf", '"$(touch x)`id`".gguf', "-dash.gguf", "semi;colon&.gguf",
    "line\nbreak.gguf", "esc\x1b]0;x\x07.gguf", "ünï…🙂.gguf", "bidi\u202e.gguf", "back\\slash.gguf", "a,b:c=d.gguf",
    "tab\t'\\x41.gguf", os.fsdecode(b"not\xffutf8.gguf"), "!history.gguf", "~.gguf", "#hash.gguf", "*.gguf",
]  # fmt: skip


def arguments(plan: LoadPlan, path: Path = MODEL) -> list[str]:
    return list(server_arguments(plan, path))


def test_a_path_with_any_surrogate_is_a_line() -> None:
    """Bytes of file names are U+DC80 to U+DCFF; others cannot be in a path of Linux, and crash nothing."""
    assert server_command(LoadPlan(), Path("/a\udcff")).split()[2] == r"$'/a\xff'"
    assert server_command(LoadPlan(), Path("/a\ud800")).split()[2] == r"$'/a\xed\xa0\x80'"


def test_the_default_plan_says_what_the_server_would_decide_otherwise() -> None:
    assert arguments(LoadPlan()) == PLAIN
    assert server_command(LoadPlan(), MODEL) == f"{PROGRAM} {' '.join(PLAIN)}"


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({"n_gpu_layers": ALL_LAYERS}, ["--n-gpu-layers", "all"]),
        ({"n_gpu_layers": 0}, ["--n-gpu-layers", "0"]),
        ({"load_mode": LoadMode.MMAP_MLOCK}, ["--load-mode", "mmap+mlock"]),
        ({"cache_type_v": "q4_0"}, ["--cache-type-v", "q4_0"]),
        ({"flash_attn": FlashAttention.OFF}, ["--flash-attn", "off"]),
        ({"threads": 4, "threads_batch": 4}, ["--threads", "4", "--threads-batch", "4"]),
        ({"n_cpu_moe": 3}, ["--n-cpu-moe", "3"]),
        ({"swa_full": True, "cpu_moe": True}, ["--cpu-moe", "--swa-full"]),
        ({"override_tensor": (("a=b,c", "CPU"), ("c", "CUDA0"))}, ["--override-tensor", r"a\x3db\x2cc=CPU,c=CUDA0"]),
        ({"override_tensor": ((r"a\,b\.c\\=d", "CPU"),)}, ["--override-tensor", r"a\x2cb\.c\\\x3dd=CPU"]),
        ({"tensor_split": (3.0, 0.5)}, ["--tensor-split", "3,0.5"]),
        ({"lora": (("/x.gguf", 1.0),)}, ["--lora", "/x.gguf"]),
        ({"lora": (("/x.gguf", 0.5), ("/a,b.gguf", 2))}, ["--lora-scaled", '/x.gguf:0.5,"/a,b.gguf":2']),
        ({"lora": (("/x:1.gguf", 1), ("/y.gguf", 1))}, ["--lora", "/x:1.gguf,/y.gguf"]),
        ({"lora": (('/a"b.gguf', 1.0),)}, ["--lora", '"/a""b.gguf"']),
        ({"mmproj": "-m.gguf"}, ["--mmproj", "./-m.gguf"]),
        ({"main_gpu": 1, "batch_size": 64, "ubatch_size": 64}, ["--batch-size", "64", "--ubatch-size", "64",
                                                                "--main-gpu", "1"]),
        ({"preset": "long", "engine": "/opt/llama-server"}, []),
    ],
)  # fmt: skip
def test_each_option_under_its_name(change: dict[str, Any], flags: list[str]) -> None:
    assert arguments(replace(LoadPlan(), **change)) == [*PLAIN[:6], *flags, *PLAIN[6:]]


def test_further_options_come_last_and_as_they_are() -> None:
    """A later option of llama-server's goes before an earlier one."""
    given = replace(LoadPlan(), extra="--cache-reuse 256 --alias 'a b' --fit on")
    assert arguments(given) == [*PLAIN, "--cache-reuse", "256", "--alias", "a b", "--fit", "on"]
    assert shlex.split(server_command(given, MODEL))[1:] == arguments(given)


@pytest.mark.parametrize(
    "change",
    [
        {"lora": (("/a:b.gguf", 0.5),)},
        {"override_tensor": (("blk.{1,2}", "CPU"),)},
        {"override_tensor": (("(?=x)", "CPU"),)},
    ],
)
def test_what_the_server_has_no_words_for_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="llama-server cannot") as raised:
        server_command(replace(LoadPlan(), **change), MODEL)
    assert raised.value.hint


@pytest.mark.parametrize("name", HOSTILE)
def test_a_shell_gives_back_what_was_meant(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    command = server_command(replace(FULL, lora=((str(path), 1.0),)), path)
    assert command.isprintable()
    assert "\n" not in command
    if command.isascii() and "$'" not in command:
        assert shlex.split(command)[1:] == arguments(replace(FULL, lora=((str(path), 1.0),)), path)
    script = f'{PROGRAM}() {{ printf "%s\\0" "$@"; }}\n{command}\n'
    done = subprocess.run(["bash"], input=os.fsencode(script), cwd=tmp_path, capture_output=True, check=True)
    assert done.stderr == b""
    given = [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]
    assert given == arguments(replace(FULL, lora=((str(path), 1.0),)), path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.oracle
@pytest.mark.parametrize("plan", [LoadPlan(), FULL], ids=["default", "full"])
def test_llama_server_loads_as_told(oracle: Path, demo_f16: Path, port: int, plan: LoadPlan, tmp_path: Path) -> None:
    """The real server starts with the flags, and says what it made of them."""
    log = tmp_path / "log"
    words = shlex.split(server_command(plan, demo_f16))[1:]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [oracle / "llama-server", *words, "--host", "127.0.0.1", "--port", str(port)],
            stdout=stream, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            props = answer(server, f"http://127.0.0.1:{port}/props", log)
        finally:
            server.terminate()
            server.wait(20)
    assert props["total_slots"] == plan.parallel
    trained = 1024
    # Slots share one context, as the built-in engine has it; else each would have a part.
    assert props["default_generation_settings"]["n_ctx"] == min(plan.ctx_size or 8192, trained)


@pytest.mark.oracle
def test_llama_server_knows_every_flag(oracle: Path) -> None:
    """Also those that need a card, an adapter or a projector."""
    helped = subprocess.run([oracle / "llama-server", "--help"], capture_output=True, text=True, check=True).stdout
    everything = replace(FULL, lora=(("/x", 1.0), ("/y", 2.0)), mmproj="/m", n_gpu_layers=ALL_LAYERS, main_gpu=1)
    flags = {word for word in arguments(everything) if word.startswith("--")}
    known = set(re.findall(r"--[a-z][a-z0-9-]+", helped))
    assert flags - known == set()
    assert len(flags) == 24
    for kind in CACHE_TYPES:
        assert kind in helped
    for mode in LoadMode:
        assert mode.value in helped


def answer(server: subprocess.Popen[bytes], url: str, log: Path) -> dict[str, Any]:
    """Return what the server says of itself once it listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                body = json.load(reply)
                assert isinstance(body, dict)
                return body
        except OSError:
            continue
    raise AssertionError(f"the server never listened: {log.read_text(errors='replace')[-2000:]}")
