"""Which engines there are: the built-in one, asked in a child, and a `llama-server`, asked for its build and devices.

Every answer is an EngineInfo: an engine that is missing, broken, foreign or silent is `usable=False` with a sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from qtui.core.errors import Failure
from qtui.core.hardware import Device, DeviceKind, EngineInfo, Gpu
from qtui.core.text import MIB, clean, clean_name, duration
from qtui.core.wire import cleaned, decode
from qtui.services.engine.brief_run import Outcome, run_briefly
from qtui.services.engine.child_process import child_environment, python_module
from qtui.services.engine.crash import REINSTALL, explain

BUILT_IN = "built-in"
DEVICES = "qtui.services.engine.child.devices"
LIMIT = 10.0
"""Seconds: a CUDA driver may take several to start."""
ACCELERATORS = ("BLAS", "AMX", "ZENDNN", "ZDNN", "KLEIDIAI")
"""Prefixes of devices that help the CPU and hold no layers (ggml's backends of type ACCEL)."""
CPU = Device("CPU", "", DeviceKind.CPU)
_VERSION = re.compile(r"^version: (\S.*)$", re.MULTILINE)
_BUILT_WITH = re.compile(r"^built with ", re.MULTILINE)
_DEVICE = re.compile(r"^ +(\S+): (.*) \((\d+) MiB, (\d+) MiB free\)$", re.MULTILINE)


async def built_in(command: Sequence[str] = (), limit: float = LIMIT) -> EngineInfo:
    """Ask the built-in engine, in a child that ends at once, what it is and which devices it can use."""
    try:
        outcome = await run_briefly(tuple(command) or python_module(DEVICES), limit, child_environment())
    except OSError as error:
        return _unusable(BUILT_IN, f"no process can be started: {clean(error.strerror or str(error))}")
    for line in outcome.out.split("\n"):
        info = decode(line, (EngineInfo,))
        if isinstance(info, EngineInfo):
            result: EngineInfo = cleaned(info)
            return result
    if outcome.status is None:
        return _unusable(BUILT_IN, f"llama.cpp {_silence(outcome, '', limit)}; {REINSTALL}")
    failure = explain(outcome.status, outcome.lines[-20:], doing="starting")
    return _unusable(BUILT_IN, f"{failure.message}; {failure.hint}")


async def llama_server(path: Path, limit: float = LIMIT) -> EngineInfo:
    """Ask a `llama-server` for its build and its devices; it is started twice and never serves."""
    name = clean_name(str(path), 4096)
    obstacle = _obstacle(path)
    if obstacle:
        return _unusable(name, f"{name} {obstacle}")
    program = _program(path)
    try:
        about = await run_briefly((program, "--version"), limit, plain_environment())
        version, built = _VERSION.search(_both(about)), _BUILT_WITH.search(_both(about))
        if about.status != 0 or version is None or built is None:
            return _unusable(name, _complaint(name, about, limit))
        listed = await run_briefly((program, "--list-devices"), limit, plain_environment())
    except OSError as error:
        return _unusable(name, f"{name} cannot be started: {clean(error.strerror or str(error))}")
    problem = ""
    if listed.status is None:
        problem = f"it did not list its devices within {duration(limit)}"
    elif listed.status != 0 or "Available devices:" not in listed.out:
        problem = "it cannot list its devices: an old build?"
    return EngineInfo(name, build=version[1].strip(), devices=(CPU, *parse_devices(listed.out)), problem=problem)


def parse_devices(text: str) -> tuple[Device, ...]:
    """Read `--list-devices`: lines of `  CUDA0: NVIDIA H200 (143771 MiB, 143254 MiB free)` (common/arg.cpp)."""
    return tuple(
        Device(
            name,
            description,
            DeviceKind.ACCEL if name.upper().startswith(ACCELERATORS) else DeviceKind.GPU,
            int(total) * MIB or None,
            int(free) * MIB if int(total) else None,
        )
        for name, description, total, free in _DEVICE.findall(text)
    )


def unused_cards(gpus: Sequence[Gpu], engines: Sequence[EngineInfo]) -> Failure | None:
    """Return a sentence when the driver reports more cards than any engine can use; None when all is well."""
    usable = [engine for engine in engines if engine.usable]
    used = max((sum(d.kind is DeviceKind.GPU for d in engine.devices) for engine in usable), default=0)
    if used >= len(gpus):
        return None
    if used:
        message = f"{len(gpus) - used} of {len(gpus)} cards cannot be used by any engine"
        return Failure(message, "see CUDA_VISIBLE_DEVICES, and that the engine is built for all of them", "engine")
    names = ", ".join(gpu.name for gpu in gpus)
    if not usable:
        return Failure(f"{names}: a card that no engine can use, for no engine works", "see the engines' problems")
    hint = (
        "install llama-cpp-python with a backend for it, e.g. pip install --force-reinstall llama-cpp-python "
        "--extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cu124, or name a llama-server that has one"
    )
    return Failure(f"{names}: a card that no engine can use, for llama.cpp is built for the CPU only", hint, "engine")


def _program(path: Path) -> str:
    """Return the path so that it is never looked up on PATH; links stay, since a program may look at its own name."""
    return str(path.absolute())


def _obstacle(path: Path) -> str:
    """Return why a path cannot be started at all, empty when it may be tried."""
    if not os.path.exists(path):  # noqa: PTH110 - a name too long is not there either
        return "is not there"
    if not path.is_file():
        return "is not a program"
    return "" if os.access(path, os.X_OK) else "may not be executed: chmod +x it"


def _complaint(name: str, outcome: Outcome, limit: float) -> str:
    """Return why what was started is not a llama-server that works."""
    if outcome.status is None:
        return f"{name} {_silence(outcome, '--version ', limit)}"
    if outcome.status < 0:
        failure = explain(outcome.status, outcome.lines[-20:], doing="starting")
        return f"{name} died: {failure.message}"
    last = outcome.lines[-1][:300] if outcome.lines else ""
    if outcome.status:
        return f"{name} ended with status {outcome.status}{': ' + last if last else ''}"
    return f"{name} is not a llama-server: it printed {'no version of llama.cpp' if last else 'nothing'}"


def _silence(outcome: Outcome, question: str, limit: float) -> str:
    return "prints without end" if outcome.endless else f"did not answer {question}within {duration(limit)}"


def _both(outcome: Outcome) -> str:
    return f"{outcome.err}\n{outcome.out}"


def _unusable(name: str, problem: str) -> EngineInfo:
    return EngineInfo(name, problem=problem, usable=False)


def plain_environment() -> dict[str, str]:
    """Return the environment without options for llama.cpp, which would change what it answers or make it serve."""
    return {key: value for key, value in child_environment().items() if not key.startswith("LLAMA_")}
