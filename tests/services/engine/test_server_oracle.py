"""llama.cpp's own llama-server as an engine: the same text, the same likelihoods, machines that lend it devices."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.events import (
    Answered,
    Failed,
    Loaded,
    LoadProgressed,
    PromptProgressed,
    Scored,
    SessionEvent,
    TextArrived,
)
from qtui.core.hardware import ProcessMemory
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import MIB
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.engines import Engines
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.engine.server_engine import KEY_VARIABLE, ServerEngine
from qtui.services.engine.session import ChildSession
from qtui.services.engine.sessions import Registry
from tests.services.engine.scripts import all_of, answer_of, failure_of, gone, until, variant

pytestmark = pytest.mark.oracle
GREEDY = Sampling(temperature=0.0, seed=42)
SUM = Request((Message("user", "What is 23 + 45?"),), sampling=GREEDY, reuse_prefix=False)
STORY = Request(raw="Once upon a time", sampling=replace(GREEDY, max_tokens=120), reuse_prefix=False, ignore_eos=True)
LONG = Request(raw="What is", sampling=replace(GREEDY, max_tokens=100_000), ignore_eos=True)
DRAWN = Request(
    (Message("user", "What is 7 + 8?"),), sampling=Sampling(0.9, 30, 0.9, 0.02, 1.1, seed=7), reuse_prefix=False
)
PLAN = LoadPlan(ctx_size=1024, threads=1, threads_batch=1, n_gpu_layers=0)


@pytest.fixture
async def engines(oracle: Path) -> AsyncIterator[Engines]:
    """Both engines; all sessions are ended."""
    engines = Engines(BuiltInEngine(), ServerEngine(ServerBuilds(), hosts=lambda: HOSTS))
    HOSTS.clear()
    yield engines
    await engines.close()


HOSTS: list[str] = []
"""The RPC hosts of a test's settings."""


@pytest.fixture
def served(oracle: Path) -> LoadPlan:
    """The plan of a session on llama-server."""
    return replace(PLAN, engine=str(oracle / "llama-server"))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def lend(oracle: Path) -> Iterator[Callable[[], tuple[str, subprocess.Popen[bytes]]]]:
    """Starts ggml-rpc-servers on loopback, as (host:port, process)."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> tuple[str, subprocess.Popen[bytes]]:
        port = free_port()
        process = subprocess.Popen(
            [oracle / "ggml-rpc-server", "-H", "127.0.0.1", "-p", str(port), "-t", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        running.append(process)
        while process.poll() is None and not listens(port):
            time.sleep(0.005)
        return f"127.0.0.1:{port}", process

    yield start
    for process in running:
        process.kill()
        process.wait()


async def last_after(session: ChildSession, process: subprocess.Popen[bytes]) -> SessionEvent | None:
    """Return how a long answer ends of which a process that it needs is killed at the first words."""
    last: SessionEvent | None = None
    async for event in session.ask(LONG):
        if isinstance(event, TextArrived):
            process.kill()
        last = event
    return last


def allocated(loaded: Loaded) -> tuple[int, int, int]:
    """Return weights, context and compute over all buffers."""
    rows = loaded.buffers
    return sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows)


async def test_both_engines_write_the_same(engines: Engines, served: LoadPlan, demo_f16: Path) -> None:
    sessions = [engines.open(variant(demo_f16), plan) for plan in (PLAN, served)]
    loads = [(await all_of(session.load()))[-1] for session in sessions]
    ours, theirs = loads
    assert isinstance(ours, Loaded) and isinstance(theirs, Loaded)
    assert theirs.vocabulary == ours.vocabulary == 1024 and theirs.template == ours.template == "file"
    assert theirs.warnings == () and theirs.build and theirs.plan["flash_attn"] == ours.plan["flash_attn"]
    # what it allocated, to the two decimals of a MiB that its log has
    assert allocated(theirs) == pytest.approx(allocated(ours), abs=0.05 * MIB)
    for request in (SUM, STORY, DRAWN):
        answers = [(await answer_of(session.ask(request))).answer for session in sessions]
        for name in ("text", "prompt", "prompt_tokens", "generated_tokens", "finish_reason", "cached_tokens", "seed"):
            assert getattr(answers[0], name) == getattr(answers[1], name), name
        assert answers[1].prompt_rate and answers[1].generation_rate and answers[1].time_to_first_token
    options = (" yes", " no", " maybe not")
    scores = [(await all_of(session.score("The answer is", options)))[-1] for session in sessions]
    assert isinstance(scores[0], Scored) and isinstance(scores[1], Scored)
    assert scores[0].tokens == scores[1].tokens
    assert scores[1].log_likelihoods == pytest.approx(scores[0].log_likelihoods, abs=1e-3)


async def test_a_session_tells_its_progress_and_its_own_memory(
    engines: Engines, served: LoadPlan, demo_f16: Path
) -> None:
    session = engines.open(variant(demo_f16), served)
    *progress, loaded = await all_of(session.load())
    assert isinstance(loaded, Loaded) and all(isinstance(event, LoadProgressed) for event in progress)
    pid = session.pid
    assert pid is not None and b"llama-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    memory = await session.memory()
    assert memory.resident is not None and memory.resident > demo_f16.stat().st_size
    long = Request(raw="What is 2 + 2? " * 80, sampling=replace(GREEDY, max_tokens=4), reuse_prefix=False)
    events = await all_of(session.ask(long))
    reads = [event for event in events if isinstance(event, PromptProgressed)]
    assert reads[-1].done == reads[-1].total and len(reads) > 1
    answered = events[-1]
    assert isinstance(answered, Answered) and answered.answer.cached_tokens == 0
    again = (await answer_of(session.ask(replace(long, reuse_prefix=True)))).answer
    assert again.cached_tokens > 500
    first = (await failure_of(session.ask(Request(raw="one two " * 2000)))).failure
    assert first.kind.startswith("prompt") and "the context 1024" in first.message


async def test_an_answer_is_stopped_and_the_next_one_follows(
    engines: Engines, served: LoadPlan, demo_f16: Path
) -> None:
    session = engines.open(variant(demo_f16), served)
    await all_of(session.load())
    async for event in session.ask(LONG):
        if not isinstance(event, PromptProgressed):
            break
    await session.cancel()
    assert (await answer_of(session.ask(SUM))).answer.text == "23 + 45 = 68."


async def test_kill_9_of_qtui_leaves_no_server(oracle: Path, demo_f16: Path, tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tests.services.engine.test_server_oracle import PLAN, LONG, replace, variant\n"
        "from qtui.services.engine.server_builds import ServerBuilds\n"
        "from qtui.services.engine.server_engine import ServerEngine\n"
        "async def main():\n"
        "    plan = replace(PLAN, engine=sys.argv[1])\n"
        "    session = ServerEngine(ServerBuilds()).open(variant(Path(sys.argv[2])), plan)\n"
        "    async for _ in session.load(): pass\n"
        "    async for _ in session.ask(LONG): print(session.pid, flush=True)\n"
        "asyncio.run(main())\n"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", code, str(oracle / "llama-server"), str(demo_f16)], stdout=subprocess.PIPE, text=True
    )
    assert app.stdout is not None
    pid = int(app.stdout.readline())
    guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert guard != app.pid
    app.kill()
    app.wait()
    await until(lambda: gone(pid) and gone(guard))
    assert Registry().list() == ()


async def test_a_server_elsewhere_is_attached_to_and_left_running(
    engines: Engines, oracle: Path, demo_f16: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = free_port()
    command = [
        str(oracle / "llama-server"),
        "-m",
        str(demo_f16),
        "--port",
        str(port),
        "-c",
        "1024",
        "-t",
        "1",
        "--no-ui",
    ]
    server = subprocess.Popen(
        command, env={**os.environ, "LLAMA_API_KEY": "a key"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await until(lambda: listens(port))
        plan = replace(PLAN, engine=f"http://127.0.0.1:{port}")
        refused = await failure_of(engines.open(variant(demo_f16), plan).load())
        assert "refuses the key" in refused.failure.message and KEY_VARIABLE in refused.failure.hint
        monkeypatch.setenv(KEY_VARIABLE, "a key")
        session = engines.open(variant(demo_f16.with_name("other.gguf")), plan)
        loaded = (await all_of(session.load()))[-1]
        assert isinstance(loaded, Loaded)
        assert "has qtui-demo-F16.gguf loaded, not other.gguf" in " ".join(loaded.warnings)
        assert (await answer_of(session.ask(SUM))).answer.text == "23 + 45 = 68."
        assert session.pid is None and await session.memory() == ProcessMemory() and loaded.buffers == ()
        assert Registry().list()[0].elsewhere
        await session.close()
        assert server.poll() is None
        again = engines.open(variant(demo_f16), plan)
        await all_of(again.load())
        failed = await last_after(again, server)
        assert isinstance(failed, Failed) and f"127.0.0.1:{port}" in failed.failure.message
    finally:
        server.kill()
        server.wait()


async def test_two_machines_hold_one_model_until_one_is_gone(
    engines: Engines, served: LoadPlan, demo_f16: Path, lend: Callable[[], tuple[str, subprocess.Popen[bytes]]]
) -> None:
    (first, _), (second, process) = lend(), lend()
    HOSTS[:] = [first, second]
    session = engines.open(variant(demo_f16), replace(served, n_gpu_layers=99))
    loaded = (await all_of(session.load()))[-1]
    assert isinstance(loaded, Loaded), loaded
    holders = [name for name, held, _, _ in loaded.buffers if held]
    assert all(any(host in name for name in holders) for host in (first, second)), loaded.buffers
    assert (await answer_of(session.ask(SUM))).answer.text == "23 + 45 = 68."
    failed = await last_after(session, process)
    assert isinstance(failed, Failed) and failed.fatal and failed.failure.kind == "rpc"
    assert failed.failure.message == f"the RPC host {second} is gone while answering" and failed.failure.hint
    assert session.pid is None
    await session.close()
    absent = await failure_of(engines.open(variant(demo_f16), replace(served, n_gpu_layers=99)).load())
    assert absent.failure.message == f"the RPC host {second} does not answer while loading"


async def test_a_file_that_it_cannot_load_is_a_sentence(engines: Engines, served: LoadPlan, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    failed = await failure_of(engines.open(variant(broken), served).load())
    assert failed.failure.kind == "bad_file" and "cannot read the file" in failed.failure.message
    assert failed.failure.log
