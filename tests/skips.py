"""Fails a run that skips more than `allowed_skips.txt` admits: a test that never runs proves nothing."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ALLOWED = Path(__file__).parent / "allowed_skips.txt"
_LINE = re.compile(r"(?P<count>\d+)\s+(?P<reason>.+)")


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many tests may be skipped for this reason."""

    count: int
    reason: str
    """A pattern: `*` stands for anything."""


def read(path: Path) -> list[Allowance]:
    """Read lines of `COUNT REASON`; empty lines and comments are skipped.

    Raises:
        ValueError: a line is not of this form.
    """
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{path.name}: not COUNT REASON: {line}")
        found.append(Allowance(int(match["count"]), match["reason"]))
    return found


class Skips:
    """A pytest plugin: counts skipped (and expectedly failed) tests by reason."""

    def __init__(self, allowed: list[Allowance]) -> None:
        self._allowed = allowed
        self._seen: list[tuple[str, str]] = []
        """(test, reason)."""
        self._modules: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test; an expected failure is one too."""
        if report.skipped:
            self._note(report.nodeid, report.longrepr, getattr(report, "wasxfail", None))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skips itself."""
        if report.skipped and report.nodeid not in self._modules:
            self._modules.add(report.nodeid)  # every process that shares the tests collects it
            self._note(report.nodeid, report.longrepr, None)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run."""
        if self.unexpected() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which skips are too many."""
        for test, reason in self.unexpected():
            terminalreporter.write_line(f"SKIPPED WITHOUT LEAVE {test}: {reason} (tests/allowed_skips.txt)", red=True)

    def unexpected(self) -> list[tuple[str, str]]:
        """Return the (test, reason) beyond what is allowed."""
        used: Counter[Allowance] = Counter()
        over = []
        for test, reason in self._seen:
            free = (
                allowance
                for allowance in self._allowed
                if fnmatchcase(reason, allowance.reason) and used[allowance] < allowance.count
            )
            allowance = next(free, None)
            if allowance is None:
                over.append((test, reason))
            else:
                used[allowance] += 1
        return over

    def _note(self, test: str, explanation: object, expected_failure: str | None) -> None:
        reason = explanation[2] if isinstance(explanation, tuple) else str(explanation)
        if expected_failure is not None:
            reason = f"expected to fail: {expected_failure}"
        self._seen.append((test, reason.removeprefix("Skipped: ")))
