"""The child that measures: `python -m qtui.services.engine.child.measure`, one job on stdin, results on stdout.

It loads one model, and ends. The logits of a reference are written chunk by chunk behind their head, so that a run
that was ended goes on after the last whole chunk.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qtui.core.errors import BadFileError, EngineError, Failure, PlanRefusedError, QtuiError, UsageError
from qtui.core.events import LoadProgressed
from qtui.core.measure.base_file import LEAST_CONTEXT, BaseHead, read_head, row_codes, token_digest
from qtui.core.measure.messages import (
    ChunkMeasured,
    MeasureDone,
    MeasureFailed,
    MeasureJob,
    ModelReady,
    Task,
    TextTokenised,
    TokensComputed,
)
from qtui.core.measure.scores import ChunkScores
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import clean, clean_name
from qtui.core.wire import decode
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.logits import Logits, Sums, chunk_scores, compared_scores, joined
from qtui.services.engine.child.memory import offer_to_oom_killer, own_memory
from qtui.services.engine.child.model import LoadedModel
from qtui.services.engine.child.native import Native, claim_stdout, harden, open_native
from qtui.services.engine.child.prompt import common, prompt_tokens
from qtui.services.engine.child.sender import Sender
from qtui.services.engine.child.text_chunks import TextChunks
from qtui.services.engine.child.vocabulary import Vocabulary, vocabulary_only

MOST_TEXT = 256 << 20
"""Bytes of a text that are read at most."""
PROGRESS_S = 0.1
LOG_LINES = 20


class Run:
    """One job in this process."""

    def __init__(self, job: MeasureJob, native: Native, send: Callable[[object], None]) -> None:
        self._job = job
        self._native = native
        self._send = send

    def run(self) -> None:
        """Do what the job says.

        Raises:
            QtuiError: it cannot be done.
        """
        if self._job.task is Task.TOKENS:
            with vocabulary_only(self._native, self._job.path) as vocabulary:
                self._send(self._tokenised(vocabulary))
        elif self._job.task is Task.REFERENCE:
            self._reference()
        else:
            self._compare()

    def _tokenised(self, vocabulary: Vocabulary) -> TextTokenised:
        if self._job.prompt is not None:
            return self._exchange(vocabulary, self._job.prompt)
        n_ctx = self._job.n_ctx
        tokens = self._tokens(vocabulary) if self._job.text else array("i")
        enough = len(tokens) >= 2 * n_ctx
        chunks = min(len(tokens) // n_ctx, self._job.chunks or len(tokens)) if enough else 0
        digest = token_digest(tokens[: chunks * n_ctx])
        return TextTokenised(vocabulary.size, len(tokens), chunks, digest, _problem(vocabulary))

    def _exchange(self, vocabulary: Vocabulary, prompt: str) -> TextTokenised:
        """Tell of prompt and answer, read as one: the answer begins where its tokens leave those of the prompt."""
        tokens = self._tokens(vocabulary)
        begin = max(common(prompt_tokens(vocabulary, prompt), tokens), 1)
        whole = int(len(tokens) >= LEAST_CONTEXT and len(tokens) > begin)
        digest = token_digest(tokens)
        return TextTokenised(vocabulary.size, len(tokens), whole, digest, _problem(vocabulary), begin - 1)

    def _tokens(self, vocabulary: Vocabulary) -> array[int]:
        """Return the tokens of the text, read as llama-perplexity reads it: one newline at its end left out."""
        if self._job.prompt is not None:
            return array("i", prompt_tokens(vocabulary, self._job.prompt + self._job.answer))
        try:
            with Path(self._job.text).open("rb") as file:
                data = file.read(MOST_TEXT + 1)
        except OSError as error:
            name = clean_name(self._job.text)
            raise BadFileError(f"cannot read {name}: {clean(error.strerror or str(error))}") from error
        if len(data) > MOST_TEXT:
            raise UsageError(f"{clean_name(self._job.text)} is larger than {MOST_TEXT >> 20} MiB", "take a part of it")
        return array("i", vocabulary.tokens_of(data.removesuffix(b"\n")))

    def _load(self) -> LoadedModel:
        started, told = time.monotonic(), 0.0

        def progress(fraction: float) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= PROGRESS_S or fraction >= 1:
                told = now
                self._send(LoadProgressed(min(max(fraction, 0.0), 1.0), now - started))

        plan = LoadPlan.from_json(self._job.plan)
        model = LoadedModel(self._native, self._job.path, plan, Interrupt(), progress, outputs=0)
        if model.unanswering:
            raise PlanRefusedError(f"this model has no perplexity: {model.unanswering}", "measure a text model")
        self._send(ModelReady(time.monotonic() - started, model.plan.as_json()))
        return model

    def _reference(self) -> None:
        """Score the text chunk by chunk, and write the logits of each before it is told of."""
        model = self._load()
        n_ctx, chunks = self._job.n_ctx, self._job.chunks
        tokens = self._tokens(model.vocabulary)[: n_ctx * chunks]
        if len(tokens) < n_ctx * chunks:
            raise UsageError(f"the text has {len(tokens)} tokens, {n_ctx * chunks} are needed", "has it changed?")
        head = BaseHead(n_ctx, model.vocabulary.size, chunks, tokens, self._job.first)
        work, computed = Logits(head.n_vocab, model.plan.threads_batch), TextChunks(self._native, model)
        with self._opened("r+b" if self._job.done else "wb") as file:
            self._begin(file, head)
            for index in range(self._job.done, chunks):
                started = time.monotonic()
                part = tokens[index * n_ctx : (index + 1) * n_ctx]
                following = np.array(part[1:], np.int32)
                nlls: list[NDArray[np.float64]] = []
                for place, rows in computed.rows(part, head.begin, self._tell_part):
                    codes, nll = work.store(rows, following[place : place + len(rows)])
                    file.write(codes.astype("<u2", copy=False).tobytes())
                    nlls.append(nll)
                file.flush()
                self._tell(index, chunk_scores(np.concatenate(nlls), time.monotonic() - started))
        self._send(MeasureDone())

    def _begin(self, file: BinaryIO, head: BaseHead) -> None:
        """Write the head, or cut the file behind the chunks that are done."""
        if self._job.done:
            file.truncate(head.length + self._job.done * head.chunk_bytes)
            file.seek(0, os.SEEK_END)
        else:
            file.write(head.pack())

    def _compare(self) -> None:
        """Score the tokens that the logits are of, chunk by chunk."""
        name = clean_name(Path(self._job.base).name)
        with self._opened("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = read_head(file, size, name, self._job.first)
            last = self._job.last or head.n_chunk
            if head.whole_chunks(size) < last:
                raise BadFileError(f"{name} is cut off: {head.whole_chunks(size)} of {head.n_chunk} chunks are whole")
            model = self._load()
            if model.vocabulary.size != head.n_vocab:
                raise UsageError(
                    f"{name} is of a vocabulary of {head.n_vocab} tokens, this model's has {model.vocabulary.size}",
                    "a reference must be of the same model",
                )
            work = Logits(head.n_vocab, model.plan.threads_batch)
            computed = TextChunks(self._native, model)
            for index in range(self._job.done, last):
                started = time.monotonic()
                sums = self._compared(file, head, index, work, computed)
                self._tell(index, compared_scores(sums, time.monotonic() - started))
        self._send(MeasureDone())

    def _tell_part(self, done: int) -> None:
        self._send(TokensComputed(done))

    def _tell(self, index: int, scores: ChunkScores) -> None:
        self._send(ChunkMeasured(index, replace(scores, peak=own_memory().peak)))

    def _compared(self, file: BinaryIO, head: BaseHead, index: int, work: Logits, computed: TextChunks) -> Sums:
        part = head.tokens[index * head.n_ctx : (index + 1) * head.n_ctx]
        following = np.array(part[1:], np.int32)
        file.seek(head.length + index * head.chunk_bytes)
        codes, parts = row_codes(head.n_vocab), list[Sums]()
        for place, rows in computed.rows(part, head.begin, self._tell_part):
            data = file.read(2 * codes * len(rows))
            if len(data) != 2 * codes * len(rows):
                raise BadFileError(f"{clean_name(file.name)} became shorter while it was read")
            stored = np.frombuffer(data, "<u2").reshape(len(rows), codes)
            parts.append(work.compare(rows, following[place : place + len(rows)], stored))
        return joined(parts)

    def _opened(self, mode: str) -> BinaryIO:
        try:
            return Path(self._job.base).open(mode)  # type: ignore[return-value]
        except OSError as error:
            name = clean_name(self._job.base)
            raise BadFileError(f"cannot open {name}: {clean(error.strerror or str(error))}") from error


def _problem(vocabulary: Vocabulary) -> str:
    return "its tokenizer ends every text with a token of its own" if vocabulary.adds_end else ""


def end_with_parent() -> None:
    """End when stdin closes: the parent stopped it or is gone. What was told of is on the disk."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(130)


def main() -> int:
    """Read the job, do it, and say how it ended."""
    harden()
    offer_to_oom_killer()
    sender = Sender(claim_stdout())
    job = decode(sys.stdin.buffer.readline(), (MeasureJob,))
    if not isinstance(job, MeasureJob):
        sender.send(MeasureFailed(Failure.of(EngineError("the measuring process was given no job"))))
        return 2
    threading.Thread(target=end_with_parent, daemon=True).start()
    native: Native | None = None
    try:
        native = open_native(echo=sys.stderr)
        Run(job, native, sender.send).run()
    except QtuiError as error:
        sender.send(MeasureFailed(Failure.of(error, native.log.tail(LOG_LINES) if native else ())))
        return 1
    except (OSError, MemoryError) as error:
        traceback.print_exc()
        text = clean(str(error)) or type(error).__name__
        sender.send(MeasureFailed(Failure(f"measuring failed: {text}", "free some space or memory", "engine")))
        return 1
    return 0


if __name__ == "__main__":
    # Not sys.exit: the daemon thread still reads stdin, and interpreter shutdown would wait for its buffer's lock.
    os._exit(main())
