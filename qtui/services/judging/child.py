"""The judging child: one check on one answer, then the end. Started with `-m`; its argument is the file of the request.

It limits itself before it looks at the answer: processor time, memory, open files, no files written, no network. What
is run of an answer runs in here, in a folder that is removed afterwards, only when the request says that the user
allows it.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import sys
from pathlib import Path
from typing import Any

from qtui.core.duel.suite.checks import CHECKS, Code, Mark
from qtui.core.duel.suite.code import python_of
from qtui.core.duel.suite.judging import judge
from qtui.core.text import clean_name
from qtui.core.wire import decode

CPU_S = 5
MEMORY_BYTES = 1 << 30
OPEN_FILES = 32
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""Of linux/sched.h."""


def main(request: str) -> int:
    """Judge, and write `{"right", "reason", "network"}` to standard output."""
    with os.fdopen(os.dup(1), "w") as out:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.chdir(Path(request).parent)
        check_line, _, rest = Path(request).read_text(encoding="utf-8").partition("\n")
        check, said = decode(check_line, CHECKS), json.loads(rest)
        cut_off = limit()
        if check is None:
            mark = Mark(None, "the check cannot be read")
        else:
            mark = judge(check, said["answer"])
            if isinstance(check, Code) and check.cases and mark.right and said["run"]:
                mark = run_cases(check, python_of(said["answer"]))
        json.dump({"right": mark.right, "reason": mark.reason, "network": not cut_off}, out)
    return 0


def limit() -> bool:
    """Limit this process; tell whether it is cut off from the network."""
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NPROC, 0),
    ):  # fmt: skip
        hard = resource.getrlimit(what)[1]
        lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (lowest, lowest))
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (OSError, AttributeError):
        return False
    # Root may take a network of its own at once; others need a user namespace with it, where the system allows one.
    return any(unshare(flags) == 0 for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET))


def run_cases(check: Code, source: str) -> Mark:
    """Run the code and call the function that was asked for."""
    space: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(source, "answer", "exec"), space)  # noqa: S102 (the user allowed it; see `limit`)
        function = space[check.function]
    except BaseException as error:  # noqa: BLE001 (whatever a model wrote)
        return Mark(False, f"it cannot be run: {_told(error)}")
    for case in check.cases:
        shown = clean_name(f"{check.function}({', '.join(map(repr, case.arguments))})", 80)
        try:
            value = function(*case.arguments)
        except BaseException as error:  # noqa: BLE001
            return Mark(False, f"{shown} fails: {_told(error)}")
        if not _same(value, case.returns):
            return Mark(False, f"{shown} gives {clean_name(repr(value), 60)}, not {clean_name(repr(case.returns), 60)}")
    return Mark(True)


def _told(error: BaseException) -> str:
    return clean_name(f"{type(error).__name__}: {error}", 100)


def _same(value: Any, wanted: Any) -> bool:
    """Compare as JSON does: a tuple is a list; numbers to nine digits."""
    if isinstance(value, (list, tuple)) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, float) and isinstance(wanted, (int, float)):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
