"""The sha256 of whole model files: read once in a thread, remembered in the header cache, and never in the way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.library.hash_step import HashStep
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name
from qtui.services.library.headers import Headers
from qtui.services.library.lookup import found_at
from qtui.services.library.source import FileSource

CHUNK = 4 << 20
TOLD_EVERY = 64 << 20
"""Bytes between two steps."""


async def hash_steps(variant: Variant, headers: Headers) -> AsyncIterator[HashStep]:
    """Yield how far the hashes of a variant's files are; the last step has them all. Closing it stops the reading.

    Raises:
        BadFileError: a file is gone, cannot be read, or was written to meanwhile.
    """
    paths = variant.shards or (variant.path,)
    total = sum(each.size for each in variant.prints)
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    stop = threading.Event()

    def progress(size: int) -> bool:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(queue.put_nowait, size)
        return not stop.is_set()

    def work() -> list[str]:
        try:
            pairs = zip(paths, variant.prints, strict=True)
            return [_known_or_read(path, headers, progress, told.sha256) for path, told in pairs]
        finally:
            headers.save()
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, None)

    task = asyncio.create_task(asyncio.to_thread(work))
    done = 0
    try:
        while (size := await queue.get()) is not None:
            done += size
            yield HashStep(min(done, total), total)
        hashes = await task
        prints = tuple(replace(each, sha256=told) for each, told in zip(variant.prints, hashes, strict=True))
        yield HashStep(total, total, prints)
    finally:
        stop.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # a reader that was stopped has nobody to tell


def _known_or_read(path: Path, headers: Headers, progress: Callable[[int], bool], told: str) -> str:
    if told:
        return told
    found = found_at(path)
    known = headers.record(found).sha256
    if known:
        return known
    sha256 = file_sha256(path, progress)
    after = found_at(path)
    if (after.size, after.mtime_ns, after.inode) != (found.size, found.mtime_ns, found.inode):
        raise BadFileError(f"{clean_name(str(path))}: written to while it was read", "Try again when it is whole.")
    headers.keep_hash(found, sha256)
    return sha256


def file_sha256(path: Path, progress: Callable[[int], bool]) -> str:
    """Return the sha256 of a file; `progress` is told of bytes read and says whether to go on.

    What was read is dropped from the file cache, where the system lets it: hashing a library must not push out the
    pages of a model that answers.

    Raises:
        BadFileError: it cannot be read, or was stopped.
    """
    digest = hashlib.sha256()
    with FileSource(path) as source:
        offset = told = 0
        while piece := source.read(offset, CHUNK):
            digest.update(piece)
            offset += len(piece)
            if offset - told >= TOLD_EVERY:
                source.forget(told, offset - told)
                if not progress(offset - told):
                    raise BadFileError(f"{clean_name(str(path))}: stopped", "")
                told = offset
        source.forget(told, offset - told)
        progress(offset - told)
    return digest.hexdigest()
