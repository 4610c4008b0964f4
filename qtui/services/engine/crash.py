"""Why a child is gone: one plain sentence and one hint for every way in which a process ends."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from qtui.core.errors import Failure
from qtui.core.text import clean

REBUILD = (
    "the wheel was built for another CPU; build it here: "
    "pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python llama-cpp-python"
)
REINSTALL = (
    "install it again: pip install --force-reinstall 'llama-cpp-python>=0.3.36,<0.4' "
    "--extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cpu"
)
LESS_MEMORY = "take a smaller quant or a smaller --ctx-size, or close what else uses memory"
REPORT = "try another quant of the model or another plan; the log's last lines say where it happened"

SIGNALS: dict[int, tuple[str, str]] = {
    signal.SIGILL: ("llama.cpp used an instruction that this CPU does not have{doing}", REBUILD),
    signal.SIGABRT: ("llama.cpp gave up{doing}: {why}", REPORT),
    signal.SIGBUS: (
        "the model's mapped file could not be read{doing}: it was truncated, or the disk failed",
        "check the file (qtui verify) and the disk; --load-mode none reads it whole before answering",
    ),
    signal.SIGKILL: ("the system killed the engine{doing}, usually because memory ran out", LESS_MEMORY),
    signal.SIGSEGV: ("llama.cpp crashed{doing}: invalid memory access", REPORT),
    signal.SIGFPE: ("llama.cpp crashed{doing}: invalid arithmetic, the file's numbers may be broken", REPORT),
    signal.SIGSYS: (
        "the system forbade a call that llama.cpp makes{doing}: a sandbox?",
        "run qtui outside the sandbox",
    ),
    signal.SIGTERM: ("the engine was asked to end from outside{doing}", "start it again"),
    signal.SIGINT: ("the engine was interrupted from outside{doing}", "start it again"),
    signal.SIGHUP: ("the engine was ended with its terminal{doing}", "start it again"),
}
"""Signal → (sentence, hint). `{doing}` becomes ` while loading` and the like, `{why}` the assertion's text."""

_ASSERTION = re.compile(r"GGML_ASSERT\(|GGML_ABORT|^\S+\.(?:cpp|c|cu|cuh|h|m|mm|metal|hpp):\d+:|what\(\):")
_IMPORT = re.compile(
    r"ModuleNotFoundError|ImportError|No module named|cannot open shared object|undefined symbol"
    r"|version `GLIBC|Failed to load shared library|Library not loaded"
)
_OUT_OF_MEMORY = re.compile(r"MemoryError|std::bad_alloc|failed to allocate|unable to allocate", re.IGNORECASE)
_TRACEBACK_END = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit)\b")


def explain(code: int, log: Sequence[str], *, doing: str = "", assertion: str = "") -> Failure:
    """Return why a child ended.

    Args:
        code: asyncio's exit status: negative for a signal, else what the process returned.
        log: its last log lines, clean.
        doing: what it did, e.g. `loading`; empty when it was idle.
        assertion: the text that ggml's abort callback gave, where it came through.
    """
    while_doing = f" while {doing}" if doing else ""
    number = -code if code < 0 else code - 128 if 128 < code < 160 else 0  # a shell reports signal n as 128 + n
    if number:
        sentence, hint = SIGNALS.get(number, (f"the engine was ended by {_name(number)}{{doing}}", REPORT))
        why = ""
        if number == signal.SIGABRT:
            why = clean(assertion).strip() or _last(_ASSERTION, log) or "an assertion of its own failed"
            if _OUT_OF_MEMORY.search(why):
                hint = LESS_MEMORY
        return Failure(sentence.format(doing=while_doing, why=why), hint, "engine", tuple(log))
    cause = _last(_IMPORT, log)
    if cause:
        return Failure(f"the engine cannot be loaded: {cause}", REINSTALL, "engine", tuple(log))
    cause = _last(_OUT_OF_MEMORY, log)
    if cause:
        return Failure(f"the engine ran out of memory{while_doing}: {cause}", LESS_MEMORY, "engine", tuple(log))
    status = f"with status {code}" if code else "by itself"
    cause = _last(_TRACEBACK_END, log)
    tail = f": {cause}" if cause else ""
    return Failure(f"the engine ended {status}{while_doing}{tail}", REPORT, "engine", tuple(log))


def _last(pattern: re.Pattern[str], log: Sequence[str]) -> str:
    """Return the last line that the pattern finds, without the prefix that a traceback gives it."""
    return next((line.strip() for line in reversed(log) if pattern.search(line)), "")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
