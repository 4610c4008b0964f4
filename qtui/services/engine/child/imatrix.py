"""The child that gathers an importance matrix: `python -m qtui.services.engine.child.imatrix`.

One job on stdin, progress on stdout. What was gathered is kept every few chunks and when it is told to stop, so that
little is lost whatever ends it; the same job then goes on from there.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtui.core.errors import BadFileError, EngineError, Failure, QtuiError, UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import (
    ASKED_KEY,
    IDENTITY_KEY,
    Gathered,
    GatherFailed,
    GatherJob,
    GatherProgressed,
    GatherStarted,
)
from qtui.core.quantise.weighing import gathering_plan
from qtui.core.text import clean, clean_name
from qtui.core.wire import decode
from qtui.services.engine.child.collector import Collector
from qtui.services.engine.child.imatrix_tool import Tool
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.matrix_file import read_matrix, write_matrix
from qtui.services.engine.child.memory import offer_to_oom_killer
from qtui.services.engine.child.model import CancelledError, LoadedModel
from qtui.services.engine.child.native import ERROR, Native, claim_stdout, harden, open_native
from qtui.services.engine.child.params import context_params
from qtui.services.engine.child.sender import Sender

MOST_SCARCE = 20
SAVE_S = 15.0
"""What was gathered is kept at least so often, as soon as a chunk ends."""
CHUNK_END_S = 6.0
"""So long the chunk that is computed may take to its end before a stop breaks it off: only whole ones can be kept."""
LEFT_S = 3.5
"""And so long may what follows: the writing, or the end of the node that is computed. Together less than the parent's
`saves_s`."""


class Stop:
    """That the parent wants an end, and whether there is something to save first."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.unsaved = False


class WatchedModel(LoadedModel):
    """A model whose graph is watched, with logits for every token: else the last layer would see but one."""

    def __init__(self, native: Native, path: str, plan: LoadPlan, interrupt: Interrupt, collector: Collector) -> None:
        self._collector = collector
        super().__init__(native, path, plan, interrupt, lambda _fraction: None)

    def _open(self, plan: LoadPlan) -> Any:
        parameters = context_params(self._native, plan, n_outputs_max=0)
        parameters.cb_eval = self._collector.callback
        self._mark = self._native.log.count
        context = self._api.llama_init_from_model(self._model, parameters)
        if not context:
            raise self._refusal()
        self._interrupt.attach(self._native, context)
        return context

    @property
    def beginning(self) -> int | None:
        """Return the token that begins a text, where the model wants one."""
        vocab = self._api.llama_model_get_vocab(self._model)
        return int(self._api.llama_vocab_bos(vocab)) if self._api.llama_vocab_get_add_bos(vocab) else None

    def read_text(self, text: bytes) -> Sequence[int]:
        """Return the tokens of a text in which nothing is a control token.

        Raises:
            BadFileError: the model has no tokenizer.
        """
        if not self.vocabulary.exists:
            raise BadFileError(f"{self._title} has no tokenizer", "gather with a whole model")
        vocab = self._api.llama_model_get_vocab(self._model)
        room = len(text) + 16
        found = (ctypes.c_int32 * room)()
        count = self._api.llama_tokenize(vocab, text, len(text), found, room, True, False)
        if count < 0:
            found = (ctypes.c_int32 * -count)()
            count = self._api.llama_tokenize(vocab, text, len(text), found, -count, True, False)
        return found[:count]


class Gathering:
    """One run."""

    def __init__(self, job: GatherJob, native: Native, sender: Sender, interrupt: Interrupt, stop: Stop) -> None:
        self._job = job
        self._native = native
        self._sender = sender
        self._interrupt = interrupt
        self._stop = stop
        self._collector = Collector(native, process_output=job.process_output)
        self._done = 0
        self._saved = time.monotonic()

    def run(self) -> Gathered:
        """Compute the text chunk by chunk.

        Raises:
            BadFileError: the text or the model cannot be read, or computes what are no numbers.
            UsageError: the text is too short.
            EngineError: llama.cpp fails.
        """
        job, size = self._job, self._job.ctx_size
        started = time.monotonic()
        text = _text(Path(job.text))
        plan = gathering_plan(job.plan, size)
        model = WatchedModel(self._native, job.model, plan, self._interrupt, self._collector)
        if model.unanswering:
            raise BadFileError(f"no matrix can be gathered with this model: {model.unanswering}")
        tokens = model.read_text(text)
        if len(tokens) < 2 * size:
            raise UsageError(
                f"the text has {len(tokens)} tokens; at least {2 * size} are needed, {2 * size - len(tokens)} more",
                "take a longer text, or a smaller --ctx-size",
            )
        whole = len(tokens) // size
        total = min(whole, job.chunks or whole)
        note = self._resume(whole)
        if self._done > total:
            total = self._done
            note = f"{total} chunks were gathered before, more than are asked for: the matrix is of them all"
        self._sender.send(GatherStarted(len(tokens), total, self._done, note))
        while self._done < total:
            self._chunk(model, tokens[self._done * size : (self._done + 1) * size])
            self._done += 1
            self._stop.unsaved = True
            if self._stop.asked.is_set():
                self.save()
                raise CancelledError("gathering was stopped")
            self._sender.send(GatherProgressed(self._done, total, *self._collector.experts()))
            due = self._done % job.save_every == 0 or time.monotonic() - self._saved > SAVE_S
            if due and self._done < total:
                self.save()
        self.save(finished=True)
        experts, seen = self._collector.experts()
        return Gathered(
            len(self._collector.entries()), total, total * size, time.monotonic() - started, experts, seen,
            self._collector.scarce()[:MOST_SCARCE],
        )  # fmt: skip

    def save(self, *, finished: bool = False) -> None:
        """Write what was gathered, whole or not at all."""
        extras = {IDENTITY_KEY: self._job.identity} | ({ASKED_KEY: str(self._job.chunks)} if finished else {})
        write_matrix(
            Path(self._job.state), self._collector.entries(), [self._job.text], self._done, self._job.ctx_size,
            extras=extras,
        )  # fmt: skip
        self._saved, self._stop.unsaved = time.monotonic(), False

    def _resume(self, whole: int) -> str:
        """Take up what an interrupted run had gathered; returns why not, where something else lies there."""
        state = Path(self._job.state)
        if not state.exists() or not state.stat().st_size:
            return ""
        try:
            matrix = read_matrix(state)
        except BadFileError as error:
            return f"what was gathered before cannot be used: {error.message}"
        if matrix.extras.get(IDENTITY_KEY) != self._job.identity or matrix.chunk_count > whole:
            return "what was gathered before is of another model, text or context: it begins anew"
        self._collector.restore(matrix.entries)
        self._done = matrix.chunk_count
        return ""

    def _chunk(self, model: WatchedModel, tokens: Sequence[int]) -> None:
        api, context = self._native.api, model.context
        api.llama_memory_clear(api.llama_get_memory(context), True)
        batch = api.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for place, token in enumerate(tokens):
                batch.token[place] = model.beginning if place == 0 and model.beginning is not None else token
                batch.pos[place] = place
                batch.n_seq_id[place] = 1
                batch.seq_id[place][0] = 0
                batch.logits[place] = True
            status = api.llama_decode(context, batch)
        finally:
            api.llama_batch_free(batch)
        if self._interrupt.is_set():
            raise CancelledError("gathering was stopped")
        self._collector.check()
        if status:
            lines = self._native.log.since(level=ERROR)[-1:]
            raise EngineError(f"llama.cpp could not compute the text{': ' + lines[0] if lines else ''}")


def _text(path: Path) -> bytes:
    """Return a text as llama-imatrix reads it: without the newline at its end."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(str(path))}: {clean(error.strerror or str(error))}", "check the path"
        ) from error
    return data.removesuffix(b"\n")


def end_with_parent(interrupt: Interrupt, tool: Tool, stop: Stop) -> None:
    """Stop when stdin closes: the parent cancelled or is gone. What was saved stays, and what can be is saved."""
    while sys.stdin.buffer.read(4096):
        pass
    stop.asked.set()
    tool.stop()
    if stop.unsaved:  # the computing thread saves after its chunk, and ends the process
        time.sleep(CHUNK_END_S)
    interrupt.set()
    # The computing thread ends after the node that it computes; on a card it does not look.
    time.sleep(LEFT_S)
    os._exit(130)


def main() -> int:
    """Read the job, run it, and say how it ended."""
    harden()
    offer_to_oom_killer()
    sender = Sender(claim_stdout())
    job = decode(sys.stdin.buffer.readline(), (GatherJob,))
    if not isinstance(job, GatherJob):
        sender.send(GatherFailed(Failure.of(EngineError("the gathering process was given no job"))))
        return 2
    interrupt = Interrupt()
    tool, stop = Tool(job), Stop()
    threading.Thread(target=end_with_parent, args=(interrupt, tool, stop), daemon=True).start()
    try:
        if job.tool:
            sender.send(tool.run(sender.send))
        else:
            sender.send(Gathering(job, open_native(echo=sys.stderr), sender, interrupt, stop).run())
    except OSError as error:
        why = clean(error.strerror or str(error))
        sender.send(GatherFailed(Failure(f"cannot keep what was gathered: {why}", "free some space", "engine")))
        return 1
    except QtuiError as error:
        sender.send(GatherFailed(Failure.of(error)))
        return 1
    return 0


if __name__ == "__main__":
    # Not sys.exit: the daemon thread still reads stdin, and interpreter shutdown would wait for its buffer's lock.
    os._exit(main())
