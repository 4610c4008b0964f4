"""One session: what the child does with its commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from qtui.core.commands import Ask, Load, Score
from qtui.core.duel.conversation import Answer, Request
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import clean, size
from qtui.services.engine.child.breakdown import breakdown
from qtui.services.engine.child.decoding import Decoding, Order, Written
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.memory import own_memory
from qtui.services.engine.child.model import LoadedModel
from qtui.services.engine.child.native import Native
from qtui.services.engine.child.prefix import Prefix
from qtui.services.engine.child.prompt import Prompt, PromptError, Prompts, TooLongError
from qtui.services.engine.child.sampler import Sampler, seed_of
from qtui.services.engine.child.scoring import Scoring
from qtui.services.engine.child.stops import Stops
from qtui.services.engine.child.stream import TextStream
from qtui.services.engine.child.thinking import MARKS, Thinking

PROGRESS_S = 0.05
"""The least time between two events of a load's progress."""
LOG_LINES = 20
Send = Callable[[object], None]


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a loaded session works with."""

    model: LoadedModel
    prompts: Prompts
    prefix: Prefix
    decoding: Decoding
    scoring: Scoring


class Session:
    """Loads once, then answers; every command ends in one Loaded, Answered or Failed."""

    def __init__(self, native: Native, interrupt: Interrupt, send: Send) -> None:
        self._native = native
        self._interrupt = interrupt
        self._send = send
        self._ready: _Ready | None = None

    def load(self, command: Load) -> bool:
        """Load; False when it failed, after which this child is of no more use."""
        try:
            if self._ready:
                raise UsageError("this session has its model already")
            self._send(self._load(command))
        except QtuiError as error:
            self._send(Failed(self._failure(error), fatal=self._ready is None))
        return self._ready is not None

    def ask(self, command: Ask) -> None:
        """Answer one request."""
        try:
            if self._ready is None:
                raise UsageError("nothing is loaded")
            self._send(Answered(self._answer(self._ready, command.request)))
        except QtuiError as error:
            self._send(Failed(self._failure(error)))

    def score(self, command: Score) -> None:
        """Weigh options."""
        try:
            if self._ready is None:
                raise UsageError("nothing is loaded")
            if self._ready.model.unanswering:
                raise PromptError(f"this model cannot answer: {self._ready.model.unanswering}", "choose a chat model")
            self._send(self._ready.scoring.score(command))
        except QtuiError as error:
            self._send(Failed(self._failure(error)))

    def close(self) -> None:
        """Free the model."""
        if self._ready:
            self._ready.model.close()
            self._ready = None

    def _failure(self, error: QtuiError) -> Failure:
        self._native.log.flush()
        return Failure.of(error, self._native.log.tail(LOG_LINES))

    def _load(self, command: Load) -> Loaded:
        started = time.perf_counter()
        try:
            plan = LoadPlan.from_json(command.plan)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the plan cannot be read: {clean(str(error))}") from error
        plan.check()
        told = 0.0

        def progress(fraction: float) -> None:
            nonlocal told
            now = time.perf_counter()
            if now - told >= PROGRESS_S or fraction >= 1:
                told = now
                self._send(LoadProgressed(min(max(fraction, 0.0), 1.0), now - started))

        model = LoadedModel(self._native, command.path, plan, self._interrupt, progress)
        prompts = Prompts(model.vocabulary, model.template)
        prefix = Prefix(self._native, model)
        decoding = Decoding(self._native, model, prefix, self._interrupt)
        scoring = Scoring(self._native, model, prefix, decoding)
        self._ready = _Ready(model, prompts, prefix, decoding, scoring)
        rows = breakdown(self._native, model.context)
        in_ram = sum(row.weights for row in rows if row.gpu is None) if rows else model.weights
        return Loaded(
            load_time=time.perf_counter() - started,
            plan=model.plan.as_json(),
            vocabulary=model.vocabulary.size,
            template=prompts.origin,
            memory=own_memory(),
            buffers=tuple((row.name, row.weights, row.context, row.compute) for row in rows),
            warnings=self._warnings(model, prompts, in_ram),
        )

    def _warnings(self, model: LoadedModel, prompts: Prompts, in_ram: int) -> tuple[str, ...]:
        plan, found = model.plan, [self._native.problem, prompts.warning]
        locked = own_memory().locked
        if plan.load_mode.locked and (locked or 0) < in_ram:
            found.append(
                f"{size(locked)} of {size(in_ram)} of weights are locked in memory"
                " (raise RLIMIT_MEMLOCK: ulimit -l; repacked weights are never locked)"
            )
        if model.unanswering:
            found.append(f"this model cannot answer: {model.unanswering}")
        return tuple(text for text in found if text)

    def _answer(self, ready: _Ready, request: Request) -> Answer:
        started = time.perf_counter()
        if ready.model.unanswering:
            raise PromptError(f"this model cannot answer: {ready.model.unanswering}", "choose a chat model")
        prompt = ready.prompts.make(request)
        if len(prompt.tokens) >= ready.model.room:
            raise TooLongError(
                f"the prompt has {len(prompt.tokens)} tokens and the context {ready.model.room}",
                f"load it with --ctx-size {len(prompt.tokens) + 512} or more, or shorten the conversation",
            )
        cached = ready.prefix.take(prompt.tokens, reuse=request.reuse_prefix)
        reading = time.perf_counter()
        turn = prompt.turn if request.reuse_prefix and ready.prefix.fragile else 0
        whole = ready.decoding.read(prompt.tokens, cached, turn, self._send)
        read = time.perf_counter()
        seed = seed_of(request.sampling)
        thinking = Thinking(prompt.text) if request.raw is None else None
        stream = TextStream(self._send, Stops((*request.sampling.stop, *prompt.stops)), thinking)
        written = Written("cancelled")
        if whole:
            written = self._write(ready, request, prompt, seed, stream)
        stream.finish(written.count)
        spent = written.last - written.began
        return Answer(
            text=stream.text,
            thinking=stream.thought,
            finish_reason=written.finish,
            prompt_tokens=len(prompt.tokens),
            cached_tokens=cached,
            generated_tokens=written.count,
            time_to_first_token=written.first - started if written.count else None,
            prompt_rate=(len(prompt.tokens) - cached) / (read - reading) if whole else None,
            generation_rate=(written.count - 1) / spent if written.count > 1 and spent > 0 else None,
            seed=seed,
            memory=own_memory(),
            prompt=clean(prompt.text),
            pieces=stream.pieces,
            written=stream.written,
        )

    def _write(self, ready: _Ready, request: Request, prompt: Prompt, seed: int, stream: TextStream) -> Written:
        sampling = request.sampling
        sampler = Sampler(self._native, sampling, seed, ready.model.vocabulary.size, prompt.tokens)
        try:
            # a stop string may be the text of a control token, which is silent otherwise
            marks = frozenset(sampling.stop) | frozenset(prompt.stops) | (MARKS if request.raw is None else frozenset())
            return ready.decoding.write(Order(sampler, stream, marks, sampling.max_tokens, request.ignore_eos))
        finally:
            sampler.close()
