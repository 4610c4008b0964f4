"""Killing a child: its real end is told, however fast it dies."""

from __future__ import annotations

import signal

import pytest

from qtui.services.engine.child_process import ChildProcess
from qtui.services.engine.logs import ChildLog


async def test_a_child_killed_while_it_ends_has_an_end_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    ends = set()
    for _ in range(60):
        child = await ChildProcess.start(("true",), ChildLog("true"))
        async for _ in child.lines():
            raise AssertionError("true prints nothing")
        child.kill()
        ends.add(await child.ended(5))
    assert ends <= {0, -signal.SIGKILL}
    # asyncio says so when someone else has taken the exit status, and then tells 255.
    assert "Unknown child process" not in caplog.text


async def test_a_killed_child_is_told_as_killed() -> None:
    child = await ChildProcess.start(("cat",), ChildLog("cat"))
    child.kill()
    child.kill()
    assert await child.ended(5) == -signal.SIGKILL
    child.kill()
