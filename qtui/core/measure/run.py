"""The measuring run: the reference's logits once, then one variant after the other against them.

One model is loaded at a time. What is measured is kept chunk by chunk, so that a run that was ended, by whatever,
goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass, field, replace

from qtui.core.duel.storage import Hashes
from qtui.core.errors import EngineError, Failure, QtuiError
from qtui.core.events import LoadProgressed
from qtui.core.library.variant import Variant
from qtui.core.measure import room
from qtui.core.measure.events import (
    LogitsPlanned,
    MeasureEnded,
    MeasureRunEvent,
    PassAdvanced,
    PassBegan,
    PassLoading,
    TextTaken,
    VariantFailed,
    VariantMeasured,
)
from qtui.core.measure.messages import ChunkMeasured, MeasureEvent, MeasureJob, Task
from qtui.core.measure.ports import Desk, Measurements, Measurer, Workspace
from qtui.core.measure.preparation import Preparation, Ready
from qtui.core.measure.records import MeasuredFile, MeasureRecord, record_id
from qtui.core.measure.request import MeasureRequest, logits_memory
from qtui.core.measure.scores import LEAST_TOKENS, ChunkScores, rate_of, scores_of
from qtui.core.memory.guard import Guard, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Described
from qtui.core.text import clean_name

REFERENCE = "reference"
"""The name of its scores on the desk; others are named by their files' hashes."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a measurement works with."""

    measurer: Measurer
    workspace: Workspace
    guard: Guard
    engine: Described
    hashes: Hashes
    measurements: Measurements | None
    """None: nothing is kept."""
    clock: Callable[[], float] = time.time


@dataclass(slots=True)
class _Pass:
    """One model over all chunks."""

    variant: Variant
    name: str
    number: int
    reference: bool = False
    chunks: list[ChunkScores] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all passes of one run share."""

    request: MeasureRequest
    ready: Ready
    desk: Desk
    key: str
    build: str

    @property
    def plan(self) -> LoadPlan:
        """Return how each model is loaded."""
        return self.request.measured_plan(self.ready.n_ctx)

    @property
    def passes(self) -> int:
        """Return how many models are computed."""
        return len(self.request.variants) + (self.request.reference is not None)

    def without(self, variants: Collection[Variant]) -> _Work:
        """Return it without some of its variants."""
        pairs = zip(self.request.variants, self.ready.files, strict=True)
        left = [(variant, file) for variant, file in pairs if variant not in variants]
        request = replace(self.request, variants=tuple(variant for variant, _ in left))
        return replace(self, request=request, ready=replace(self.ready, files=tuple(file for _, file in left)))


class Measuring:
    """One measurement. `stop`, the call or the event, ends it; what was measured by then is told and kept."""

    def __init__(self, means: Means, stop: asyncio.Event | None = None) -> None:
        self._means = means
        self._stop = stop or asyncio.Event()
        self._spent: list[float] = []

    def stop(self) -> None:
        """End it soon: the run then tells what there is."""
        self._stop.set()

    async def run(self, request: MeasureRequest) -> AsyncGenerator[MeasureRunEvent, None]:
        """Measure: TextTaken, LogitsPlanned, then passes with VariantMeasured or VariantFailed, and MeasureEnded.

        Raises:
            QtuiError: nothing can be measured: the text, the reference, the disk, or what was asked for.
        """
        request.check()
        ready = await Preparation(self._means.measurer, self._means.workspace, self._means.hashes).prepare(request)
        info = await self._means.engine.info()
        key = request.key(ready.reference.hash or ready.reference.path, ready.chunks, info.build)
        yield TextTaken(ready.text, ready.n_ctx, ready.chunks, ready.notes)
        desk = await self._means.workspace.open(key, request.logits or request.save, fresh=request.fresh)
        done, failed = False, False
        ended: MeasureEnded | None = None
        try:
            work = _Work(request, ready, desk, key, info.build)
            async with contextlib.aclosing(self._passes(work)) as events:
                async for event in events:
                    failed = failed or isinstance(event, VariantFailed)
                    if isinstance(event, MeasureEnded):
                        ended = event
                    else:
                        yield event
            done = ended is not None and not ended.stopped and not failed
        finally:
            kept = await asyncio.shield(desk.close(done=done))
        if ended is not None:
            yield replace(ended, kept=kept)

    async def _passes(self, work: _Work) -> AsyncGenerator[MeasureRunEvent, None]:
        """Compute the reference, then the variants."""
        lacking = await self._lacking(work)
        for variant, failure in lacking.items():
            yield VariantFailed(variant, failure)
        work, own = work.without(lacking), None
        ready = work.ready
        if work.request.reference is not None:
            one = _Pass(work.request.reference, REFERENCE, 1, reference=True)
            async with contextlib.aclosing(self._reference(one, work)) as events:
                async for event in events:
                    yield event
            own = self._record(one, work, ready.reference)
            if len(one.chunks) < ready.chunks:
                yield MeasureEnded((), own, stopped=True)
                return
        records: list[MeasureRecord] = []
        first = work.passes - len(ready.files) + 1
        for number, (variant, file) in enumerate(zip(work.request.variants, ready.files, strict=True), first):
            if self._stop.is_set():
                break
            one = _Pass(variant, _name(file), number)
            try:
                async with contextlib.aclosing(self._compare(one, work)) as events:
                    async for event in events:
                        yield event
            except QtuiError as error:
                yield VariantFailed(variant, Failure.of(error))
                continue
            record = self._record(one, work, file)
            if record is not None:
                records.append(record)
                yield VariantMeasured(variant, record, await self._keep(record))
        yield MeasureEnded(tuple(records), own, stopped=self._stop.is_set())

    async def _lacking(self, work: _Work) -> dict[Variant, Failure]:
        """Return the variants that would be refused, before hours are spent on their reference.

        Raises:
            QtuiError: all of them would be.
        """
        found: dict[Variant, Failure] = {}
        for variant, file in zip(work.request.variants, work.ready.files, strict=True):
            if len(await work.desk.chunks(_name(file))) < work.ready.chunks:
                try:
                    await self._weighed(variant, work)
                except QtuiError as error:
                    found[variant] = Failure.of(error)
        if len(found) == len(set(work.request.variants)):
            raise next(iter(found.values())).as_error()
        return found

    async def _resume_reference(self, one: _Pass, work: _Work) -> int:
        """Return how many chunks of the reference are there whole, logits and scores; the scores are taken.

        Raises:
            QtuiError: the file to write is there, and is of something else.
        """
        ready, desk = work.ready, work.desk
        stored = await desk.stored()
        if stored is None:
            return 0
        head = stored.head
        wanted = (ready.n_ctx, ready.n_vocab, ready.chunks, ready.digest)
        if (head.n_ctx, head.n_vocab, head.n_chunk, head.digest) == wanted:
            one.chunks = list(await desk.chunks(REFERENCE))[: head.whole_chunks(stored.size)]
        elif work.request.save:
            raise QtuiError(
                f"{clean_name(work.request.save)} holds other logits: {head.n_chunk} chunks of {head.n_ctx} tokens",
                "choose another name, or delete it first",
            )
        return len(one.chunks)

    async def _room(self, ready: Ready, desk: Desk, done: int) -> AsyncGenerator[MeasureRunEvent, None]:
        """Make sure that the logits have room on their disk.

        Raises:
            QtuiError: they have not.
        """
        needed = ready.logits_bytes(ready.chunks - done) if done < ready.chunks else 0
        free = await desk.free()
        yield LogitsPlanned(needed, free)
        fitting = max(0, free - room.SPARE_BYTES) // max(1, ready.logits_bytes(1))
        hint = f"--chunks {fitting} would fit" if fitting else "free some space"
        room.check_room(needed, free, f"{hint}; --save-logits FILE writes them to another disk")

    async def _reference(self, one: _Pass, work: _Work) -> AsyncGenerator[MeasureRunEvent, None]:
        """Write the logits that are not there yet, once it is known that they have room."""
        ready, text = work.ready, work.request.text
        assert text is not None
        done = await self._resume_reference(one, work)
        async for planned in self._room(ready, work.desk, done):
            yield planned
        job = MeasureJob(
            Task.REFERENCE, str(one.variant.path.absolute()), text.path, ready.n_ctx, ready.chunks,
            base=work.desk.logits, done=done,
        )  # fmt: skip
        async with contextlib.aclosing(self._computed(one, job, work)) as events:
            async for event in events:
                yield event

    async def _compare(self, one: _Pass, work: _Work) -> AsyncGenerator[MeasureRunEvent, None]:
        """Compare a variant with the logits."""
        chunks = work.ready.chunks
        one.chunks = list(await work.desk.chunks(one.name))[:chunks]
        job = MeasureJob(
            Task.COMPARE, str(one.variant.path.absolute()), n_ctx=work.ready.n_ctx, base=work.desk.logits,
            done=len(one.chunks), last=chunks,
        )  # fmt: skip
        async with contextlib.aclosing(self._computed(one, job, work)) as events:
            async for event in events:
                yield event

    async def _computed(self, one: _Pass, job: MeasureJob, work: _Work) -> AsyncGenerator[MeasureRunEvent, None]:
        """Compute what a pass lacks, and keep it chunk by chunk."""
        chunks = work.ready.chunks
        yield PassBegan(one.variant, one.number, work.passes, one.reference, len(one.chunks))
        if len(one.chunks) >= chunks:
            return
        await work.desk.cut(one.name, len(one.chunks))
        job = replace(job, plan=(await self._weighed(one.variant, work)).as_json())
        async with contextlib.aclosing(until(self._stop, self._means.measurer.run(job))) as events:
            async for event in events:
                if isinstance(event, LoadProgressed):
                    yield PassLoading(one.variant, event.fraction)
                elif isinstance(event, ChunkMeasured):
                    await work.desk.add(one.name, event.scores)
                    one.chunks.append(event.scores)
                    yield self._advanced(one, work)
        if len(one.chunks) < chunks and not self._stop.is_set():
            raise EngineError(f"{one.variant.title} was measured to chunk {len(one.chunks)} of {chunks} only")

    def _advanced(self, one: _Pass, work: _Work) -> PassAdvanced:
        """Return how far a pass is, and how long all will take."""
        self._spent.append(one.chunks[-1].seconds)
        done, chunks = len(one.chunks), work.ready.chunks
        so_far = scores_of(one.chunks)
        assert so_far is not None
        left = sum(self._spent) / len(self._spent) * (chunks - done + (work.passes - one.number) * chunks)
        return PassAdvanced(one.variant, one.reference, done, chunks, so_far, left)

    async def _weighed(self, variant: Variant, work: _Work) -> LoadPlan:
        """Return the plan as it is used, once the guard agrees.

        Raises:
            QtuiError: there is not enough memory, or the plan is refused.
        """
        guard, plan = self._means.guard, work.plan
        resolved = await guard.resolve(variant, plan)
        beside = logits_memory(plan, work.ready.n_vocab, resolved.threads_batch)
        weighing = await guard.weigh(variant, plan, beside=beside)
        failure = None if work.request.force else refusal(variant, weighing)
        if failure is not None:
            raise failure.as_error()
        return weighing.plan

    def _record(self, one: _Pass, work: _Work, file: MeasuredFile) -> MeasureRecord | None:
        """Return what is to be kept of a pass; None of too few tokens."""
        scores, ready = scores_of(one.chunks), work.ready
        if scores is None or scores.tokens < LEAST_TOKENS:
            return None
        return MeasureRecord(
            record_id(work.key, one.name), self._means.clock(), file, ready.reference, ready.text,
            ready.n_ctx, len(one.chunks), "built-in", work.build, scores, rate_of(one.chunks, ready.n_ctx),
            max((chunk.peak for chunk in one.chunks if chunk.peak is not None), default=None),
            complete=len(one.chunks) >= ready.chunks,
        )  # fmt: skip

    async def _keep(self, record: MeasureRecord) -> str:
        """Keep a record; returns why it could not be."""
        if self._means.measurements is None:
            return ""
        try:
            await self._means.measurements.keep(record)
        except QtuiError as error:
            return error.message
        return ""


def _name(file: MeasuredFile) -> str:
    """Return the name of a variant's scores on the desk."""
    return file.hash or file.path


async def until(stop: asyncio.Event, events: AsyncGenerator[MeasureEvent, None]) -> AsyncGenerator[MeasureEvent, None]:
    """Yield events until there are no more or `stop` is set; what goes on is closed then."""
    waiting = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            step = asyncio.ensure_future(anext(events, None))
            try:
                await asyncio.wait({step, waiting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.wait({step})
            if step.cancelled():
                return
            event = step.result()
            if event is None:
                return
            yield event
    finally:
        waiting.cancel()
        await events.aclose()
