"""The endpoint as programs see it, through the official client, over the scripted engine."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from qtui.core.duel.conversation import Sampling
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.serving.asked import Defaults
from qtui.core.serving.load_test import PROMPTS
from qtui.core.serving.run import Done, Lost, State
from qtui.core.text import GIB
from qtui.services.serving.endpoints import LocalEndpoints
from tests.fakes import LoadScript, Reply, ScriptedSession
from tests.services.serving.conftest import KEY, VARIANT, Stage, Stages, until

NAME = "Tiny-Q8_0"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there"}]


async def ask(stage: Stage, **more: Any) -> Any:
    return await stage.client.chat.completions.create(model=NAME, messages=HELLO, **more)


async def test_a_whole_answer(stage: Stage) -> None:
    stage.engine.enqueue(Reply("a b c", thinking="hm"))
    answer = await ask(stage, temperature=0, seed=7, max_tokens=50, stop="X", extra_body={"top_k": 3, "min_p": 0.2})
    choice = answer.choices[0]
    assert (choice.message.content, choice.message.reasoning_content, choice.finish_reason) == ("a b c", "hm", "stop")
    assert (answer.model, answer.object) == (NAME, "chat.completion")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (2, 3, 5)
    timings = answer.model_extra["timings"]
    assert timings["predicted_per_second"] == 40.0
    assert timings["predicted_ms"] == pytest.approx(1000 * 2 / 40.0)
    assert timings["prompt_ms"] == pytest.approx(2.0)
    request = stage.engine.sessions[0].requests[0]
    assert request.sampling == Sampling(0.0, 3, 0.95, 0.2, 1.0, 7, 50, ("X",))
    assert isinstance(stage.told[-1], Done)


async def test_a_stream(stage: Stage) -> None:
    stage.engine.enqueue(Reply("a b c", thinking="hm", finish_reason="length"))
    parts = [part async for part in await ask(stage, stream=True, stream_options={"include_usage": True})]
    assert parts[0].choices[0].delta.role == "assistant"
    texts = [part.choices[0].delta.content or "" for part in parts if part.choices]
    assert texts == ["", "", "a ", "b ", "c", ""]
    assert parts[1].choices[0].delta.reasoning_content == "hm"
    assert [part.choices[0].finish_reason for part in parts[-2:-1]] == ["length"]
    assert (parts[-1].choices, parts[-1].usage.total_tokens) == ([], 5)
    assert len({part.id for part in parts}) == 1


async def test_a_text_continued(stage: Stage) -> None:
    answer = await stage.client.completions.create(model=NAME, prompt="Once upon", max_tokens=4)
    assert (answer.choices[0].text, answer.object) == ("a b c", "text_completion")
    assert stage.engine.sessions[0].requests[0].raw == "Once upon"
    stream = await stage.client.completions.create(model=NAME, prompt="Once", stream=True)
    assert [part.choices[0].text async for part in stream] == ["a ", "b ", "c", ""]


async def test_the_models_and_the_health(stage: Stage) -> None:
    models = await stage.client.models.list()
    assert [model.id for model in models.data] == [NAME]
    assert models.data[0].model_extra is not None
    assert models.data[0].model_extra["meta"]["n_ctx"] == 512
    assert (await stage.client.models.retrieve(NAME)).id == NAME
    with pytest.raises(openai.NotFoundError):
        await stage.client.models.retrieve("other")
    status, _, body = await stage.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, json.loads(body)) == (200, {"status": "ok"})


async def test_refused_without_the_key(stage: Stage) -> None:
    for key in ("wrong", KEY[:-1]):
        with pytest.raises(openai.AuthenticationError) as caught:
            await stage.client.with_options(api_key=key).models.list()
        assert caught.value.code == "invalid_api_key"
    status, headers, _ = await stage.raw(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert not stage.engine.sessions[0].requests


async def test_a_page_in_a_browser_is_refused_and_told_of_no_door(stage: Stage) -> None:
    status, headers, body = await stage.post(json.dumps({"messages": HELLO}).encode(), Origin="http://evil.example")
    assert (status, json.loads(body)["error"]["code"]) == (403, "origin_not_allowed")
    assert not [name for name in headers if name.startswith("access-control")]
    preflight = b"OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a\r\n\r\n"
    assert (await stage.raw(preflight))[0] == 403
    rebound = f"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    assert (await stage.raw(rebound))[0] == 403
    assert not stage.engine.sessions[0].requests


async def test_what_is_not_done_is_an_error_with_its_parameter(stage: Stage) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(stage, n=2)
    assert (caught.value.param, caught.value.code, caught.value.type) == (
        "n", "unsupported_parameter", "invalid_request_error",
    )  # fmt: skip
    with pytest.raises(openai.NotFoundError) as missing:
        await stage.client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    assert NAME in missing.value.message


async def test_one_at_a_time_and_a_full_line_says_when_to_try_again(stages: Stages) -> None:
    stage = await stages(waiting=2)
    hold = asyncio.Event()
    stage.engine.enqueue(*(Reply(f"answer {n}", hold=hold) for n in range(3)))
    tasks = [asyncio.create_task(ask(stage)) for _ in range(3)]
    await until(lambda: stage.serving.line.waiting == 2)
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(stage)
    assert (caught.value.status_code, caught.value.code) == (503, "queue_full")
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert len(stage.engine.sessions[0].requests) == 1
    hold.set()
    answers = await asyncio.gather(*tasks)
    assert sorted(answer.choices[0].message.content for answer in answers) == ["answer 0", "answer 1", "answer 2"]
    asked = [what for what, _ in stage.engine.journal if what in ("ask", "answered")]
    assert asked == ["ask", "answered"] * 3


async def test_a_llama_server_answers_in_all_its_slots_and_the_rest_waits(stages: Stages) -> None:
    stage = await stages(waiting=2, plan=LoadPlan(ctx_size=512, engine="llama-server", parallel=2))
    hold = asyncio.Event()
    stage.engine.enqueue(*(Reply(f"answer {n}", hold=hold) for n in range(4)))
    (session,) = stage.engine.sessions
    (lane,) = session.lanes
    tasks = [asyncio.create_task(ask(stage)) for _ in range(4)]
    await until(lambda: stage.serving.line.waiting == 2)
    assert len(session.requests) == len(lane.requests) == 1
    with pytest.raises(openai.InternalServerError, match="2 answered and 2 waiting"):
        await ask(stage)
    hold.set()
    answers = await asyncio.gather(*tasks)
    assert sorted(one.choices[0].message.content for one in answers) == [f"answer {n}" for n in range(4)]
    lane.die()
    assert [(await ask(stage)).choices for _ in range(3)] and len(session.lanes) == 2  # another one took its place
    assert len(stage.engine.sessions) == 1
    await stage.serving.unload()
    assert session.closed and session.lanes[1].closed


async def test_a_reader_that_leaves_frees_the_engine_and_one_that_waits_its_place(stage: Stage) -> None:
    stage.engine.enqueue(Reply("never ends", hold=asyncio.Event()), Reply("next"))
    stream = await ask(stage, stream=True)
    waiting = asyncio.create_task(ask(stage))
    await until(lambda: stage.serving.line.waiting == 1)
    waiting.cancel()
    await until(lambda: stage.serving.line.waiting == 0)
    await stream.close()
    assert (await ask(stage)).choices[0].message.content == "next"


async def test_a_session_that_is_ended_while_nothing_is_asked_is_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtui.core.serving.run.WATCH_S", 0.005)
    stage.engine.enqueue(Reply("one"), Reply("back"))
    assert (await ask(stage)).choices[0].message.content == "one"
    watching = asyncio.create_task(stage.serving.watch())
    stage.engine.sessions[0].die()
    await until(lambda: isinstance(stage.told[-1], Lost))
    assert stage.serving.state is State.DOWN and stage.engine.sessions[0].closed
    assert (await ask(stage)).choices[0].message.content == "back"
    await asyncio.sleep(0.05)
    assert sum(isinstance(event, Lost) for event in stage.told) == 1
    watching.cancel()


async def test_a_session_that_dies_is_told_and_brought_back(stage: Stage) -> None:
    died = Failure("the engine was ended by the system", "a smaller context", "engine")
    stage.engine.enqueue(Reply("a b c", failure=died, fatal=True), Reply("back"))
    with pytest.raises(openai.APIError, match="ended by the system: a smaller context") as caught:
        _ = [part async for part in await ask(stage, stream=True)]
    assert caught.value.code == "engine_error"
    assert stage.serving.state is State.DOWN
    assert stage.told[-1] == Lost(died)
    status, _, _ = await stage.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 503
    assert (await ask(stage)).choices[0].message.content == "back"
    assert len(stage.engine.sessions) == 2
    assert stage.engine.sessions[0].closed


async def test_a_session_that_died_between_requests_is_loaded_by_the_next_one(stage: Stage) -> None:
    stage.engine.sessions[0].die()
    assert (await ask(stage)).choices and len(stage.engine.sessions) == 2


async def test_a_session_on_another_machine_is_loaded_once(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSession, "pid", None)  # it has no process here
    stage = await stages()
    assert (await ask(stage)).choices and (await ask(stage)).choices
    assert len(stage.engine.sessions) == 1 and stage.serving.state is State.READY


async def test_a_death_before_the_first_word_is_a_status(stage: Stage) -> None:
    stage.engine.enqueue(Reply("", failure=Failure("it died", "", "engine"), fatal=True))
    with pytest.raises(openai.InternalServerError, match="it died"):
        await ask(stage)
    stage.engine.loads[VARIANT.path] = LoadScript(failure=Failure("no such file", "", "bad_file"))
    with pytest.raises(openai.InternalServerError, match="no such file"):
        await ask(stage, stream=True)
    del stage.engine.loads[VARIANT.path]
    assert (await ask(stage)).choices[0].message.content == "a b c"


async def test_the_guard_is_asked_before_it_is_brought_back(stage: Stage) -> None:
    await stage.serving.unload()
    stage.serving.plan = replace(stage.serving.plan, load_mode=LoadMode.NONE)
    stage.serving.variant = replace(VARIANT, path=Path("/models/huge.gguf"), size=900 * GIB)
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(stage)
    assert (caught.value.status_code, caught.value.code) == (503, "memory")
    assert "retry-after" in caught.value.response.headers


async def test_a_prompt_beyond_the_context(stage: Stage) -> None:
    long = Failure("the prompt has 900 tokens and the context 512", "shorten it", "prompt_too_long")
    stage.engine.enqueue(Reply("", failure=long))
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(stage)
    assert caught.value.code == "context_length_exceeded"
    assert "900" in caught.value.message
    assert "512" in caught.value.message
    assert (await ask(stage)).choices[0].message.content == "a b c"


async def test_the_end_of_the_endpoint_ends_what_runs_and_what_waits(stage: Stage) -> None:
    stage.engine.enqueue(Reply("never ends", hold=asyncio.Event()))
    stream = await ask(stage, stream=True)
    waiting = asyncio.create_task(ask(stage))
    await until(lambda: stage.serving.line.waiting == 1)
    await stage.serving.stop()
    with pytest.raises(openai.APIError, match="ending"):
        _ = [part async for part in stream]
    with pytest.raises(openai.InternalServerError, match="ending"):
        await waiting
    with pytest.raises(openai.InternalServerError, match="ending"):
        await ask(stage)


async def test_defaults_of_the_verb_hold(stages: Stages) -> None:
    stage = await stages(defaults=Defaults(Sampling(temperature=0.3, max_tokens=9), "be kind"))
    await ask(stage)
    request = stage.engine.sessions[0].requests[0]
    assert request.sampling == Sampling(temperature=0.3, max_tokens=9)
    assert [message.role for message in request.messages] == ["system", "user"]
    assert len(PROMPTS) > 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"not JSON", 400), (b"[]", 400), (b"[" * 200_000, 400), (b'{"messages": ' + b"[" * 200_000, 400),
        (b"\xff\xfe\x00", 400), (b'{"messages": 3}', 400), (b'{"messages": [{"role": "user", "content": NaN}]}', 400),
        (b'{"messages": [{"role": "user", "content": "' + b"x" * (4 << 20) + b'"}]}', 413),
    ],
    ids=["empty", "text", "list", "deep", "deeper", "no UTF-8", "messages", "NaN", "huge"],
)  # fmt: skip
async def test_hostile_bodies_are_refused_and_the_endpoint_goes_on(stage: Stage, body: bytes, status: int) -> None:
    got, _, told = await stage.post(body)
    assert got == status
    assert json.loads(told)["error"]["type"] == "invalid_request_error"
    assert (await ask(stage)).choices[0].message.content == "a b c"
    assert stage.notes == []


async def test_other_addresses_and_methods(stage: Stage) -> None:
    assert (await stage.post(b"{}", "/v1/embeddings"))[0] == 404
    assert (await stage.post(b"{}", "/v1/models"))[0] == 405
    assert (await stage.post(b"{}", Transfer_Encoding="chunked", Content_Length="9"))[0] == 400
    assert (await stage.raw(b"\x00\x01\x02\r\n\r\n"))[0] == 400
    assert (await stage.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 400_000))[0] == 400


async def test_a_reader_that_reads_nothing_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtui.services.serving.sending.STALLED_S", 0.2)
    stage.engine.enqueue(Reply(" ".join(["x" * 100_000] * 400)), Reply("next"))
    place = urlsplit(stage.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 10)
    body = json.dumps({"messages": HELLO, "stream": True}).encode()
    head = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\n{head}".encode() + body)
    await until(lambda: stage.engine.sessions[0].requests)
    assert (await ask(stage)).choices[0].message.content == "next"
    assert not reader.at_eof()
    writer.close()


async def test_an_endpoint_for_other_machines_answers_to_addresses_and_not_to_foreign_names() -> None:
    endpoints = LocalEndpoints(str)
    with pytest.raises(UsageError, match="16 characters"):
        await endpoints.bind("0.0.0.0", 0)
    endpoint = await endpoints.bind("0.0.0.0", 0, "k" * 16)
    try:
        assert not endpoint.here_only
        assert endpoint.url.startswith("http://127.0.0.1:")
        port = urlsplit(endpoint.url).port
        assert port is not None
        with pytest.raises(QtuiError, match=f"port {port} of 127.0.0.1 is in use"):
            await endpoints.bind("127.0.0.1", port)
    finally:
        await endpoint.close()
    six = await endpoints.bind("::1", 0)
    assert six.here_only and six.url.startswith("http://[::1]:")
    await six.close()
