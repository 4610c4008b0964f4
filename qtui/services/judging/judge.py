"""Judges answers in a child process, so that an expression without end or code that crashes ends nothing but itself."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path

from qtui.core.duel.suite.checks import Check, Code, Mark
from qtui.core.errors import QtuiError
from qtui.core.text import clean, clean_name
from qtui.core.wire import encode
from qtui.services.engine.brief_run import Outcome, run_briefly
from qtui.services.engine.child_process import python_module

MODULE = "qtui.services.judging.child"
LIMIT_S = 10.0
"""The child's own limit is 5 s of processor time."""
_KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT", "COVERAGE_PROCESS_START")
"""What of the environment a Python needs to start."""


class LocalJudge:
    """Implements `core.duel.suite.checks.Judge`.

    Args:
        run_code: generated code is run where a task has cases for it; else it is only parsed.
    """

    def __init__(self, *, run_code: bool = False, limit_s: float = LIMIT_S) -> None:
        self._run_code = run_code
        self._limit_s = limit_s
        self.network_open = False
        """Code was run that this system could not cut off from the network."""

    async def judge(self, check: Check, answer: str) -> Mark:
        """Judge one answer; see `core.duel.suite.checks.Judge`.

        Raises:
            QtuiError: no child can be started.
        """
        runs = self._run_code and isinstance(check, Code) and bool(check.cases)
        try:
            with tempfile.TemporaryDirectory(prefix="qtui-judge-") as folder:
                outcome = await self._outcome(Path(folder), check, answer)
        except OSError as error:
            reason = clean(error.strerror or str(error))
            hint = "check the free space of the temporary folder"
            raise QtuiError(f"answers cannot be judged: {reason}", hint) from error
        told = _told(outcome)
        if told is None:
            seconds = f"{self._limit_s:g} s"
            if runs:
                return Mark(False, f"the code did not end by itself within {seconds} and its memory")
            return Mark(None, f"the check did not end within {seconds}")
        mark, network = told
        self.network_open = self.network_open or (runs and network)
        return mark

    async def _outcome(self, folder: Path, check: Check, answer: str) -> Outcome:
        request = folder / "request"
        said = json.dumps({"answer": answer, "run": self._run_code})
        await asyncio.to_thread(request.write_text, encode(check) + said, encoding="utf-8")
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment = {**kept, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return await run_briefly((*python_module(MODULE), str(request)), self._limit_s, environment)


def _told(outcome: Outcome) -> tuple[Mark, bool] | None:
    """Return the mark and whether the network was open; None where the child did not come to its end."""
    try:
        body = json.loads(outcome.out)
        right, reason = body["right"], body["reason"]
    except (ValueError, KeyError, TypeError):
        return None
    if right is not None and not isinstance(right, bool):
        return None
    return Mark(right, clean_name(str(reason))), bool(body.get("network"))
