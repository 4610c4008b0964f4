"""One answer of a llama-server: asked for by tokens, streamed, and what its `timings` say."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from qtui.core.duel.conversation import Request
from qtui.core.events import PromptProgressed
from qtui.services.engine.child.sampler import PENALTY_WINDOW, seed_of
from qtui.services.engine.child.server.cut import Cut
from qtui.services.engine.child.server.http import BrokenOffError, Http
from qtui.services.engine.child.stream import TextStream

GREEDY = ("top_k",)
"""Of one token."""
DRAWN = ("top_k", "top_p", "min_p", "temperature")


@dataclass(slots=True)
class Written:
    """How an answer went; times in seconds of time.perf_counter."""

    finish: str = ""
    """As in `Answer.finish_reason`."""
    count: int = 0
    """Tokens generated, the one that ended the answer counted."""
    cached: int = 0
    first: float | None = None
    last: float = 0.0
    prompt_rate: float | None = None
    rate: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written."""

    tokens: Sequence[int]
    """The prompt."""
    request: Request
    stops: Sequence[str]
    """Texts that end the answer."""
    marks: Collection[str]
    """Control tokens whose text is wanted."""
    room: int
    """Tokens of context."""


class Writing:
    """Asks one server."""

    def __init__(self, http: Http, cut: Cut, send: Callable[[object], None]) -> None:
        self._http = http
        self._cut = cut
        self._send = send

    def write(self, order: Order, stream: TextStream) -> Written:
        """Write one answer into `stream`; one that is stopped ends as `cancelled` with what was written.

        Raises:
            RefusedError: the server refuses.
            BrokenOffError: the stream ended before the answer did.
        """
        written = Written(seed=seed_of(order.request.sampling))
        try:
            for event in self._http.stream("/completion", _body(order, written.seed)):
                if self._take(event, written, stream, order):
                    return written
        except BrokenOffError:
            if not self._cut.is_set():
                raise
        if not self._cut.is_set():
            raise BrokenOffError(f"{self._http.where} ended its answer in the middle")
        written.finish = "cancelled"
        spent = written.last - (written.first or written.last)
        written.rate = (written.count - 1) / spent if written.count > 1 and spent > 0 else None
        return written

    def _take(self, event: dict[str, Any], written: Written, stream: TextStream, order: Order) -> bool:
        """Take one event; True: it was the last."""
        now, total = time.perf_counter(), len(order.tokens)
        content, count = event.get("content"), event.get("tokens_predicted")
        read = event.get("prompt_progress")
        if isinstance(read, dict) and not event.get("stop"):
            self._send(PromptProgressed(int(read.get("processed") or 0), int(read.get("total") or total)))
        if isinstance(count, int) and count > written.count:
            written.count, written.last = count, now
        elif isinstance(content, str) and content and not event.get("stop"):  # of a build that does not count
            written.count, written.last = written.count + 1, now
        if written.count and written.first is None:
            written.first = now
        if isinstance(content, str) and content:
            stream.add(content.encode("utf-8", "replace"), now, written.count)
        if not event.get("stop"):
            return False
        written.finish = _finish(event, total, written.count, order.room)
        timings = event.get("timings")
        if isinstance(timings, dict):
            _measure(timings, written, total)
        return True


def _body(order: Order, seed: int) -> dict[str, Any]:
    """Return what `/completion` is asked: what is not named here is llama.cpp's default, which changes nothing.

    The samplers are those of the built-in engine's chain, in its order: the others of a server's chain do nothing
    here, but take time for every token.
    """
    request, sampling = order.request, order.request.sampling
    greedy = sampling.temperature <= 0
    return {
        "prompt": list(order.tokens),
        "stream": True,
        "return_progress": True,
        "cache_prompt": request.reuse_prefix,
        "n_predict": -1 if sampling.max_tokens is None else sampling.max_tokens,
        "samplers": [*(["penalties"] if sampling.repeat_penalty != 1.0 else []), *(GREEDY if greedy else DRAWN)],
        "temperature": 0.0 if greedy else sampling.temperature,
        "top_k": 1 if greedy else sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": PENALTY_WINDOW,
        "seed": seed,
        "stop": list(order.stops),
        "preserved_tokens": sorted(order.marks),
        "ignore_eos": request.ignore_eos,
    }


def _finish(event: dict[str, Any], prompt: int, count: int, room: int) -> str:
    """Return why an answer ended, for servers that say `stop_type` and for those that say `stopped_eos` and others."""
    kind = event.get("stop_type")
    if kind in ("eos", "word") or event.get("stopped_eos") or event.get("stopped_word"):
        return "stop"
    return "context" if prompt + count >= room else "length"


def _measure(timings: dict[str, Any], written: Written, total: int) -> None:
    """Take the server's own measurements; the first token belongs to the prompt's time (server-context.cpp)."""

    def number(key: str) -> float | None:
        value = timings.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None

    read, read_ms = number("prompt_n"), number("prompt_ms")
    made, made_ms = number("predicted_n"), number("predicted_ms")
    if read is not None:
        cached = number("cache_n")
        written.cached = int(cached if cached is not None else max(0.0, total - read))
        if read_ms:
            written.prompt_rate = 1000 * read / read_ms
    if made is not None and made > 1 and made_ms:
        written.rate = 1000 * (made - 1) / made_ms
