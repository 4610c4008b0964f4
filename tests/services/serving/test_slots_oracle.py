"""A llama-server's slots behind the endpoint: so many answers at a time, each right, by the official client."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.serving.run import Lost, Serving, ServingEvent, State
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.engines import Engines
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.engine.server_engine import ServerEngine
from qtui.services.engine.sessions import Registry
from qtui.services.paths import log_dir
from qtui.services.serving.endpoints import LocalEndpoints
from tests.fakes import FakeDryRun, FakeMachine
from tests.services.engine.scripts import gone, until, variant

pytestmark = pytest.mark.oracle
KEY = "the-key-of-the-tests"
SLOTS = 4
SUMS = ((23, 45), (7, 8), (12, 30), (40, 9))


class Served:
    """A demo model behind the endpoint, with four slots."""

    def __init__(self, serving: Serving, client: AsyncOpenAI, told: list[ServingEvent]) -> None:
        self.serving = serving
        self.client = client
        self.told = told

    async def ask(self, one: int, two: int, tokens: int = 450) -> tuple[str, float, float]:
        """Return an answer that goes on after the sum, and when its first and its last text came."""
        stream = await self.client.chat.completions.create(
            model=self.serving.name, messages=[{"role": "user", "content": f"What is {one} + {two}?"}], stream=True,
            temperature=0, max_tokens=tokens, extra_body={"ignore_eos": True, "cache_prompt": False},
        )  # fmt: skip
        text, first, last = "", 0.0, 0.0
        async for part in stream:
            if part.choices and part.choices[0].delta.content:
                last = time.monotonic()
                first = first or last
                text += part.choices[0].delta.content
        return text, first, last


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")


def children(pid: int) -> list[int]:
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


@pytest.fixture
async def served(oracle: Path, demo_f16: Path) -> AsyncIterator[Served]:
    engines = Engines(BuiltInEngine(), ServerEngine(ServerBuilds()))
    plan = LoadPlan(
        ctx_size=2048, parallel=SLOTS, threads=1, threads_batch=1, n_gpu_layers=0, engine=str(oracle / "llama-server")
    )
    told: list[ServingEvent] = []
    guard = Guard(Footprints(FakeDryRun()), FakeMachine(), engines)
    serving = Serving(engines, guard, variant(demo_f16), plan, tell=told.append)
    assert await serving.load() is None, serving.failure
    endpoint = await LocalEndpoints(str).bind("127.0.0.1", 0)
    await endpoint.open(serving, KEY)
    client = AsyncOpenAI(api_key=KEY, base_url=endpoint.url, max_retries=0, timeout=120)
    yield Served(serving, client, told)
    await client.close()
    await endpoint.close()
    await serving.close()
    await engines.close()
    assert Registry().list() == ()


@pytest.mark.slow
async def test_four_answers_at_a_time_are_right_and_overlap(served: Served) -> None:
    session = served.serving.session
    assert session is not None and session.pid is not None
    words = Path(f"/proc/{session.pid}/cmdline").read_bytes().decode().split("\0")
    assert words[words.index("--parallel") + 1] == str(SLOTS) and "--kv-unified" in words
    assert [record.id for record in Registry().list()] == [session.id]  # lanes are no sessions of their own
    mine = [command_line(pid) for pid in children(os.getpid())]
    assert len(mine) == SLOTS and all("child.server.answer" in line for line in mine)  # the guard, and three lanes
    key = session._sent.key  # type: ignore[attr-defined]
    assert len(key) > 30 and not any(key in line for line in (*mine, " ".join(words)))
    assert not any(key in path.read_text() for path in log_dir().glob("*.log"))
    answers = await asyncio.gather(*(served.ask(*numbers) for numbers in SUMS))
    for (one, two), (text, _, _) in zip(SUMS, answers, strict=True):
        assert text.startswith(f"{one} + {two} = {one + two}."), text
    assert max(first for _, first, _ in answers) < min(last for _, _, last in answers), answers
    assert served.serving.line.at_once == SLOTS


async def test_answers_that_outgrow_the_context_together_are_told_so_and_the_server_goes_on(served: Served) -> None:
    ended = await asyncio.gather(*(served.ask(*numbers, tokens=3000) for numbers in SUMS), return_exceptions=True)
    failures = [str(one) for one in ended if isinstance(one, Exception)]
    assert failures and all("share the context" in failure for failure in failures), ended
    assert (await served.ask(23, 45, 20))[0].startswith("23 + 45 = 68.")
    assert not any(isinstance(event, Lost) for event in served.told)


async def test_a_server_that_dies_under_all_its_slots_is_brought_back_once(served: Served) -> None:
    session = served.serving.session
    assert session is not None and session.pid is not None
    pid = session.pid
    asking = [asyncio.create_task(served.ask(*numbers, tokens=100_000)) for numbers in SUMS]
    await until(lambda: served.serving.line.waiting == 0 and any(record.rate for record in Registry().list()))
    os.kill(pid, signal.SIGKILL)
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, Exception) for one in ended), ended
    await until(lambda: gone(pid))
    assert [type(event) for event in served.told].count(Lost) == 1
    text, _, _ = await served.ask(23, 45)
    assert text.startswith("23 + 45 = 68.") and served.serving.state is State.READY
