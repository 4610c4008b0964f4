"""How far two sides of a duel are apart on the last prompt: KL divergence over the tokens of one answer.

The better of the two files is the reference: the one that is not quantised, else the larger. Both read the prompt as
the reference was given it, chat template applied, and the answer that the reference wrote; the tokens of that answer
are scored. Text, logits and sums are those of `qtui measure`; only where the scored tokens begin is another place.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from qtui.core.duel.run import RoundEnded
from qtui.core.duel.side import SideResult
from qtui.core.engines import EngineKind, engine_kind
from qtui.core.errors import EngineError, MemoryRefusedError, UsageError
from qtui.core.events import LoadProgressed
from qtui.core.library.variant import Variant
from qtui.core.measure.base_file import LEAST_CONTEXT, file_bytes
from qtui.core.measure.events import ExchangeAdvanced, ExchangeEvent, ExchangeMeasured, PassBegan, PassLoading
from qtui.core.measure.messages import ChunkMeasured, MeasureJob, Task, TextTokenised, TokensComputed
from qtui.core.measure.ports import Desk
from qtui.core.measure.request import best_reference, check_same_model, logits_memory, measured_plan
from qtui.core.measure.room import check_room
from qtui.core.measure.run import Means
from qtui.core.measure.scores import ChunkScores, scores_of
from qtui.core.measure.tokens import check_alike, tokenised
from qtui.core.memory.consumers import BUILT_IN
from qtui.core.memory.guard import refusal
from qtui.core.memory.plan import LoadMode, LoadPlan

AT_ONCE_S = 5.0
"""What is expected to take no longer need not be asked for."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One of the two that read."""

    side: str
    variant: Variant
    plan: LoadPlan
    """As its side was loaded."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and an answer to it, and who read them."""

    reference: Reader
    other: Reader
    prompt: str
    """As the reference was given it, template applied."""
    answer: str
    """As the reference wrote it, thinking included."""
    pieces: tuple[str, ...] = ()
    """The texts of the answer's tokens as they were written; empty: not told."""
    seconds: float | None = None
    """How long measuring may take, by the loads and rates of the round; None: unknown."""

    @property
    def at_once(self) -> bool:
        """Tell whether it takes so little that it need not be asked for."""
        return self.seconds is not None and self.seconds <= AT_ONCE_S


def exchange_of(ended: RoundEnded) -> Exchange:
    """Return what of a round can be measured.

    Raises:
        UsageError: nothing can, and why.
    """
    answered = [side for side in ended.sides if side.answer is not None]
    if len(answered) != 2:
        raise UsageError("both sides must have answered", "ask them again")
    one, two = answered
    for side in answered:
        if side.variant.address or engine_kind(_plan(side).engine) is EngineKind.REMOTE:
            raise UsageError(f"side {side.side} is answered by a server elsewhere", "its file must be on this machine")
    check_same_model(one.variant, two.variant)
    first, second = (one, two) if best_reference([one.variant, two.variant]) is one.variant else (two, one)
    answer = first.answer
    assert answer is not None
    if not answer.prompt:
        raise UsageError(f"the engine of side {first.side} does not tell the prompt as the model read it")
    written = answer.written or answer.text
    if not written:
        raise UsageError(f"side {first.side} wrote nothing that could be scored", "ask something else")
    times = [_seconds(side) for side in answered]
    known = [one for one in times if one is not None]
    return Exchange(
        Reader(first.side, first.variant, _plan(first)), Reader(second.side, second.variant, _plan(second)),
        answer.prompt, written, answer.pieces, sum(known) if len(known) == len(times) else None,
    )  # fmt: skip


def _plan(side: SideResult) -> LoadPlan:
    return side.weighing.plan if side.weighing is not None else LoadPlan()


def _seconds(side: SideResult) -> float | None:
    """Return how long one model takes to load and to read all, as it did in the round; None: unknown."""
    answer, loaded = side.answer, side.loaded
    if answer is None or loaded is None or not answer.prompt_rate:
        return None
    return loaded.load_time + (answer.prompt_tokens + answer.generated_tokens) / answer.prompt_rate


@dataclass(frozen=True, slots=True)
class _Work:
    """What both passes share."""

    exchange: Exchange
    told: TextTokenised
    first: int
    desk: Desk

    def job(self, task: Task, reader: Reader, plan: LoadPlan) -> MeasureJob:
        """Return what a child is told to do."""
        return replace(
            _text(self.exchange), task=task, path=str(reader.variant.path.absolute()), n_ctx=self.told.tokens,
            chunks=1, plan=plan.as_json(), base=self.desk.logits, first=self.first,
        )  # fmt: skip


class ExchangeMeasuring:
    """Measures one exchange, one model at a time. What is computed for it is removed when it ends, however it ends."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def run(self, exchange: Exchange) -> AsyncGenerator[ExchangeEvent, None]:
        """Measure: PassBegan, PassLoading…, ExchangeAdvanced… for each of the two, then ExchangeMeasured.

        Closing the iterator ends it at once.

        Raises:
            QtuiError: it cannot be measured: vocabularies differ, memory or disk are short, llama.cpp fails.
        """
        told = await self._told(exchange)
        assert told.first is not None
        desk = await self._means.workspace.scratch()
        try:
            needed = file_bytes(told.tokens, told.vocabulary, 1, told.first)
            check_room(needed, await desk.free(), "ask for a shorter answer, or free some space")
            work = _Work(exchange, told, told.first, desk)
            last: ChunkScores | None = None
            for number, (reader, task) in enumerate(
                ((exchange.reference, Task.REFERENCE), (exchange.other, Task.COMPARE)), 1
            ):
                async with contextlib.aclosing(self._pass(work, reader, task, number)) as events:
                    async for event in events:
                        if isinstance(event, ChunkScores):
                            last = event
                        else:
                            yield event
        finally:
            await asyncio.shield(desk.close(done=True))
        scores = scores_of([last]) if last is not None else None
        if last is None or scores is None:
            raise EngineError(f"{exchange.other.variant.title} was not compared to its end")
        yield ExchangeMeasured(exchange.reference.side, exchange.other.side, scores, *_widest(last, exchange.pieces))

    async def _told(self, exchange: Exchange) -> TextTokenised:
        """Return what the text is to both."""
        job = _text(exchange)
        reference, other = exchange.reference.variant, exchange.other.variant
        told = await tokenised(self._means.measurer, reference, job)
        if not told.chunks:
            raise UsageError(
                f"prompt and answer have {told.tokens} tokens together, at least {LEAST_CONTEXT} are needed",
                "ask something longer",
            )
        if other.path != reference.path:
            check_alike(told, await tokenised(self._means.measurer, other, job), other, reference.title)
        return told

    async def _pass(
        self, work: _Work, reader: Reader, task: Task, number: int
    ) -> AsyncGenerator[ExchangeEvent | ChunkScores, None]:
        """Compute the text with one model, and yield its scores last."""
        reference, tokens = task is Task.REFERENCE, work.told.tokens
        yield PassBegan(reader.variant, number, 2, reference, 0)
        plan = await self._weighed(work, reader)
        begun = time.monotonic()
        async with contextlib.aclosing(self._means.measurer.run(work.job(task, reader, plan))) as events:
            async for event in events:
                if isinstance(event, LoadProgressed):
                    yield PassLoading(reader.variant, event.fraction)
                    begun = time.monotonic()
                elif isinstance(event, TokensComputed):
                    spent = (time.monotonic() - begun) / event.done
                    left = spent * (tokens - event.done + (2 - number) * tokens)
                    yield ExchangeAdvanced(reader.variant, reference, event.done, tokens, left)
                elif isinstance(event, ChunkMeasured):
                    yield event.scores

    async def _weighed(self, work: _Work, reader: Reader) -> LoadPlan:
        """Return the plan as it is used: the side's own, in the built-in engine, as far as there is room beside it.

        Raises:
            MemoryRefusedError: there is not enough memory.
            PlanRefusedError: the built-in engine cannot load it so.
        """
        plan = replace(
            measured_plan(reader.plan, work.told.tokens), engine=BUILT_IN.name, extra="", mmproj="", preset="",
            load_mode=LoadMode.AUTO,
        )  # fmt: skip
        guard = self._means.guard
        resolved = await guard.resolve(reader.variant, plan)
        beside = logits_memory(plan, work.told.vocabulary, resolved.threads_batch, work.first)
        weighing = await guard.weigh(reader.variant, plan, beside=beside)
        failure = refusal(reader.variant, weighing)
        if failure is None:
            return weighing.plan
        if failure.kind != "memory":
            raise failure.as_error()
        if weighing.fitting is None:
            raise MemoryRefusedError(failure.message, "end the session of a side in Monitor, then measure again")
        return weighing.fitting


def _text(exchange: Exchange) -> MeasureJob:
    """Return the text as a job names it, to be told whose and what for."""
    return MeasureJob(Task.TOKENS, "", prompt=exchange.prompt, answer=exchange.answer)


def _widest(scores: ChunkScores, pieces: tuple[str, ...]) -> tuple[int, str]:
    """Return the place of the token that both disagree on most, from 1, and its text where it is known for sure."""
    place = max(range(scores.count), key=lambda index: scores.klds[index])
    return place + 1, pieces[place] if len(pieces) == scores.count else ""
