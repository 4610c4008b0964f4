"""What may be asked of an endpoint: bodies that are heeded, and those that are refused with the parameter named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qtui.core.duel.conversation import Message, Sampling
from qtui.core.serving.asked import MOST_MESSAGES, Defaults, Kind, wanted
from qtui.core.serving.fields import body_of
from qtui.core.serving.refusal import RefusedError

HELLO = [{"role": "user", "content": "Hello"}]


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": HELLO, **more}


def refused(body: dict[str, Any], kind: Kind = Kind.CHAT) -> tuple[int, str | None, str | None]:
    with pytest.raises(RefusedError) as caught:
        wanted(kind, body)
    refusal = caught.value.refusal
    assert refusal.as_json()["error"]["type"] == "invalid_request_error"
    return refusal.status, refusal.param, refusal.code


def test_everything_that_is_heeded() -> None:
    asked = wanted(
        Kind.CHAT,
        chat(
            temperature=0.5, top_p=0.9, top_k=7, min_p=0.1, seed=3, stop=["a", "b"], repeat_penalty=1.1,
            max_completion_tokens=9, stream=True, stream_options={"include_usage": True}, cache_prompt=False,
        ),
    )  # fmt: skip
    assert asked.request.sampling == Sampling(0.5, 7, 0.9, 0.1, 1.1, 3, 9, ("a", "b"))
    assert (asked.model, asked.stream, asked.usage, asked.request.reuse_prefix) == ("m", True, True, False)
    assert asked.request.messages == (Message("user", "Hello"),)


def test_what_a_request_leaves_open_is_as_the_endpoint_has_it() -> None:
    defaults = Defaults(Sampling(temperature=0.1, max_tokens=5), "be short")
    asked = wanted(Kind.CHAT, chat(max_tokens=-1, temperature=None), defaults)
    assert asked.request.sampling == defaults.sampling
    assert asked.request.messages[0] == Message("system", "be short")
    own = wanted(Kind.CHAT, {"messages": [{"role": "developer", "content": "be long"}, *HELLO]}, defaults)
    assert [message.content for message in own.request.messages] == ["be long", "Hello"]
    assert own.request.messages[0].role == "system"


def test_parts_of_text_and_what_a_client_sends_back() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c", "reasoning_content": "hm", "refusal": None, "tool_calls": []},
        {"role": "user", "content": "half \ud83d"},
    ]
    asked = wanted(Kind.CHAT, chat(messages=messages))
    assert [message.content for message in asked.request.messages] == ["ab", "c", "half \ufffd"]


@pytest.mark.parametrize(
    "more",
    [
        {"n": 1}, {"tools": []}, {"tool_choice": "none"}, {"logprobs": False}, {"frequency_penalty": 0},
        {"presence_penalty": 0.0}, {"logit_bias": {}}, {"response_format": {"type": "text"}}, {"user": "me"},
        {"metadata": {"a": "b"}}, {"anything": None}, {"modalities": ["text"]}, {"stream_options": None},
    ],
)  # fmt: skip
def test_what_asks_for_nothing_is_taken(more: dict[str, Any]) -> None:
    assert wanted(Kind.CHAT, chat(**more)).request.messages


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"), ({"n": 0}, "n"), ({"tools": [{"type": "function"}]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 0}, "logprobs"), ({"top_logprobs": 3}, "top_logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"response_format": {"type": "json_object"}}, "response_format"), ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"audio": {"voice": "x"}}, "audio"), ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"grammar": "root ::= x"}, "grammar"), ({"prompt": "and this"}, "prompt"), ({"whatever": 1}, "whatever"),
        ({"stream": True, "stream_options": {"other": 1}}, "stream_options.other"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
         "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]}, "messages[0].tool_calls"),
    ],
)  # fmt: skip
def test_what_is_not_done_here_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    assert refused(chat(**more)) == (400, param, "unsupported_parameter")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"temperature": "hot"}, "temperature"), ({"temperature": -1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 1.5}, "top_p"), ({"top_k": 1.5}, "top_k"), ({"seed": -2}, "seed"), ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**400}, "max_tokens"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_completion_tokens"),
        ({"stop": 3}, "stop"), ({"stop": [""]}, "stop"), ({"stop": ["x"] * 17}, "stop"), ({"stop": [{}]}, "stop"),
        ({"stream": "yes"}, "stream"), ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"ignore_eos": True}, "ignore_eos"), ({"model": 3}, "model"), ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"), ({"messages": ["hi"]}, "messages[0]"), ({"messages": None}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [3]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "x"}] * (MOST_MESSAGES + 1)}, "messages"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    status, named, code = refused(chat(**more))
    assert (status, named, code) == (400, param, None)


def test_a_text_is_continued_as_it_is() -> None:
    assert wanted(Kind.TEXT, {"prompt": "Once", "max_tokens": 2}).request.raw == "Once"
    assert wanted(Kind.TEXT, {"prompt": ["Once"]}).request.raw == "Once"
    assert refused({"prompt": ["a", "b"]}, Kind.TEXT)[1] == "prompt"
    assert refused({"prompt": [1, 2]}, Kind.TEXT)[1] == "prompt"
    assert refused({"prompt": "a", "suffix": "b"}, Kind.TEXT)[1] == "suffix"
    assert refused({}, Kind.TEXT)[1] == "prompt"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no", b"[1]", b"3", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b'{"a":' * 100_000,
        b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}",
    ],
)  # fmt: skip
def test_bodies_that_are_no_objects(data: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        body_of(data)
    assert caught.value.refusal.status == 400


def test_names_of_parameters_are_clean() -> None:
    status, param, _ = refused(chat(**{"\x1b[31mred\u202e": 1}))
    assert (status, param) == (400, "\ufffd[31mred\ufffd")
    assert json.loads(json.dumps(chat())) == chat()
