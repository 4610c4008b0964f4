from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qtui.core.hardware import Device, DeviceKind, EngineInfo, Gpu
from qtui.core.text import MIB
from qtui.services.engine.child.devices import features
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.discovery import built_in, llama_server, parse_devices, unused_cards

ROOT = Path(__file__).parents[3]
VERSION = "version: 0.5.0-dev (build 1, commit 0c1e570)\nbuilt with GNU 12.2.0 for Linux x86_64"
DEVICES = """Available devices:
  CUDA0: NVIDIA H200 (PCIe) (143771 MiB, 143254 MiB free)
  BLAS: OpenBLAS (0 MiB, 0 MiB free)"""
CARD = Gpu(0, "NVIDIA H200", 143771 * MIB, 143254 * MIB)


def program(folder: Path, body: str) -> Path:
    path = folder / "llama-server"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def server(folder: Path, version: str = f"echo '{VERSION}' >&2", devices: str = f"echo '{DEVICES}'") -> Path:
    return program(folder, f'case "$1" in --version) {version};; --list-devices) {devices};; *) exit 9;; esac')


async def test_the_built_in_engine_describes_itself() -> None:
    info = await BuiltInEngine().info()
    assert info.usable and info.name == "built-in" and info.version and info.problem == ""
    assert info.build[0].isdecimal() and "(" in info.build
    (cpu,) = [device for device in info.devices if device.kind is DeviceKind.CPU]
    assert cpu.name == "CPU" and cpu.total is not None and cpu.total >= os.sysconf("SC_PAGE_SIZE") * 1000
    flags = Path("/proc/cpuinfo").read_text()
    assert ("AVX2" in info.features) <= ("avx2" in flags) and all(name.isidentifier() for name in info.features)


async def test_it_is_asked_once(tmp_path: Path) -> None:
    engine = BuiltInEngine()
    first = await engine.info()
    assert await engine.info() is first


async def test_an_engine_that_cannot_be_imported_says_so(tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("")
    (tmp_path / "llama_cpp" / "llama_cpp.py").write_text("raise OSError('libllama.so: cannot open shared object file')")
    code = (
        f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_module({MODULE!r}, run_name='__main__')"
    )
    info = await built_in((sys.executable, "-c", code))
    assert not info.usable and info.name == "built-in"
    assert "cannot be loaded: libllama.so: cannot open shared object file" in info.problem
    assert "pip install" in info.problem


MODULE = "qtui.services.engine.child.devices"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("kill -ILL $$", "an instruction that this CPU does not have while starting; the wheel was built for another"),
        ("kill -ABRT $$", "gave up while starting: an assertion"),
        ("echo \"ModuleNotFoundError: No module named 'qtui'\" >&2; exit 1", "cannot be loaded: ModuleNotFoundError"),
        ("echo garbage", "the engine ended by itself while starting"),
        ("exec sleep 60", "did not answer within 0.50 s"),
        ("exec yes", "llama.cpp prints without end"),
    ],
)
async def test_a_built_in_engine_that_dies_or_hangs_says_so(body: str, problem: str, tmp_path: Path) -> None:
    info = await built_in((str(program(tmp_path, body)),), limit=0.5)
    assert not info.usable and problem in info.problem


async def test_a_process_that_cannot_start_is_said_so(tmp_path: Path) -> None:
    info = await built_in((str(tmp_path / "missing"),))
    assert not info.usable and "No such file" in info.problem


async def test_a_llama_server_tells_build_and_devices(tmp_path: Path) -> None:
    info = await llama_server(server(tmp_path))
    assert info == EngineInfo(
        str(tmp_path / "llama-server"),
        build="0.5.0-dev (build 1, commit 0c1e570)",
        devices=(
            Device("CPU", "", DeviceKind.CPU),
            Device("CUDA0", "NVIDIA H200 (PCIe)", DeviceKind.GPU, 143771 * MIB, 143254 * MIB),
            Device("BLAS", "OpenBLAS", DeviceKind.ACCEL),
        ),
    )
    assert [device.name for device in info.gpus] == ["CUDA0"]


async def test_an_old_build_is_usable_without_its_devices(tmp_path: Path) -> None:
    old = server(
        tmp_path, "echo 'version: 4589 (eb7cf15a)'; echo 'built with cc'", "echo 'error: invalid argument'; exit 1"
    )
    info = await llama_server(old)
    assert info.usable and info.build == "4589 (eb7cf15a)" and "cannot list its devices" in info.problem
    assert [device.name for device in info.devices] == ["CPU"]


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("echo 'version: 3.1 of something else'", "is not a llama-server: it printed no version of llama.cpp"),
        (":", "is not a llama-server: it printed nothing"),
        ("exec sleep 60", "did not answer --version within 0.50 s"),
        ("exec yes", "llama-server prints without end"),
        ("kill -SEGV $$", "died: llama.cpp crashed while starting: invalid memory access"),
        (
            "echo 'libcudart.so.12: cannot open\033[1m' >&2; exit 127",
            "with status 127: libcudart.so.12: cannot open\ufffd[1m",
        ),
    ],
)
async def test_what_is_no_llama_server_is_said_so(version: str, problem: str, tmp_path: Path) -> None:
    info = await llama_server(server(tmp_path, version), limit=0.5)
    assert not info.usable and problem in info.problem and info.devices == ()


async def test_a_device_list_that_hangs_does_not_hang_us(tmp_path: Path) -> None:
    began = time.monotonic()
    info = await llama_server(server(tmp_path, devices="sleep 60 & exec sleep 60"), limit=0.5)
    assert info.usable and "did not list its devices within 0.50 s" in info.problem
    assert time.monotonic() - began < 5


async def test_a_path_that_is_no_program(tmp_path: Path) -> None:
    assert "is not there" in (await llama_server(tmp_path / "missing")).problem
    assert "is not a program" in (await llama_server(tmp_path)).problem
    text = tmp_path / "text"
    text.write_text("hello")
    assert "chmod" in (await llama_server(text)).problem or os.geteuid() == 0
    text.chmod(0o755)
    assert "cannot be started: Exec format error" in (await llama_server(text)).problem


async def test_options_in_the_environment_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_MODEL", "other")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    info = await llama_server(server(tmp_path, 'echo "version: [$LLAMA_ARG_MODEL$HF_TOKEN]"; echo "built with cc"'))
    assert info.build == "[]"


def test_devices_of_hostile_or_odd_lists() -> None:
    assert parse_devices("") == () == parse_devices("Available devices:\n  (none)\n")
    assert parse_devices("  A: b (1 MiB, 2 MiB free) tail\nB: c (1 MiB, 2 MiB free)") == ()
    assert parse_devices("  Vulkan0: a: (b) (8 MiB, 4 MiB free)")[0].description == "a: (b)"


def test_cpu_features_are_read_without_other_backends() -> None:
    info = (
        "CUDA : ARCHS = 900 | USE_GRAPHS = 1 | CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 0 | REPACK = 1 | Vulkan : X = 1 | "
    )
    assert features(info) == ("SSE3", "AVX2", "REPACK")
    assert features("") == ()


def test_a_card_that_no_engine_can_use_is_a_sentence() -> None:
    cpu = EngineInfo("built-in", devices=(Device("CPU", "", DeviceKind.CPU),))
    card = EngineInfo("/bin/llama-server", devices=(Device("CUDA0", "NVIDIA H200", DeviceKind.GPU),))
    broken = EngineInfo("built-in", problem="gone", usable=False)
    assert unused_cards((), (cpu,)) is None and unused_cards((CARD,), (cpu, card)) is None
    alone = unused_cards((CARD,), (cpu, broken))
    assert alone is not None and alone.message.startswith("NVIDIA H200: a card that no engine can use") and alone.hint
    two = unused_cards((CARD, CARD), (card,))
    assert two is not None and two.message == "1 of 2 cards cannot be used by any engine"
    none = unused_cards((CARD,), (broken,))
    assert none is not None and "no engine works" in none.message


def test_the_parent_never_loads_llama_cpp() -> None:
    code = (
        "import asyncio, sys; import qtui.services.engine.client as c; import qtui.services.engine.discovery as d;"
        "assert asyncio.run(c.BuiltInEngine().info()).usable;"
        "banned = ('llama_cpp', 'numpy', 'jinja2', 'textual');"
        "print([m for m in sys.modules if m.split('.')[0] in banned or '.child.' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.oracle
async def test_a_real_llama_server_is_read(oracle: Path) -> None:
    info = await llama_server(oracle / "llama-server")
    assert info.usable and info.problem == "" and info.build
    assert (await BuiltInEngine().info()).build.split()[0] == info.build.split()[0]
