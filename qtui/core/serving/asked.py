"""What a program asks for: a body in OpenAI's shape turned into a request to a session.

A parameter that would change the answer is heeded or refused by name, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.serving.fields import decimal, flag, neutral, text, whole
from qtui.core.serving.refusal import RefusedError, bad
from qtui.core.text import clean_name

MOST_MESSAGES = 4096
MOST_PARTS = 1024
"""Parts of one message's content."""
NO_LIMIT = -1
"""What programs for llama-server send as a number of tokens that is open."""
MOST_STOPS, LONGEST_STOP = 16, 256
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed", "stop", "repeat_penalty", "max_tokens")
HEEDED = frozenset(
    (*SAMPLING, "max_completion_tokens", "model", "messages", "prompt", "stream", "stream_options", "cache_prompt")
) | {"ignore_eos"}
WITHOUT_EFFECT = frozenset(
    ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
) | {"parallel_tool_calls", "timings_per_token"}
"""They change nothing of an answer here: who asks, where it is kept, how tools that are not there would be called."""
NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "modalities": (["text"],),
    "repetition_penalty": (1, 1.0),
    "typical_p": (1, 1.0),
}
"""Values that ask for what is done anyway; of other parameters those do that ask for nothing."""


class Kind(StrEnum):
    """Which of the two questions it is."""

    CHAT = "chat"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a request says nothing."""

    sampling: Sampling = Sampling()
    system: str = ""
    """The system prompt of conversations that bring none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that can be answered."""

    kind: Kind
    request: Request
    model: str = ""
    """As it was asked for; empty: whatever there is."""
    stream: bool = False
    usage: bool = False
    """A stream ends with the counts."""


def wanted(kind: Kind, body: Mapping[str, Any], defaults: Defaults = Defaults()) -> Wanted:
    """Return what a body asks for.

    Raises:
        RefusedError: it is no such request, or asks for what is not done here; the parameter is named.
    """
    _refuse_unknown(kind, body)
    stream = flag(body, "stream")
    sampling = _sampling(body, defaults.sampling)
    ignore_end = flag(body, "ignore_eos")
    if ignore_end and sampling.max_tokens is None:
        raise bad("ignore_eos needs max_tokens: nothing else would end the answer", "ignore_eos")
    request = Request(sampling=sampling, reuse_prefix=flag(body, "cache_prompt", True), ignore_eos=ignore_end)
    if kind is Kind.CHAT:
        request = replace(request, messages=_messages(body.get("messages"), defaults.system))
    else:
        request = replace(request, raw=_prompt(body.get("prompt")))
    model = text(body["model"], "model") if body.get("model") is not None else ""
    return Wanted(kind, request, model, stream, _usage(body, stream))


def _refuse_unknown(kind: Kind, body: Mapping[str, Any]) -> None:
    foreign = "prompt" if kind is Kind.CHAT else "messages"
    for name, value in body.items():
        if name != foreign and (name in HEEDED or name in WITHOUT_EFFECT):
            continue
        if name == "logprobs" and value == 0 and value is not False:
            raise _unsupported(name)  # of a text 0 asks for the probability of each token that was chosen
        asks_nothing = value is None or value in NEUTRAL[name] if name in NEUTRAL else neutral(value)
        if not asks_nothing:
            raise _unsupported(clean_name(name, 80))


def _unsupported(name: str) -> RefusedError:
    return bad(f"{name} is not supported by this endpoint", name, "unsupported_parameter")


def _usage(body: Mapping[str, Any], stream: bool) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise bad("stream_options must be an object", "stream_options")
    if not stream:
        raise bad("stream_options goes with stream: true", "stream_options")
    for name, value in options.items():
        if name not in ("include_usage", "include_obfuscation") and not neutral(value):
            raise _unsupported(f"stream_options.{clean_name(name, 80)}")
    return flag(options, "include_usage")


def _sampling(body: Mapping[str, Any], default: Sampling) -> Sampling:
    given: dict[str, Any] = {
        "temperature": decimal(body, "temperature", 0, 100),
        "top_p": decimal(body, "top_p", 0, 1),
        "min_p": decimal(body, "min_p", 0, 1),
        "top_k": whole(body, "top_k", 0, 1 << 20),
        "repeat_penalty": decimal(body, "repeat_penalty", 0.01, 100),
        "seed": whole(body, "seed", 0, (1 << 32) - 1),
        "stop": _stops(body.get("stop")),
        "max_tokens": _most(body),
    }
    return replace(default, **{name: value for name, value in given.items() if value is not None})


def _most(body: Mapping[str, Any]) -> int | None:
    names = [name for name in ("max_tokens", "max_completion_tokens") if body.get(name) != NO_LIMIT]
    given = [value for name in names if (value := whole(body, name, 1, 1 << 31)) is not None]
    if len(set(given)) > 1:
        raise bad("max_tokens and max_completion_tokens differ", "max_completion_tokens")
    return given[0] if given else None


def _stops(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or len(texts) > MOST_STOPS:
        raise bad(f"stop must be a text or a list of at most {MOST_STOPS}", "stop")
    stops = tuple(text(item, "stop") for item in texts)
    if any(not 0 < len(stop) <= LONGEST_STOP for stop in stops):
        raise bad(f"a stop must have 1 to {LONGEST_STOP} characters", "stop")
    return stops


def _prompt(value: object) -> str:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, list):
        raise bad("prompt must be one text: lists and tokens are not supported", "prompt", "unsupported_parameter")
    return text(value, "prompt")


def _messages(value: object, system: str) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise bad("messages must be a list of at least one message", "messages")
    if len(value) > MOST_MESSAGES:
        raise bad(f"messages must be at most {MOST_MESSAGES}", "messages")
    messages = tuple(_message(item, f"messages[{place}]") for place, item in enumerate(value))
    if system and not any(message.role == "system" for message in messages):
        return (Message("system", system), *messages)
    return messages


def _message(value: object, where: str) -> Message:
    if not isinstance(value, dict):
        raise bad(f"{where} must be an object", where)
    role = value.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise bad(f"{where}.role must be one of {', '.join(ROLES)}", f"{where}.role")
    for name, item in value.items():
        # Thinking comes back with what a client keeps of an answer; templates leave it out of past turns.
        if name not in ("role", "content", "reasoning_content") and not neutral(item):
            raise _unsupported(f"{where}.{clean_name(name, 80)}")
    return Message(ROLES[role], _content(value.get("content"), f"{where}.content"))


def _content(value: object, where: str) -> str:
    if not isinstance(value, list):
        return text(value, where)
    if len(value) > MOST_PARTS:
        raise bad(f"{where} must have at most {MOST_PARTS} parts", where)
    return "".join(_part(part, f"{where}[{place}]") for place, part in enumerate(value))


def _part(value: object, where: str) -> str:
    if not isinstance(value, dict):
        raise bad(f"{where} must be an object", where)
    kind = value.get("type")
    if kind != "text":
        shown = clean_name(kind, 40) if isinstance(kind, str) else "no type"
        raise bad(f"{where} is {shown}: only text is supported", where, "unsupported_parameter")
    return text(value.get("text"), f"{where}.text")
