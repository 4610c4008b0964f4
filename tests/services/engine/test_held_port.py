"""Another program holds the port that a llama-server of ours was given: a sentence, and no byte for the other one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from qtui.core.commands import Serve
from qtui.core.errors import EngineError
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.server.launch import Launch, launch
from qtui.services.engine import server_engine
from qtui.services.engine.child.server import loading
from qtui.services.engine.child.server.cut import Cut
from qtui.services.engine.child.server.process import ServerProcess
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.engine.server_engine import ServerEngine
from tests.services.engine.scripts import failure_of, gone, variant
from tests.services.engine.test_server_engine import HELP, SCRIPT


class Other(ThreadingHTTPServer):
    """A second server, which answers all that a llama-server is asked while it loads, to anyone."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.port = self.server_address[1]
        self.taken = 0
        """Connections."""

    def get_request(self) -> Any:
        """Count what connects."""
        self.taken += 1
        return super().get_request()


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ok", "default_generation_settings": {"n_ctx": 64}, "total_slots": 1}'
        self.send_response(200 if self.path in ("/health", "/props") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def other() -> Iterator[Other]:
    with Other() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A build that has to be told its port."""
    program = tmp_path / "llama-server"
    program.write_text(f"#!{sys.executable}\n" + SCRIPT.read_text())
    program.chmod(0o755)
    (tmp_path / "help.txt").write_text(HELP.read_text())
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF" + bytes(4096))
    return program


async def test_a_port_that_ours_only_says_to_have_is_not_talked_to(old: Path, other: Other) -> None:
    (old.parent / "mode").write_text("says another's port")
    (old.parent / "other").write_text(str(other.port))
    session = ServerEngine(ServerBuilds()).open(
        variant(old.parent / "tiny.gguf"), LoadPlan(ctx_size=64, load_mode=LoadMode.MMAP, threads=1, engine=str(old))
    )
    failed = await failure_of(session.load())
    assert failed.failure.message == (
        f"another program holds port {other.port}, at which llama-server says that it listens"
    )
    assert failed.fatal and failed.failure.kind == "engine" and failed.failure.hint
    assert session.pid is None and other.taken == 0
    await session.close()


def test_where_the_system_does_not_tell_ports_a_taken_one_is_given_up(
    old: Path, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "listening_ports", lambda _pid: None)
    monkeypatch.setattr(loading, "_free_port", lambda: other.port)
    processes: list[ServerProcess] = []
    serve = Serve(program=str(old), arguments=("--host", "127.0.0.1", "--port", "0"), key="secret")
    loads = loading.Loading(Cut(), lambda _line: None, lambda _fraction: None, processes.append)
    with pytest.raises(EngineError, match="no port of this machine could be taken"):
        loads.reach(serve)
    assert len(processes) == loading.PORTS and all(gone(process.pid) for process in processes)
    assert other.taken == 0
    for process in processes:
        for stream in (process._process.stdin, process._process.stdout, process._process.stderr):
            assert stream is not None
            stream.close()


@pytest.mark.oracle
async def test_llama_server_that_finds_its_port_taken_is_a_sentence(
    oracle: Path, demo_f16: Path, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_the_others_port(*given: Any) -> Launch:
        found = launch(*given)
        return replace(found, arguments=loading._with_port(found.arguments, other.port))

    monkeypatch.setattr(server_engine, "launch", at_the_others_port)
    plan = LoadPlan(ctx_size=256, threads=1, threads_batch=1, n_gpu_layers=0, engine=str(oracle / "llama-server"))
    session = ServerEngine(ServerBuilds()).open(variant(demo_f16), plan)
    failed = await failure_of(session.load())
    assert failed.failure.message == "llama-server could not take a port while loading" and failed.failure.hint
    assert session.pid is None and other.taken == 0
    await session.close()
