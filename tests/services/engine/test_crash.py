from __future__ import annotations

import signal

import pytest

from qtui.services.engine.crash import SIGNALS, explain


@pytest.mark.parametrize("number", SIGNALS)
def test_every_signal_has_a_sentence_and_a_hint(number: int) -> None:
    failure = explain(-number, ("a line",), doing="answering")
    assert " while answering" in failure.message and "{" not in failure.message and failure.hint
    assert failure.log == ("a line",) and failure.kind == "engine"
    assert explain(128 + number, (), doing="answering").message == explain(-number, (), doing="answering").message


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/src/llama-model.cpp:1362: GGML_ASSERT(a {b} c) failed", None),
        ("ggml-cuda.cu:88: CUDA error", None),
        ("  what():  std::bad_alloc", "what():  std::bad_alloc"),
    ],
)
def test_an_abort_takes_the_assertion_from_the_log(line: str, why: str | None) -> None:
    failure = explain(-signal.SIGABRT, ("loading", line, "Aborted"))
    assert failure.message == f"llama.cpp gave up: {why or line}"
    assert ("smaller quant" in failure.hint) == ("bad_alloc" in line)


def test_an_abort_without_a_word_is_still_a_sentence() -> None:
    assert explain(-signal.SIGABRT, ()).message == "llama.cpp gave up: an assertion of its own failed"
    assert explain(-signal.SIGABRT, (), assertion="x\x1b[1m").message == "llama.cpp gave up: x\ufffd[1m"


@pytest.mark.parametrize(
    ("log", "message", "hint"),
    [
        (("ModuleNotFoundError: No module named 'llama_cpp'",), "cannot be loaded: ModuleNotFoundError", "pip install"),
        (("OSError: libc.musl-x86_64.so.1: cannot open shared object file",), "cannot be loaded: OSError", "pip"),
        (("Traceback …", "MemoryError"), "ran out of memory while loading: MemoryError", "smaller quant"),
        (("Traceback …", "KeyError: 'x'"), "ended with status 1 while loading: KeyError: 'x'", "another"),
        ((), "ended with status 1 while loading", "another"),
    ],
)
def test_a_status_is_explained_by_the_log(log: tuple[str, ...], message: str, hint: str) -> None:
    failure = explain(1, log, doing="loading")
    assert message in failure.message and hint in failure.hint and failure.log == log


def test_an_unknown_signal_is_named() -> None:
    assert explain(-signal.SIGXCPU, ()).message == "the engine was ended by SIGXCPU"
    assert explain(-63, ()).message == "the engine was ended by signal 63"
