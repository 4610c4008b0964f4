"""Gathers an importance matrix in a child process; what was gathered is kept when it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

from qtui.core.errors import BadFileError, QtuiError, UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.quantise.gathering import (
    ASKED_KEY,
    CTX_SIZE,
    GATHER_REPLIES,
    IDENTITY_KEY,
    SAVE_EVERY,
    Gathered,
    GatherEvent,
    GatherFailed,
    GatherJob,
    GatherStarted,
)
from qtui.core.text import clean, clean_name
from qtui.services.engine.one_job import Worker, run_job
from qtui.services.engine.part_files import place, refuse_target, unwritable
from qtui.services.engine.quantise import first_shard, refuse_same_file, shards
from qtui.services.library.source import read_file_header

GATHERER = Worker(
    "qtui.services.engine.child.imatrix", "gathering", GATHER_REPLIES, (Gathered,), GatherFailed, saves_s=10.0
)
"""One that is stopped saves what it has gathered."""


async def gather(
    model: Path, text: Path, target: Path, *, ctx_size: int = CTX_SIZE, chunks: int = 0, plan: LoadPlan | None = None,
    overwrite: bool = False, save_every: int = SAVE_EVERY, process_output: bool = False, tool: str = "",
    reuse: bool = False,
) -> AsyncGenerator[GatherEvent]:  # fmt: skip
    """Gather a matrix with a model over a text, at most `chunks` of `ctx_size` tokens, and write it to `target`.

    `tool` is a llama-imatrix of the user's that does it instead; a stop then keeps nothing that is gone on with.

    With `reuse` a finished matrix that lies at the target is taken as it is, if it is of the same model, text, context
    and number of chunks: nothing is computed.

    Closing the iterator stops the child; what was gathered stays beside the target as `state_path` and is gone on with
    by the next run with the same model, text and context.

    Raises:
        BadFileError: model or text cannot be read, or the model computes what are no numbers.
        UsageError: the text is too short; the target is the model, the text, or there already.
        EngineError: llama.cpp fails, or the child dies.
        QtuiError: the target's folder cannot be written, or another qtui gathers the same.
    """
    model = first_shard(model)
    refuse_same_file(model, target)
    refuse_same_file(text, target)
    identity = await asyncio.to_thread(_identity, model, text, ctx_size, process_output=process_output)
    if reuse:
        found = await asyncio.to_thread(_finished, target, identity, chunks)
        if found is not None:
            note = f"{clean_name(target.name)} is of this model and this text: it is used, and not gathered anew"
            yield GatherStarted(found.tokens, found.chunks, found.chunks, note)
            yield found
            return
        _refuse_other(target, overwrite=overwrite)
    refuse_target(target, overwrite=overwrite)
    with _locked(state_path(target)) as state:
        job = GatherJob(
            str(model), str(text), str(state), identity, ctx_size, chunks, save_every, process_output,
            plan or LoadPlan(), tool,
        )  # fmt: skip
        last: Gathered | None = None
        async with contextlib.aclosing(run_job(GATHERER, job)) as events:
            async for event in events:
                if isinstance(event, Gathered):
                    last = event
                else:
                    yield event
        if last is None:
            return
        try:
            state.chmod(0o644)
            place(state, target, overwrite=overwrite)
        except OSError as error:
            raise unwritable(target, error) from error
    yield replace(last, file=str(target))


def _finished(target: Path, identity: str, chunks: int) -> Gathered | None:
    """Return what a finished matrix holds that is of this and so many chunks; None where there is none."""
    try:
        header = read_file_header(target)
    except BadFileError:
        return None
    said = header.metadata
    count, size = said.get("imatrix.chunk_count"), said.get("imatrix.chunk_size")
    if (said.get(IDENTITY_KEY), said.get(ASKED_KEY)) != (identity, str(chunks)):
        return None
    if not isinstance(count, int) or not isinstance(size, int):
        return None
    return Gathered(len(header.tensors) // 2, count, count * size, 0.0, file=str(target))


def _refuse_other(target: Path, *, overwrite: bool) -> None:
    """Say what can be done with a matrix that lies in the way of one that is gathered for a quant."""
    if os.path.isfile(target) and not overwrite:  # noqa: PTH113 - it never fails
        raise UsageError(
            f"{clean_name(str(target))} is there already, and is not known to be of this model, text and context",
            "use it (--imatrix FILE, or m), choose another name for the result, or --overwrite",
        )


def state_path(target: Path) -> Path:
    """Return where what was gathered for a target is kept until it is whole; scans skip `.part`."""
    return target.with_name(f".{target.name[:200]}.imatrix.part")


def kept_chunks(target: Path) -> bool:
    """Tell whether an interrupted run left something for this target."""
    try:
        return state_path(target).stat().st_size > 0
    except OSError:
        return False


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[Path]:
    """Hold the lock of a state; who is refused it touches nothing, for the file is the holder's."""
    lock = state.with_name(state.name.removesuffix(".part") + ".lock.part")
    descriptor = _lock(lock, state)
    try:
        yield state
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _lock(lock: Path, state: Path) -> int:
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(state, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise QtuiError(
                f"{clean_name(state.name)} is being gathered by another qtui", "wait for it, or choose another name"
            ) from None
        except OSError:  # a file system without locks
            return descriptor
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        os.close(descriptor)  # who held it has removed it between the two calls: the name is free, or another's


def _identity(model: Path, text: Path, ctx_size: int, *, process_output: bool) -> str:
    """Return what a state is of. The text by its content; the model, which may be large, by size and time."""
    digest = hashlib.sha256()
    try:
        for path in sorted(set(shards(model))):
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        with text.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(str(text))}: {clean(error.strerror or str(error))}", "check the path"
        ) from error
    digest.update(f"{ctx_size} {process_output}".encode())
    return digest.hexdigest()
