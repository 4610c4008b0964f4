"""The judging child: what loops, crashes or wants too much ends nothing but itself."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from qtui.core.duel.suite.checks import Case, Code, Mark, Pattern
from qtui.services.judging.judge import LocalJudge

DOUBLE = Code("double", 1, cases=(Case((2,), 4), Case((-1,), -2)))


def code(body: str) -> str:
    return f"Here it is:\n```python\n{textwrap.dedent(body)}\n```\nDone."


async def test_an_expression_is_looked_for_in_a_child() -> None:
    judge = LocalJudge()
    assert await judge.judge(Pattern(r"\b\d{3}-\d{4}\b"), "call 555-1234") == Mark(True)
    assert await judge.judge(Pattern(r"\b\d{3}-\d{4}\b"), "call 5551234") == Mark(
        False, "the expression is not found in the answer"
    )
    assert await judge.judge(Pattern(r"[a-z]+", whole=True), " abc\n") == Mark(True)


async def test_an_expression_without_end_is_ended_and_not_judged() -> None:
    judge = LocalJudge(limit_s=2.0)
    mark = await judge.judge(Pattern(r"^(a+)+$"), "a" * 40 + "!")
    assert mark == Mark(None, "the check did not end within 2 s")


async def test_code_is_not_run_unless_that_is_allowed() -> None:
    assert await LocalJudge().judge(DOUBLE, code("def double(x): return 1 / 0")) == Mark(True)


async def test_allowed_code_is_run_and_its_results_are_compared() -> None:
    judge = LocalJudge(run_code=True)
    assert await judge.judge(DOUBLE, code("def double(x):\n    print('hi')\n    return 2 * x")) == Mark(True)
    wrong = await judge.judge(DOUBLE, code("def double(x): return x + 2"))
    assert wrong == Mark(False, "double(-1) gives 1, not -2")
    failing = await judge.judge(DOUBLE, code("def double(x): return 1 / 0"))
    assert failing == Mark(False, "double(2) fails: ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "body",
    [
        "def double(x):\n    while True: pass",
        "import os\ndef double(x): os._exit(0)",
        "import os, signal\ndef double(x): os.kill(os.getpid(), signal.SIGKILL)",
        "import os\ndef double(x):\n    os.write(1, b'{}')\n    os._exit(0)",
    ],
    ids=["endless", "leaves", "killed", "pretends"],
)
async def test_code_that_does_not_end_as_it_should_is_wrong(body: str) -> None:
    mark = await LocalJudge(run_code=True, limit_s=2.0).judge(DOUBLE, code(body))
    assert mark == Mark(False, "the code did not end by itself within 2 s and its memory")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def double(x):\n    return [0] * (1 << 33)", "MemoryError"),
        ("def double(x):\n    with open('left', 'w') as file:\n        file.write('x')", "File too large"),
        ("def double(x):\n    kept = [open('/dev/null') for _ in range(100)]", "Too many open files"),
        ("import sys\ndef double(x): sys.exit(3)", "SystemExit"),
        ("def double(x): return double(x)", "RecursionError"),
    ],
)
async def test_code_has_no_more_than_it_needs(body: str, said: str) -> None:
    mark = await LocalJudge(run_code=True).judge(DOUBLE, code(body))
    assert mark.right is False
    assert said in mark.reason


async def test_code_has_no_network_or_that_is_said() -> None:
    judge = LocalJudge(run_code=True)
    body = "import socket\ndef double(x):\n    socket.create_connection(('127.0.0.1', 9), 1)"
    mark = await judge.judge(DOUBLE, code(body))
    assert mark.right is False
    assert judge.network_open or "Network is unreachable" in mark.reason


async def test_what_a_check_says_is_clean(tmp_path: Path) -> None:
    mark = await LocalJudge(run_code=True).judge(DOUBLE, code("def double(x): return '\\x1b[31m'"))
    assert "\x1b" not in mark.reason
