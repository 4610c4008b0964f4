"""Why a llama-server ended, from its last lines: one sentence, and one thing to do."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from qtui.core.errors import Failure
from qtui.core.text import clean_name

LESS_MEMORY = "take a smaller quant or a smaller --ctx-size, or close what else uses memory"
OTHER_BUILD = "a newer llama.cpp may: update it, or take --engine built-in"
AGAIN = "start it there again (ggml-rpc-server), then load again"
MEMORY, RPC = "memory", "rpc"
"""Kinds of failures that something can be done about with one key."""

_KNOWN: tuple[tuple[str, str, str, str], ...] = (
    (
        r"Failed to connect to (?P<host>[^\s:]+:\d+)",
        "the RPC host {host} does not answer{doing}", AGAIN, RPC,
    ),
    (
        r"Remote RPC server crashed|RPC.*(?:malformed response|connection (?:closed|lost))",
        "the RPC host {hosts} is gone{doing}", AGAIN, RPC,
    ),
    (
        r"cudaMalloc failed|out of memory|std::bad_alloc|(?:failed|unable) to allocate|ErrorOutOfDeviceMemory",
        "llama-server ran out of memory{doing}: {line}", LESS_MEMORY, MEMORY,
    ),
    (
        r"unknown model architecture: '(?P<name>[^']*)'",
        "this llama-server does not know the architecture {name}", OTHER_BUILD, "plan_refused",
    ),
    (
        r"error: invalid argument: (?P<name>\S+)|(?:unknown|unrecognized) (?:argument|option):? (?P<other>\S+)",
        "this llama-server does not know the option {name}", "leave it out of the plan or the preset", "plan_refused",
    ),
    (
        r"error while handling argument \"(?P<name>[^\"]*)\"",
        "llama-server refuses the value of {name}", "see its --help for what it takes", "plan_refused",
    ),
    (
        r"couldn't bind|[Aa]ddress already in use|bind to server",
        "llama-server could not take a port{doing}", "load it again", "engine",
    ),
    (
        r"failed to (?:load|open) split|(?:invalid|missing) split|split .*not found|is missing split",
        "a part of the model is missing: {line}", "fetch all parts of it: qtui verify", "bad_file",
    ),
    (
        r"failed to open GGUF file|no such file|invalid magic|not a GGUF|data is not within the file bounds"
        r"|corrupted or incomplete",
        "llama-server cannot read the file: {line}", "check it: qtui verify", "bad_file",
    ),
    (
        r"quantized V cache .*[Ff]lash",
        "a quantised V cache needs flash attention", "take --flash-attn on, or --cache-type-v f16", "plan_refused",
    ),
    (
        r"RPC not supported",
        "this llama-server is built without RPC", "take the hosts out of the settings, or build it with GGML_RPC",
        "plan_refused",
    ),
    (
        r"error while loading shared libraries: (?P<name>[^\s:]+)",
        "llama-server does not start: {name} is missing", "install it, or build llama.cpp again", "engine",
    ),
)  # fmt: skip
"""Pattern, sentence, hint, kind; the first that any of the last lines matches counts."""
_RULES = tuple((re.compile(pattern, re.IGNORECASE), sentence, hint, kind) for pattern, sentence, hint, kind in _KNOWN)
_ERROR = re.compile(r"^[\d.]+ E |\berror\b", re.IGNORECASE)
_PREFIX = re.compile(r"^[\d.]+ [A-Z] +(?:\S+ +\S+: )?")


def server_failure(status: int, log: Sequence[str], *, doing: str = "", gone: Sequence[str] = ()) -> Failure | None:
    """Return why a llama-server ended; None: nothing that only a server has, so that its status says all.

    Args:
        status: what it returned; negative for a signal.
        log: its last lines, clean.
        doing: `loading` or `answering`; empty when it was idle.
        gone: RPC hosts that do not answer any more.
    """
    while_doing = f" while {doing}" if doing else ""
    for pattern, sentence, hint, kind in _RULES:
        for line in reversed(log):
            found = pattern.search(line)
            if found is None:
                continue
            facts = {key: value or "" for key, value in found.groupdict().items()}
            name = clean_name(facts.get("name") or facts.get("other", ""), 80)
            text = sentence.format(
                line=_PREFIX.sub("", line).strip()[:300], name=name, doing=while_doing,
                host=clean_name(facts.get("host", ""), 120), hosts=" and ".join(gone) or "that holds a part of it",
            )  # fmt: skip
            return Failure(text, hint, kind, tuple(log))
    if status == -signal.SIGABRT:
        return None
    if status > 0:
        last = next((line for line in reversed(log) if _ERROR.search(line)), "")
        said = f": {_PREFIX.sub('', last).strip()[:300]}" if last else ""
        return Failure(
            f"llama-server ended with status {status}{while_doing}{said}", "its log has the rest", "engine", tuple(log)
        )
    if status == 0:
        return Failure(f"llama-server was ended from outside{while_doing}", "load it again", "ended", tuple(log))
    return None
