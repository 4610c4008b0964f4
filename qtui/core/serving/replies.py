"""How answers look to programs: OpenAI's objects, with counts, and llama-server's timings beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qtui.core.duel.conversation import Answer
from qtui.core.events import TextArrived
from qtui.core.library.variant import Variant
from qtui.core.serving.asked import Kind

DONE = b"data: [DONE]\n\n"
OBJECTS = {
    Kind.CHAT: ("chat.completion", "chat.completion.chunk", "chatcmpl-"),
    Kind.TEXT: ("text_completion", "text_completion", "cmpl-"),
}


@dataclass(frozen=True, slots=True)
class Replies:
    """The objects of one answer."""

    kind: Kind
    id: str
    """Without the prefix."""
    created: int
    """Seconds since the epoch."""
    model: str

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the one object of an answer that is not streamed."""
        if self.kind is Kind.TEXT:
            choice: dict[str, Any] = {"text": answer.text}
        else:
            message = {"role": "assistant", "content": answer.text}
            if answer.thinking:
                message["reasoning_content"] = answer.thinking
            choice = {"message": message}
        return {**self._head(0), "choices": [self._choice(choice, ending(answer))], **measured(answer)}

    def begin(self) -> dict[str, Any] | None:
        """Return the chunk that a stream begins with, None where it begins with text."""
        return self._chunk({"delta": {"role": "assistant", "content": ""}}) if self.kind is Kind.CHAT else None

    def text(self, event: TextArrived) -> dict[str, Any]:
        """Return the chunk of more text."""
        if self.kind is Kind.TEXT:
            return self._chunk({"text": event.text})
        return self._chunk({"delta": {"reasoning_content" if event.thinking else "content": event.text}})

    def end(self, answer: Answer) -> dict[str, Any]:
        """Return the chunk that says why the text has ended, with the timings."""
        empty: dict[str, Any] = {"text": ""} if self.kind is Kind.TEXT else {"delta": {}}
        return {**self._chunk(empty, ending(answer)), "timings": timings(answer)}

    def counts(self, answer: Answer) -> dict[str, Any]:
        """Return the chunk of counts, which has no choice."""
        return {**self._head(1), "choices": [], **measured(answer)}

    def _chunk(self, choice: Mapping[str, Any], ended: str | None = None) -> dict[str, Any]:
        return {**self._head(1), "choices": [self._choice(choice, ended)]}

    def _choice(self, choice: Mapping[str, Any], ended: str | None) -> dict[str, Any]:
        return {"index": 0, **choice, "logprobs": None, "finish_reason": ended}

    def _head(self, part: int) -> dict[str, Any]:
        names = OBJECTS[self.kind]
        return {"id": names[2] + self.id, "object": names[part], "created": self.created, "model": self.model}


def ending(answer: Answer) -> str:
    """Return why an answer ended, as OpenAI calls it: `stop` or `length`."""
    return "stop" if answer.finish_reason == "stop" else "length"


def measured(answer: Answer) -> dict[str, Any]:
    """Return the counts and timings of an answer."""
    return {
        "usage": {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.generated_tokens,
            "total_tokens": answer.prompt_tokens + answer.generated_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        },
        "timings": timings(answer),
    }


def timings(answer: Answer) -> dict[str, Any]:
    """Return the measurements as llama-server names them; milliseconds, tokens per second, null where not known.

    The time of writing counts from the first token, as llama-server's does: n tokens take (n - 1) / rate.
    """
    read, written = answer.prompt_tokens - answer.cached_tokens, answer.generated_tokens
    return {
        "cache_n": answer.cached_tokens, "prompt_n": read, **_timing("prompt", read, answer.prompt_rate),
        "predicted_n": written, **_timing("predicted", max(written - 1, 0), answer.generation_rate),
    }  # fmt: skip


def _timing(name: str, steps: int, rate: float | None) -> dict[str, Any]:
    known = rate if rate else None
    return {
        f"{name}_ms": 1000 * steps / known if known else None,
        f"{name}_per_token_ms": 1000 / known if known else None,
        f"{name}_per_second": known,
    }


def event(body: Mapping[str, Any]) -> bytes:
    """Return one event of a stream."""
    return b"data: " + json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def comment(words: str) -> bytes:
    """Return a line of a stream that clients pass over: it shows a dead connection, and a reader that it goes on."""
    return f": {words}\n\n".encode()


def model_name(variant: Variant) -> str:
    """Return what an endpoint calls a variant: model and quant in one word."""
    return "-".join(filter(None, variant.title.split()))


def model_object(variant: Variant, created: int, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the list of models; sizes in bytes."""
    return {
        "id": model_name(variant), "object": "model", "created": created, "owned_by": "qtui",
        "meta": {
            "n_ctx": plan.get("ctx_size") or None, "n_ctx_train": variant.context_length, "size": variant.size,
            "n_params": variant.parameters, "quant": variant.quant, "architecture": variant.architecture,
        },
    }  # fmt: skip
