"""The load test: several files behind endpoints of their own, each asked by so many programs at once.

Files take turns in rounds, so that a machine that warms up or gets busy slows all of them alike, and only one of them
is asked at a time. Every answer starts from an empty cache and has the same length.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from qtui.core.bench import do_not_fit
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Engine
from qtui.core.serving.line import WAITING
from qtui.core.serving.ports import Client, Endpoint, Endpoints
from qtui.core.serving.run import Serving, ServingEvent
from qtui.core.serving.shot import LoadResult, Shot
from qtui.core.serving.slots import answers_at_once

PROMPTS = (
    "Name three rivers and say where each begins.",
    "Explain to a child why the sky is blue.",
    "Write a short letter that thanks a neighbour for watering the plants.",
    "What is 23 + 45? Show how you got there.",
)
"""What is asked where the user gives no prompts."""
ROUNDS = 3
"""At most; each has at least two requests for every program that asks at once."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How much is asked."""

    parallel: int = 1
    """Programs that ask at once; each asks again as soon as it has its answer."""
    requests: int = 16
    """Of each file; one more, before the first round, is discarded."""
    max_tokens: int = 64
    """Tokens of every answer."""
    prompts: tuple[str, ...] = PROMPTS

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: names the option.
        """
        if self.requests < self.parallel:
            raise UsageError(
                f"--requests {self.requests} are too few for --parallel {self.parallel}",
                "give at least as many: each of the programs asks once or more",
            )
        if self.max_tokens == 1:
            raise UsageError("--max-tokens 1 gives no rate", "a generation rate needs at least 2 tokens")

    def rounds(self, files: int) -> list[int]:
        """Return how many requests each round has: one round for a single file."""
        count = max(1, min(ROUNDS, self.requests // (2 * self.parallel))) if files > 1 else 1
        return [self.requests // count + (place < self.requests % count) for place in range(count)]


@dataclass(frozen=True, slots=True)
class LoadHappened:
    """Something happened in what serves a file: it loads, or fails."""

    variant: Variant
    event: ServingEvent


@dataclass(frozen=True, slots=True)
class ShotTaken:
    """One request has come back."""

    variant: Variant
    shot: Shot
    taken: int
    """Requests until now, over all files."""
    total: int


@dataclass(frozen=True, slots=True)
class LoadEnded:
    """All is asked, or it was stopped."""

    results: tuple[LoadResult, ...]
    method: str
    plans: tuple[LoadPlan, ...]
    """The resolved plan of each file."""


LoadEvent = LoadHappened | ShotTaken | LoadEnded


@dataclass(slots=True, eq=False)
class _Entry:
    variant: Variant
    serving: Serving
    plan: LoadPlan
    happened: asyncio.Queue[ServingEvent | None]
    """None: a load has ended."""
    endpoint: Endpoint | None = None
    failure: Failure | None = None
    shots: list[Shot] = field(default_factory=list)
    elapsed: float = 0.0
    asked: int = 0


class LoadTest:
    """One load test of some files under one plan."""

    def __init__(
        self, engine: Engine, guard: Guard, endpoints: Endpoints, settings: LoadSettings, *, force: bool = False
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._endpoints = endpoints
        self._settings = settings
        self._force = force
        self._stop = asyncio.Event()
        self._taken = 0
        self._key = endpoints.made_key()
        self._entries: list[_Entry] = []

    async def run(self, variants: Sequence[Variant], plan: LoadPlan) -> AsyncGenerator[LoadEvent, None]:
        """Ask the files: LoadHappened and ShotTaken, then LoadEnded, also when stopped; all is closed at any end."""
        settings = self._settings
        weighed = [(variant, await self._guard.weigh(variant, plan)) for variant in variants]
        for variant, weighing in weighed:
            happened: asyncio.Queue[ServingEvent | None] = asyncio.Queue()
            serving = Serving(
                self._engine, self._guard, variant, plan, force=self._force,
                waiting=max(settings.parallel, WAITING), tell=happened.put_nowait,
            )  # fmt: skip
            failure = None if self._force else refusal(variant, weighing)
            self._entries.append(_Entry(variant, serving, weighing.plan, happened, failure=failure))
        live = [pair for pair, entry in zip(weighed, self._entries, strict=True) if not entry.failure]
        in_turn = not self._force and await do_not_fit(self._guard, live)
        rounds = settings.rounds(len(variants))
        client = self._endpoints.client(settings.parallel)
        try:
            for number, requests in enumerate(rounds):
                for entry in self._entries if number % 2 == 0 else reversed(self._entries):
                    async with aclosing(self._round(entry, requests, client, close=in_turn)) as events:
                        async for event in events:
                            yield event
        finally:
            client.close()
            await asyncio.gather(*(_close(entry) for entry in self._entries))
        results = tuple(LoadResult(e.variant, tuple(e.shots), e.elapsed, e.failure) for e in self._entries)
        told = method(settings, len(variants), in_turn=in_turn, at_once=answers_at_once(plan))
        yield LoadEnded(results, told, tuple(entry.plan for entry in self._entries))

    async def stop(self) -> None:
        """Ask no more; what has come back is kept."""
        self._stop.set()
        await asyncio.gather(*(entry.serving.stop() for entry in self._entries))

    async def _round(
        self, entry: _Entry, requests: int, client: Client, *, close: bool
    ) -> AsyncGenerator[LoadEvent, None]:
        if entry.failure or self._stop.is_set():
            return
        if entry.endpoint is None:
            async for event in self._open(entry, client):
                yield event
        endpoint = entry.endpoint
        if endpoint is None:
            return
        numbers = deque(range(entry.asked, entry.asked + requests)) if not entry.failure else deque()
        entry.asked += requests
        began = perf_counter()
        arrived: asyncio.Queue[Shot | None] = asyncio.Queue()

        async def program(url: str) -> None:
            while numbers and not self._stop.is_set():
                shot = await client.ask(url, self._key, self._body(entry, numbers.popleft()))
                if not (self._stop.is_set() and shot.error):  # what was cut by us is no failure of this file
                    arrived.put_nowait(shot)
            arrived.put_nowait(None)

        tasks = [asyncio.create_task(program(endpoint.url)) for _ in range(self._settings.parallel)]
        try:
            async for shot in _until_all(arrived, len(tasks)):
                entry.shots.append(shot)
                entry.elapsed += perf_counter() - began
                began = perf_counter()
                self._taken += 1
                yield ShotTaken(entry.variant, shot, self._taken, self._settings.requests * len(self._entries))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if close or entry.failure:
            await _close(entry)

    async def _open(self, entry: _Entry, client: Client) -> AsyncGenerator[LoadEvent, None]:
        """Load a file, put it behind an endpoint, and ask the one request that is discarded."""
        loading = asyncio.create_task(entry.serving.load())
        loading.add_done_callback(lambda _task: entry.happened.put_nowait(None))
        while (event := await entry.happened.get()) is not None:
            yield LoadHappened(entry.variant, event)
        entry.failure = await loading
        if entry.failure is None:
            try:
                endpoint = await self._endpoints.bind(LOOPBACK, 0)
                await endpoint.open(entry.serving, self._key)
                entry.endpoint = endpoint
                warm = await client.ask(endpoint.url, self._key, self._body(entry, 0))
                if warm.error and not self._stop.is_set():
                    entry.failure = Failure(f"{entry.variant.title}: {warm.error}", "", "engine")
            except QtuiError as error:
                entry.failure = Failure.of(error)

    def _body(self, entry: _Entry, number: int) -> dict[str, Any]:
        prompts = self._settings.prompts
        return {
            "model": entry.serving.name,
            "messages": [{"role": "user", "content": prompts[number % len(prompts)]}],
            "max_tokens": self._settings.max_tokens, "ignore_eos": True, "temperature": 0, "cache_prompt": False,
            "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip


async def _until_all(arrived: asyncio.Queue[Shot | None], programs: int) -> AsyncIterator[Shot]:
    while programs:
        shot = await arrived.get()
        if shot is None:
            programs -= 1
        else:
            yield shot


async def _close(entry: _Entry) -> None:
    endpoint, entry.endpoint = entry.endpoint, None
    if endpoint is not None:
        await endpoint.close()
    await entry.serving.unload()


def _waiting(programs: int, at_once: int) -> str:
    """Return what the time to the first token holds beside the reading of the prompt."""
    if at_once > 1:
        return f"{at_once} answers at a time in slots that share the context: each slows the others"
    if programs > 1:
        return "one answer at a time: waiting for it is part of the time to the first token"
    return "the time to the first token holds the reading of the prompt"


def method(settings: LoadSettings, files: int, *, in_turn: bool = False, at_once: int = 1) -> str:
    """Return the sentence that says how it was measured."""
    many = settings.parallel
    programs = "one program" if many == 1 else f"{many} programs at once"
    rounds = len(settings.rounds(files))
    parts = [
        f"{settings.requests} requests from {programs} over HTTP, each for {settings.max_tokens} tokens, greedy, from "
        "an empty cache; one more is asked first and discarded",
        _waiting(many, at_once),
        "p95 is what 95 of 100 answers keep to: at most so many seconds, at least so many tokens per second of that "
        "answer alone, as the engine measured it from its first token on",
        "throughput: the tokens of all answers over the time that the file was asked",
    ]
    if files > 1:
        turns = f"{files} files in {rounds} round{'s' if rounds > 1 else ''}, the order turned about each time"
        parts.append(turns + (", loaded anew for each, since they do not fit at once" if in_turn else ""))
    return "; ".join(parts)
