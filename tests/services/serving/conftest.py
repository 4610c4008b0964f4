"""An endpoint over the scripted engine on a port of loopback, and the official client of OpenAI before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from openai import AsyncOpenAI

from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.serving.asked import Defaults
from qtui.core.serving.run import Serving, ServingEvent
from qtui.services.serving.endpoints import LocalEndpoints
from tests.fakes import FakeDryRun, FakeMachine, ScriptedEngine, make_variant

KEY = "the-key-of-the-tests"
VARIANT = make_variant()


async def until(happened: Callable[[], object], limit: float = 30.0) -> None:
    """Wait for a condition."""
    end = asyncio.get_running_loop().time() + limit
    while not happened():
        assert asyncio.get_running_loop().time() < end, "it did not happen"
        await asyncio.sleep(0.005)


@dataclass
class Stage:
    """The endpoint and what is behind it."""

    engine: ScriptedEngine
    serving: Serving
    url: str
    client: AsyncOpenAI
    told: list[ServingEvent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    async def raw(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes and return status, headers and body; the connection is closed after it."""
        place = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            return int(lines[0].split()[1]), headers, body
        finally:
            writer.close()

    async def post(
        self, body: bytes, path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Post a body with the key."""
        given = {"Host": "localhost", "Authorization": f"Bearer {KEY}", "Content-Length": str(len(body)), **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
        return await self.raw(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)


class Stages:
    """Makes stages and closes them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, **options: Any) -> Stage:
        engine = ScriptedEngine()
        told: list[ServingEvent] = []
        notes: list[str] = []
        guard = Guard(Footprints(FakeDryRun()), FakeMachine(), engine)
        serving = Serving(
            engine, guard, VARIANT, options.pop("plan", LoadPlan(ctx_size=512)), tell=told.append,
            **{"defaults": Defaults(), **options},
        )  # fmt: skip
        assert await serving.load() is None
        endpoint = await LocalEndpoints(notes.append).bind("127.0.0.1", 0)
        await endpoint.open(serving, KEY)
        client = AsyncOpenAI(api_key=KEY, base_url=endpoint.url, max_retries=0, timeout=60)
        for close in (serving.close, endpoint.close, client.close):
            self._stack.push_async_callback(close)
        return Stage(engine, serving, endpoint.url, client, told, notes)


@pytest.fixture
async def stages() -> AsyncIterator[Stages]:
    async with AsyncExitStack() as stack:
        yield Stages(stack)


@pytest.fixture
async def stage(stages: Stages) -> Stage:
    return await stages()
