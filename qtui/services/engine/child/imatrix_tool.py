"""Gathers an importance matrix with a `llama-imatrix` of the user's, which ends with this child."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, UsageError
from qtui.core.gguf.reader import MAGIC
from qtui.core.memory.plan import ALL_LAYERS, AUTO
from qtui.core.quantise.gathering import Gathered, GatherJob, GatherProgressed, GatherStarted
from qtui.core.text import clean, clean_name
from qtui.services.engine.child.matrix_file import read_matrix

UBATCH = 512
KEPT = 1 << 16
"""Characters of the output that are looked at."""
_TOTAL = re.compile(r"computing over (\d+) chunks")
_DONE = re.compile(r"\[(\d+)\]\S+?,")
_TOO_SHORT = re.compile(r"need at least (\d+) tokens.*tokenizes to only (\d+) tokens", re.DOTALL)
_NO_MODEL = re.compile(r"failed to load model|invalid magic")
_PR_SET_PDEATHSIG = 1


class Tool:
    """A run of the tool."""

    def __init__(self, job: GatherJob) -> None:
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, send: Callable[[object], None]) -> Gathered:
        """Run it, tell how far it is, and what came of it.

        Raises:
            UsageError: the text is too short.
            BadFileError: it cannot read the model.
            EngineError: it cannot be started, or fails.
        """
        job, started = self._job, time.monotonic()
        _refuse_other_files(Path(job.model))
        prctl = getattr(ctypes.CDLL(None), "prctl", None)

        def end_with_us() -> None:
            if prctl is not None:  # Linux: also when this process is killed
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        try:
            self._process = subprocess.Popen(
                command_of(job), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                preexec_fn=end_with_us,  # noqa: PLW1509 - the only other thread waits for input and holds no lock
            )  # fmt: skip
        except OSError as error:
            raise EngineError(
                f"{clean_name(job.tool)} cannot be started: {clean(error.strerror or str(error))}", "check its path"
            ) from error
        output = _followed(self._process, job, send)
        if self._process.wait() != 0:
            raise _refusal(job, output)
        return _summary(job, time.monotonic() - started)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()


def _refuse_other_files(model: Path) -> None:
    """Look at the model first: the tool's log is often lost when it fails."""
    try:
        with model.open("rb") as file:
            if file.read(4) != MAGIC:
                raise BadFileError(f"{clean_name(model.name)} is not a GGUF file", "choose a .gguf file of a model")
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(str(model))}: {clean(error.strerror or str(error))}", "check the path"
        ) from error


def _summary(job: GatherJob, elapsed: float) -> Gathered:
    matrix = read_matrix(Path(job.state))
    experts = [entry.counts for entry in matrix.entries.values() if entry.counts.size > 1]
    shares = {name: float((entry.counts > 0).mean()) for name, entry in matrix.entries.items()}
    poor = sorted((share, name) for name, share in shares.items() if share < 1)
    return Gathered(
        len(matrix.entries), matrix.chunk_count, matrix.chunk_count * matrix.chunk_size, elapsed,
        sum(one.size for one in experts), sum(int((one > 0).sum()) for one in experts),
        tuple(f"{clean_name(name, 60)} {share * 100:.1f} %" for share, name in poor[:20]),
    )  # fmt: skip


def command_of(job: GatherJob) -> list[str]:
    """Return the command; one chunk is computed at a time, as our own collector does."""
    layers, size = job.plan.n_gpu_layers, str(job.ctx_size)
    command = [
        job.tool, "-m", job.model, "-f", job.text, "-o", job.state, "-c", size, "-b", size,
        "-ub", str(min(UBATCH, job.ctx_size)), "--output-format", "gguf",
    ]  # fmt: skip
    if job.chunks:
        command += ["--chunks", str(job.chunks)]
    if job.plan.threads:
        command += ["-t", str(job.plan.threads)]
    if layers != AUTO:
        command += ["-ngl", "999" if layers == ALL_LAYERS else str(layers)]
    return [*command, "--process-output"] if job.process_output else command


def _followed(process: subprocess.Popen[bytes], job: GatherJob, send: Callable[[object], None]) -> str:
    """Tell how far it is until its output ends; returns the end of the output."""
    assert process.stdout is not None
    text, total, done = "", 0, 0
    while data := os.read(process.stdout.fileno(), 1 << 14):
        text = (text + data.decode("utf-8", "replace"))[-KEPT:]
        if not total and (found := _TOTAL.search(text)):
            total = int(found[1])
            send(GatherStarted(total * job.ctx_size, total))
        latest = max((int(number) for number in _DONE.findall(text)), default=0)
        if total and done < latest <= total:
            done = latest
            send(GatherProgressed(done, total))
    process.stdout.close()
    return text


def _refusal(job: GatherJob, output: str) -> BadFileError | UsageError | EngineError:
    if found := _TOO_SHORT.search(output):
        needed, there = int(found[1]), int(found[2])
        return UsageError(
            f"the text has {there} tokens; at least {needed} are needed, {needed - there} more",
            "take a longer text, or a smaller --ctx-size",
        )
    if _NO_MODEL.search(output):
        return BadFileError(f"{clean_name(job.tool)} cannot load {clean_name(Path(job.model).name)}", "is it a model?")
    lines = [clean(line).strip() for line in output.split("\n") if line.strip()]
    return EngineError(f"{clean_name(job.tool)} failed: {lines[-1][:300] if lines else 'it does not say why'}")
