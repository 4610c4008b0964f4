"""A measurer that computes nothing: scores from a script, and real files of logits of the right length."""

from __future__ import annotations

import asyncio
import os
import random
from array import array
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.errors import EngineError, QtuiError
from qtui.core.events import LoadProgressed
from qtui.core.library.variant import Variant
from qtui.core.measure.base_file import BaseHead, scored, token_digest
from qtui.core.measure.messages import (
    ChunkMeasured,
    MeasureDone,
    MeasureEvent,
    MeasureJob,
    ModelReady,
    Task,
    TextTokenised,
    TokensComputed,
)
from qtui.core.measure.ports import Measurements, TextFile, Workspace
from qtui.core.measure.run import Means
from qtui.core.measure.scores import ChunkScores
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from tests.core.measure.samples import chunk_of
from tests.fakes import FakeDryRun, FakeHashes, FakeMachine, ScriptedEngine, make_variant

BIG, SMALL, TINY = (make_variant("Tiny", quant) for quant in ("F16", "Q4_K_M", "Q2_K"))
TEXT = TextFile("mixed", "/texts/mixed.txt", "ab" * 32, 70_000)
KLDS = {BIG.path: 0.0, SMALL.path: 0.03, TINY.path: 0.4}


@dataclass
class ScriptedMeasurer:
    """Plays jobs. `journal` holds (task, file name, chunks that were done before)."""

    tokens: int = 512 * 10
    vocabulary: dict[Path, int] = field(default_factory=dict)
    other_tokens: set[Path] = field(default_factory=set)
    """Variants whose tokenizer divides the text otherwise."""
    failing: dict[Path, QtuiError] = field(default_factory=dict)
    """Raised after the first chunk."""
    dying_at: int = -1
    """The chunk before which the child dies, once."""
    hold: asyncio.Event | None = None
    """When given, the second chunk waits for it."""
    journal: list[tuple[str, str, int]] = field(default_factory=list)
    jobs: list[MeasureJob] = field(default_factory=list)
    closed: int = 0
    exchange: tuple[int, int] = (60, 12)
    """Tokens of a prompt with its answer, and of the answer."""
    batch: int = 20
    """Tokens that are computed at once of an exchange."""

    async def run(self, job: MeasureJob) -> AsyncGenerator[MeasureEvent, None]:
        path = Path(job.path)
        self.jobs.append(job)
        self.journal.append((job.task.value, path.name, job.done))
        size = self.vocabulary.get(path, 100)
        if job.task is Task.TOKENS and job.prompt is not None:
            tokens = array("i", [1 + (path in self.other_tokens)]) * self.exchange[0]
            first = self.exchange[0] - self.exchange[1] - 1
            yield TextTokenised(size, len(tokens), int(len(tokens) >= 8), token_digest(tokens), first=first)
            return
        if job.task is Task.TOKENS:
            enough = self.tokens >= 2 * job.n_ctx
            chunks = min(self.tokens // job.n_ctx, job.chunks or self.tokens) if enough else 0
            tokens = array("i", [1 + (path in self.other_tokens)]) * (job.n_ctx * chunks)
            yield TextTokenised(size, self.tokens if job.text else 0, chunks, token_digest(tokens))
            return
        try:
            yield LoadProgressed(1.0, 0.1)
            yield ModelReady(0.1, job.plan)
            async for event in self._chunks(job, path, size):
                yield event
            yield MeasureDone()
        finally:
            self.closed += 1

    async def _chunks(self, job: MeasureJob, path: Path, size: int) -> AsyncGenerator[MeasureEvent, None]:
        last = job.last or job.chunks
        head = BaseHead(job.n_ctx, size, last, array("i", [1]) * (job.n_ctx * last), job.first)
        if job.task is Task.REFERENCE:
            with Path(job.base).open("r+b" if job.done else "wb") as file:
                if job.done:
                    file.truncate(head.length + job.done * head.chunk_bytes)
                else:
                    file.write(head.pack())
        for index in range(job.done, last):
            for done in range(self.batch, job.n_ctx if job.prompt is not None else 0, self.batch):
                yield TokensComputed(done)
            if self.hold and index == (1 if job.prompt is None else 0):
                await self.hold.wait()
            if index == self.dying_at:
                self.dying_at = -1
                raise EngineError("the system killed the engine while measuring")
            if path in self.failing and index == (1 if job.prompt is None else 0):
                raise self.failing[path]
            if job.task is Task.REFERENCE:
                os.truncate(job.base, head.length + (index + 1) * head.chunk_bytes)
            count = scored(job.n_ctx, job.first)
            yield ChunkMeasured(index, scripted_chunk(path, index, count, job.task is Task.COMPARE))


def scripted_chunk(path: Path, index: int, count: int, compared: bool) -> ChunkScores:
    """Return the scores of a chunk: the same each time."""
    chance = random.Random(f"{path} {index}")
    bases = [chance.gammavariate(2, 1) for _ in range(count)]
    klds = [chance.expovariate(1 / KLDS[path]) if KLDS.get(path) else 0.0 for _ in range(count)]
    whole = chunk_of([base + 0.01 for base in bases], bases, klds, count // 2)
    return whole if compared else ChunkScores(count, whole.nll, whole.nll2, 0.5)


def means_of(
    measurer: ScriptedMeasurer, workspace: Workspace, measurements: Measurements | None = None,
    machine: FakeMachine | None = None,
) -> Means:  # fmt: skip
    """Return what a run works with: everything but these is plain."""
    engine = ScriptedEngine()
    guard = Guard(Footprints(FakeDryRun()), machine or FakeMachine(), engine)
    return Means(measurer, workspace, guard, engine, FakeHashes(), measurements, clock=lambda: 7.0)


def named(variant: Variant) -> str:
    """Return the name of a variant's file."""
    return variant.path.name
