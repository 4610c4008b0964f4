"""The line: one at a time, first come first served, and an end to waiting."""

from __future__ import annotations

import asyncio

import pytest

from qtui.core.serving.line import Line
from qtui.core.serving.refusal import RefusedError


async def test_one_at_a_time_in_their_order_and_no_more_than_may_wait() -> None:
    line, order, release = Line(waiting=2), [], asyncio.Event()

    async def take(name: str) -> None:
        async with line.turn():
            order.append(name)
            await release.wait()

    tasks = []
    for name in "abc":
        tasks.append(asyncio.create_task(take(name)))
        await asyncio.sleep(0)
    assert (order, line.waiting) == (["a"], 2)
    with pytest.raises(RefusedError) as caught:
        await take("d")
    assert (caught.value.refusal.status, caught.value.refusal.code) == (503, "queue_full")
    assert caught.value.refusal.retry_after == 1
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert line.waiting == 1
    release.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert order == ["a", "c"]
    async with line.turn():
        assert line.waiting == 0
