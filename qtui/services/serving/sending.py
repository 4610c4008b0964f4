"""Answers on their way out: whole, or as events while they are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.types import Send

from qtui.core.events import Answered, PromptProgressed, SessionEvent, TextArrived
from qtui.core.serving.asked import Wanted
from qtui.core.serving.refusal import Refusal, RefusedError
from qtui.core.serving.replies import DONE, Replies, comment, event
from qtui.core.serving.run import Serving

STALLED_S = 60.0
"""A reader that takes nothing for so long is given up: others wait for the engine."""
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def answer_whole(serving: Serving, wanted: Wanted, replies: Replies) -> dict[str, Any]:
    """Return the object of an answer.

    Raises:
        RefusedError: it is not given.
    """
    async with aclosing(serving.answer(wanted)) as events:
        async for happened in events:
            if isinstance(happened, Answered):
                return replies.whole(happened.answer)
    raise AssertionError("an answer ended without its last event")


async def stream_answer(serving: Serving, wanted: Wanted, replies: Replies, send: Send) -> Refusal | None:
    """Send an answer as it is written; one that is refused before anything was sent is returned.

    Raises:
        TimeoutError: the reader takes nothing.
        OSError: the reader has gone.
    """
    stream = _Stream(send)
    try:
        async with aclosing(serving.answer(wanted)) as events:
            await _stream(events, wanted, replies, stream)
    except RefusedError as error:
        if not stream.begun:
            return error.refusal
        await stream.put(error.refusal.as_json())  # no [DONE] after it: the answer is not whole
    await stream.end()
    return None


async def _stream(events: AsyncIterator[SessionEvent], wanted: Wanted, replies: Replies, stream: _Stream) -> None:
    async for happened in events:
        if not stream.begun:
            await stream.begin(replies.begin())
        if isinstance(happened, PromptProgressed):
            await stream.raw(comment(f"prompt {happened.done}/{happened.total}"))
        elif isinstance(happened, TextArrived):
            await stream.put(replies.text(happened))
        elif isinstance(happened, Answered):
            await stream.put(replies.end(happened.answer))
            if wanted.usage:
                await stream.put(replies.counts(happened.answer))
            await stream.raw(DONE)


class _Stream:
    """The body of one response that is sent in pieces."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def begin(self, first: Mapping[str, Any] | None) -> None:
        self.begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if first is not None:
            await self.put(first)

    async def put(self, body: Mapping[str, Any]) -> None:
        await self.raw(event(body))

    async def raw(self, data: bytes) -> None:
        async with asyncio.timeout(STALLED_S):
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        async with asyncio.timeout(STALLED_S):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
