"""The two loops of an answer: reading a prompt, and writing tokens until something ends it."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtui.core.errors import EngineError
from qtui.core.events import PromptProgressed
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.model import LoadedModel
from qtui.services.engine.child.native import ERROR, Native
from qtui.services.engine.child.prefix import Prefix
from qtui.services.engine.child.sampler import Sampler
from qtui.services.engine.child.stream import TextStream

NO_ROOM, ABORTED = 1, 2
"""What llama_decode returns when the context is full and when it was interrupted (llama.h)."""


@dataclass(slots=True)
class Written:
    """How the writing of an answer went; times in seconds of time.perf_counter."""

    finish: str = "stop"
    """As in `Answer.finish_reason`."""
    count: int = 0
    """Tokens sampled, the one that ended the answer counted, as llama-server counts."""
    first: float = 0.0
    began: float = 0.0
    """The first token, its logits checked: where the rate's time begins."""
    last: float = 0.0
    aborted: bool = False
    """Interrupted within a token."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written."""

    sampler: Sampler
    stream: TextStream
    marks: frozenset[str]
    """Control tokens whose text is wanted."""
    limit: int | None
    """The most tokens; None: as many as fit."""
    ignore_end: bool = False
    """Write on past a token that ends an answer."""


class Decoding:
    """Feeds one context. Token arrays and batches are made once: nothing is allocated per token."""

    def __init__(self, native: Native, model: LoadedModel, prefix: Prefix, interrupt: Interrupt) -> None:
        self._native = native
        self._api = native.api
        self._model = model
        self._prefix = prefix
        self._interrupt = interrupt
        self._chunk = model.plan.ubatch_size
        self._tokens = (ctypes.c_int32 * self._chunk)()
        self._ends: dict[int, bool] = {}

    def read(self, tokens: Sequence[int], start: int, turn: int, send: Callable[[object], None]) -> bool:
        """Decode the prompt from token `start` on, by ubatches; False when it was interrupted.

        At `turn` a checkpoint is kept where the model needs one: the next request will begin with that part.

        Raises:
            EngineError: llama.cpp fails.
        """
        place, total = start, len(tokens)
        while place < total:
            if self._interrupt.is_set():
                return False
            end = min(place + self._chunk, total)
            if place < turn < end:
                end = turn
            count = end - place
            self._tokens[:count] = list(tokens[place:end])
            status = self._api.llama_decode(self._model.context, self._api.llama_batch_get_one(self._tokens, count))
            if status == ABORTED:
                self._prefix.broken()
                return False
            self._check(status)
            self._prefix.extend(tokens[place:end])
            place = end
            if place == turn and turn < total:
                self._prefix.checkpoint()
            send(PromptProgressed(place, total))
        self._api.llama_synchronize(self._model.context)
        return True

    def write(self, order: Order) -> Written:
        """Write tokens until the model, a stop string, the limit, the context or the user ends the answer.

        Raises:
            EngineError: llama.cpp fails, or computes what are no numbers.
        """
        fed: list[int] = []
        written = Written()
        try:
            self._write(order, written, fed)
        finally:
            self._prefix.extend(fed)
        if written.aborted:
            self._prefix.broken()
        return written

    def _write(self, order: Order, written: Written, fed: list[int]) -> None:
        """Fill `written`, and `fed` with the tokens that were decoded."""
        api, context, clock = self._api, self._model.context, time.perf_counter
        chain, stream, marks, ignore_end = order.sampler.chain, order.stream, order.marks, order.ignore_end
        limit = math.inf if order.limit is None else order.limit
        sample, decode, interrupted = api.llama_sampler_sample, api.llama_decode, self._interrupt.is_set
        vocabulary, ends = self._model.vocabulary, self._ends
        pieces: dict[int, bytes] = {}
        token_array = (ctypes.c_int32 * 1)()
        batch = api.llama_batch_get_one(token_array, 1)
        room = self._model.room - self._prefix.length
        while written.count < limit:
            if interrupted():
                written.finish = "cancelled"
                return
            token = sample(chain, context, -1)
            written.last = clock()
            written.count += 1
            if written.count == 1:
                written.first = written.last
                self._check_numbers()
                written.began = clock()
            end = ends.get(token)
            if end is None:
                end = ends[token] = vocabulary.is_end(token)
            if end and not ignore_end:
                return
            piece = pieces.get(token)
            if piece is None:
                piece = pieces[token] = vocabulary.piece(token, marks)
            stream.add(piece, written.last, written.count)
            if stream.stopped:
                return
            if written.count == limit:
                break
            if len(fed) == room:
                written.finish = "context"
                return
            token_array[0] = token
            status = decode(context, batch)
            if status:
                self._stop(written, status)
                return
            fed.append(token)
        written.finish = "length"

    def _stop(self, written: Written, status: int) -> None:
        """Say how a decode that did not succeed ends the answer."""
        if status == ABORTED:
            written.finish, written.aborted = "cancelled", True
        elif status == NO_ROOM:
            written.finish = "context"
        else:
            self._check(status)

    def _check(self, status: int) -> None:
        if status:
            lines = self._native.log.since(0, ERROR)[-1:]
            reason = f": {lines[0]}" if lines else ""
            raise EngineError(f"llama.cpp could not compute (status {status}){reason}", "unload it and load it again")

    def _check_numbers(self) -> None:
        """Refuse logits that are not numbers: the sampler would silently take some token."""
        count = self._model.vocabulary.size
        row = self._api.llama_get_logits_ith(self._model.context, -1)
        values = row[:count] if row else [math.nan]
        # A sum of finite float32 cannot overflow a double. Minus infinity is how a model masks a token.
        if not math.isfinite(sum(values)):
            kept = [value for value in values if value != -math.inf]
            if not kept or not math.isfinite(sum(kept)):
                raise EngineError(
                    "the model computes no numbers (NaN): its file is damaged, or this build computes it wrongly",
                    "check the file's hash, or try another quant, --flash-attn off or --cache-type-k f32",
                )
