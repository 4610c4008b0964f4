"""`qtui serve` as a user runs it: a process of its own, a real child with the demo model, the official client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai import OpenAI

from qtui.core.errors import Failure
from qtui.core.sessions import SessionRecord
from qtui.core.text import GIB
from qtui.services.engine.sessions import Registry
from tests.cli.test_real import answered, children
from tests.cli.world import BIG, SMALL, World
from tests.conftest import DEMO_F16
from tests.fakes import Reply

SUM: Any = [{"role": "user", "content": "What is 23 + 45?"}]
MODEL = "qtui-demo-F16"


@dataclass
class Served:
    """A running `qtui serve`."""

    process: subprocess.Popen[str]
    told: dict[str, Any]
    runtime: Path

    @cached_property
    def client(self) -> OpenAI:
        return OpenAI(api_key=self.told["key"], base_url=self.told["endpoint"], max_retries=0, timeout=100)

    def record(self) -> SessionRecord:
        records = Registry(lambda: self.runtime / "qtui").list()
        assert len(records) == 1
        return records[0]

    def answer(self, **more: Any) -> str:
        options: dict[str, Any] = {"temperature": 0, **more}
        return str(self.client.chat.completions.create(model=MODEL, messages=SUM, **options).choices[0].message.content)


def start(home: Path, *arguments: str, model: Path = DEMO_F16) -> Served:
    """Start it on any port and wait until it says where it is."""
    environment = dict(os.environ)
    environment.pop("QTUI_API_KEY", None)
    for name in ("CONFIG", "CACHE", "DATA", "STATE", "RUNTIME"):
        folder = home / name.lower()
        folder.mkdir(mode=0o700, exist_ok=True)
        environment[f"XDG_{name}_{'DIR' if name == 'RUNTIME' else 'HOME'}"] = str(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "qtui.cli.main", "serve", str(model), "--port", "0", "--json", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    return Served(process, json.loads(line), home / "runtime")


def end(served: Served, number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Send a signal and return status, the rest of stdout, and stderr."""
    served.process.send_signal(number)
    out, err = served.process.communicate(timeout=60)
    return served.process.returncode, out, err


def until(happened: Callable[[], object], limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that leave it as it was."""
    made = start(tmp_path_factory.mktemp("served"))
    yield made
    made.client.close()
    status, out, err = end(made)
    assert (status, out) == (130, "")
    assert "Traceback" not in err


def test_it_streams_what_it_answers_whole(served: Served) -> None:
    assert served.answer() == "23 + 45 = 68."
    stream = served.client.chat.completions.create(
        model=MODEL, messages=SUM, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    parts = list(stream)
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == "23 + 45 = 68."
    assert parts[-1].usage is not None
    assert (parts[-1].usage.prompt_tokens, parts[-1].usage.completion_tokens) == (18, 12)
    assert parts[-1].usage.prompt_tokens_details is not None
    assert parts[-1].usage.prompt_tokens_details.cached_tokens == 17
    cold = served.client.chat.completions.create(
        model=MODEL, messages=SUM, temperature=0, extra_body={"cache_prompt": False}
    )
    assert cold.model_extra is not None
    assert (cold.model_extra["timings"]["prompt_n"], cold.model_extra["timings"]["predicted_n"]) == (18, 12)


def test_refused_without_the_key_and_from_a_page_in_a_browser(served: Served) -> None:
    with pytest.raises(openai.AuthenticationError):
        served.client.with_options(api_key="guessed").chat.completions.create(model=MODEL, messages=SUM)
    place = urlsplit(served.told["endpoint"])
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {"Authorization": f"Bearer {served.told['key']}", "Origin": "https://evil.example"}
    connection.request("POST", "/v1/chat/completions", json.dumps({"messages": SUM}), headers)
    response = connection.getresponse()
    assert response.status == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert json.loads(response.read())["error"]["code"] == "origin_not_allowed"
    connection.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_beyond_the_context_tells_both_numbers(served: Served, stream: bool) -> None:
    long: Any = [{"role": "user", "content": "word " * 2000}]
    with pytest.raises(openai.BadRequestError) as caught:
        served.client.chat.completions.create(model=MODEL, messages=long, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    assert "the context 1024" in caught.value.message
    assert "has 4009 tokens" in caught.value.message


def test_programs_that_ask_at_once_all_get_their_answer(served: Served) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: served.answer(), range(4)))
    assert answers == ["23 + 45 = 68."] * 4


def test_characters_that_tokens_divide_arrive_whole(served: Served) -> None:
    options: dict[str, Any] = {
        "prompt": "Ünïcödé — \U0001f600 ", "seed": 5, "temperature": 3, "max_tokens": 200,
        "extra_body": {"top_k": 0, "min_p": 0, "ignore_eos": True, "cache_prompt": False}, "top_p": 1,
    }  # fmt: skip
    whole = served.client.completions.create(model=MODEL, **options).choices[0].text
    parts = served.client.completions.create(model=MODEL, stream=True, **options)
    assert "".join(part.choices[0].text for part in parts) == whole
    assert not whole.isascii()
    control = served.client.completions.create(model=MODEL, prompt="a\x00b", max_tokens=1)
    assert control.usage is not None and control.usage.completion_tokens == 1


def test_a_reader_that_leaves_cancels_the_answer(served: Served) -> None:
    stream = served.client.chat.completions.create(
        model=MODEL, messages=SUM, stream=True, max_tokens=900, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    assert served.answer() == "23 + 45 = 68."
    until(lambda: served.record().state.value == "ready")


def test_its_session_is_on_record_with_the_endpoint(served: Served) -> None:
    record = served.record()
    assert (record.endpoint, record.id, record.pid) == (
        served.told["endpoint"], served.told["session"], served.told["pid"],
    )  # fmt: skip
    assert record.parent_pid == served.process.pid


def test_a_session_that_was_killed_is_brought_back(tmp_path: Path) -> None:
    served = start(tmp_path, "--temperature", "0")
    os.kill(served.told["pid"], signal.SIGKILL)
    until(lambda: not Path(f"/proc/{served.told['pid']}").exists())
    assert served.answer() == "23 + 45 = 68."
    assert served.record().pid != served.told["pid"]
    stream = served.client.chat.completions.create(
        model=MODEL, messages=SUM, stream=True, max_tokens=900, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    status, _, err = end(served)
    with pytest.raises((openai.APIError, openai.APIConnectionError)):
        list(stream)
    served.client.close()
    assert status == 130
    assert "Traceback" not in err
    assert not children(served.process.pid)
    assert Registry(lambda: tmp_path / "runtime" / "qtui").list() == ()


@pytest.mark.oracle
@pytest.mark.slow
def test_llama_server_behind_it_answers_the_same(tmp_path: Path, oracle: Path) -> None:
    served = start(tmp_path, "--engine", str(oracle / "llama-server"))
    try:
        assert served.answer() == "23 + 45 = 68."
        assert served.told["engine"].endswith("llama-server")
        with pytest.raises(openai.BadRequestError) as caught:
            served.answer(extra_body={"grammar": "root ::= x"})
        assert caught.value.param == "grammar"
        long: Any = [{"role": "user", "content": "word " * 2000}]
        with pytest.raises(openai.BadRequestError) as beyond:
            served.client.chat.completions.create(model=MODEL, messages=long)
        assert beyond.value.code == "context_length_exceeded"
    finally:
        served.client.close()
        status, _, _ = end(served, signal.SIGTERM)
    assert status == 130
    assert not children(served.process.pid)


def test_a_port_in_use_is_told_before_anything_is_loaded(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = world.run("serve", "/models/Tiny-Q8_0.gguf", "--port", str(port), "--json")
    assert ran.status == 1
    assert ran.json["error"] == {
        "message": f"port {port} of 127.0.0.1 is in use", "hint": "another --port, or --port 0 for any that is free",
        "kind": "error",
    }  # fmt: skip
    assert world.engine.journal == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "16 characters"),
        (("--host", "0.0.0.0", "--api-key", "short"), "16 characters"),
        (("--host", "no such host"), "there is no host"),
        (("--api-key", ""), "is empty"),
        (("--api-key", "a b"), "cannot be used"),
        (("--api-key-file", "/no/such/file"), "cannot read"),
        (("--api-key-file", "/tmp"), "is no file"),
        (("--port", "70000"), "out of range"),
        (("--api-key", "x", "--api-key-file", "y"), "not allowed with"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_bad_usage(world: World, arguments: tuple[str, ...], said: str) -> None:
    ran = world.run("serve", "/models/Tiny-Q8_0.gguf", *arguments)
    assert (ran.status, world.engine.journal) == (2, [])
    assert said in ran.err


def test_a_key_that_others_can_read_is_refused(world: World, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o644)
    ran = world.run("serve", "/models/Tiny-Q8_0.gguf", "--api-key-file", str(path))
    assert ran.status == 2
    assert f"chmod 600 {path}" in ran.err


def test_what_does_not_fit_is_not_served(world: World) -> None:
    world.dry_run.totals[BIG.path] = 900 * GIB
    ran = world.run("serve", str(BIG.path), "--port", "0", "--load-mode", "none", "--json")
    assert (ran.status, ran.json["error"]["kind"]) == (1, "memory")
    assert "open" not in dict(world.engine.journal)


def test_bench_under_load_over_fakes(world: World, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("one\n\ntwo\n")
    arguments = ("bench", str(BIG.path), str(SMALL.path), "--parallel", "2", "--requests", "4", "--max-tokens", "5")
    ran = world.run(*arguments, "--prompts", str(prompts), "--json")
    assert ran.status == 0, ran.err
    body = ran.json
    assert [(r["file"], r["parallel"], r["answered"]) for r in body["results"]] == [
        (str(BIG.path), 2, 4), (str(SMALL.path), 2, 4),
    ]  # fmt: skip
    assert body["results"][0]["generation_rate"]["p95"] == 40.0
    assert "one answer at a time" in body["method"]
    assert {request.messages[0].content for request in world.engine.sessions[0].requests} == {"one", "two"}
    shown = world.run(*arguments)
    assert [line.split()[:2] for line in shown.out.splitlines()[:3]] == [
        ["VARIANT", "ANSWERS"], ["Tiny", "Q8_0"], ["Tiny", "Q2_K"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--requests", "4"), "--requests goes with --parallel"),
        (("--prompts", "x"), "--prompts goes with --parallel"),
        (("--parallel", "2", "--repeats", "3"), "--repeats does not go with --parallel"),
        (("--parallel", "4", "--requests", "3"), "--requests 3 are too few"),
    ],
)  # fmt: skip
def test_options_of_bench_that_do_not_go_together(world: World, arguments: tuple[str, ...], said: str) -> None:
    ran = world.run("bench", str(BIG.path), *arguments)
    assert ran.status == 2
    assert said in ran.err


def test_bench_under_load_says_what_failed(world: World) -> None:
    died = Failure("the engine died", "", "engine")
    world.engine.enqueue(Reply("warm"), Reply("a", failure=died, fatal=True))
    ran = world.run("bench", str(BIG.path), "--parallel", "1", "--requests", "3", "--json")
    assert ran.status == 1
    assert ran.json["error"]["message"] == "Tiny Q8_0: 1 of 3 requests failed: the engine died"
    assert ran.json["results"][0]["answered"] == 2


@pytest.mark.slow
def test_bench_under_load_of_the_demo_model() -> None:
    arguments = ("bench", str(DEMO_F16), "--parallel", "2", "--requests", "4", "--max-tokens", "8")
    result = answered(*arguments)["results"][0]
    assert (result["answered"], result["errors"], result["generated_tokens"]) == (4, [], 32)
    first = result["time_to_first_token"]
    assert 0 < first["p50"] <= first["p95"] == max(first["samples"])
    rates = result["generation_rate"]
    assert rates["p50"] >= rates["p95"] == min(rates["samples"])
    assert result["throughput"] <= 1.5 * max(rates["samples"])


@pytest.mark.oracle
@pytest.mark.slow
def test_llama_server_answers_in_its_slots(oracle: Path, tmp_path: Path) -> None:
    engine = ("--engine", str(oracle / "llama-server"))
    served = start(tmp_path, *engine, "--parallel", "2")
    try:
        assert (served.told["at_once"], served.told["plan"]["parallel"]) == (2, 2)
        assert served.answer() == served.answer() == "23 + 45 = 68."
    finally:
        served.client.close()
        status, _, err = end(served)
    assert status == 130 and "Traceback" not in err
    arguments = ("bench", str(DEMO_F16), "--parallel", "2", "--requests", "4", "--max-tokens", "8", *engine)
    body = answered(*arguments)
    assert "2 answers at a time in slots" in body["method"] and body["plans"][0]["parallel"] == 2
    assert (body["results"][0]["answered"], body["results"][0]["errors"]) == (4, [])
