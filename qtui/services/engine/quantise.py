"""Makes quants in a child process: predicted to the byte, progress as it goes, and a whole file or none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from qtui.core.errors import BadFileError, UsageError
from qtui.core.gguf.names import split_part
from qtui.core.quantise.messages import (
    QUANTISE_REPLIES,
    PredictJob,
    Quantised,
    QuantiseEvent,
    QuantiseFailed,
    QuantiseJob,
    QuantisePlanned,
)
from qtui.core.quantise.recipe import Recipe, checked
from qtui.core.text import clean, clean_name
from qtui.services.engine.one_job import Worker, run_job
from qtui.services.engine.part_files import making, place, refuse_target

QUANTISER = Worker("qtui.services.engine.child.quantise", "quantising", QUANTISE_REPLIES, (Quantised,), QuantiseFailed)


async def predict(source: Path, recipes: Sequence[Recipe]) -> AsyncGenerator[QuantisePlanned]:
    """Yield for each recipe what llama.cpp would make of `source`; nothing is written.

    Raises:
        BadFileError: the source is missing, no model, or lacks shards.
        EngineError: the child dies.
    """
    job = PredictJob(str(first_shard(source)), tuple(recipes))
    left = len(job.recipes)
    async with contextlib.aclosing(run_job(QUANTISER, job)) as events:
        while left:
            event = await anext(events)
            if isinstance(event, QuantisePlanned):
                yield event
                left -= 1


async def quantise(
    source: Path, target: Path, recipe: Recipe, threads: int = 0, *, overwrite: bool = False
) -> AsyncGenerator[QuantiseEvent]:
    """Write what a recipe makes of `source` to `target`; closing the iterator ends the child and leaves nothing.

    With `keep_split` the target names the result as a whole: NAME.gguf becomes NAME-00001-of-00003.gguf and so on.

    Raises:
        BadFileError: the source or the matrix is missing or cannot be used.
        UsageError: the target is the source, one of its shards, or there already; there is no such type; the type
            needs a matrix; the source is quantised already.
        EngineError: llama.cpp refuses, the child dies, or the disk is full.
        QtuiError: the target's folder cannot be written.
    """
    recipe = checked(recipe)
    source = first_shard(source)
    results = result_files(source, target, recipe)
    for result in results:
        refuse_same_file(source, result)
        refuse_target(result, overwrite=overwrite)
    last: Quantised | None = None
    with making(target if not recipe.keep_split else results[0], overwrite=overwrite, folder=recipe.keep_split) as part:
        job = QuantiseJob(str(source), str(part), recipe, threads, stem=_stem(target))
        async with contextlib.aclosing(run_job(QUANTISER, job)) as events:
            async for event in events:
                if isinstance(event, Quantised):
                    last = event
                else:
                    yield event
        made = [part / result.name for result in results] if recipe.keep_split else [part]
        # Off the loop: it takes as long as the disk needs for all that was written.
        await asyncio.to_thread(_sync, made)
        if recipe.keep_split:
            # The first shard last: without it nothing can be loaded.
            for shard, result in reversed(list(zip(made, results, strict=True))):
                place(shard, result, overwrite=overwrite)
    if last is not None:
        yield Quantised(last.size, last.elapsed, tuple(map(str, results)))


def free_space(folder: Path) -> int | None:
    """Return the bytes that are free for this user where a folder lies; None when it cannot be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def result_files(source: Path, target: Path, recipe: Recipe) -> list[Path]:
    """Return the files that a recipe makes, as llama.cpp names them."""
    part = split_part(source.name)
    if not recipe.keep_split or part is None or part.total is None:
        return [target]
    names = (f"{_stem(target)}-{number:05d}-of-{part.total:05d}.gguf" for number in range(1, part.total + 1))
    return [target.with_name(name) for name in names]


def first_shard(source: Path) -> Path:
    """Return the first shard of a set of which any is given; a whole file as it is.

    Raises:
        BadFileError: the file or the first shard is not there.
    """
    for path in shards(source):
        part = split_part(path.name)
        if part is None or part.raw or part.index == 1:
            return path
    raise BadFileError(f"the first shard of {clean_name(source.name)} is not here", "fetch it too")


def refuse_same_file(source: Path, target: Path) -> None:
    """Make sure that the target is neither the source nor one of its shards, by inode: llama.cpp would destroy it.

    Raises:
        BadFileError: the source is missing.
        UsageError: they are the same file.
    """
    try:
        sources = [path.stat() for path in shards(source)]
    except OSError as error:
        raise _unreadable(source, error) from error
    try:
        there = target.stat()
    except OSError:  # nothing, or nothing that can be: `refuse_target` tells which
        return
    if any((one.st_dev, one.st_ino) == (there.st_dev, there.st_ino) for one in sources):
        raise UsageError(
            f"{clean_name(str(target))} is the file that would be read", "choose another name for the result"
        )


def shards(source: Path) -> list[Path]:
    """Return the file, and where it is a shard all those that lie beside it.

    Raises:
        BadFileError: it is not there.
    """
    part = split_part(source.name)
    try:
        source.stat()
        if part is None:
            return [source]
        beside = ((path, split_part(path.name)) for path in source.parent.iterdir())
        found = [path for path, other in beside if other and (other.stem, other.total) == (part.stem, part.total)]
    except OSError as error:
        raise _unreadable(source, error) from error
    return [source, *found]


def _unreadable(source: Path, error: OSError) -> BadFileError:
    return BadFileError(
        f"cannot read {clean_name(str(source))}: {clean(error.strerror or str(error))}", "check the path"
    )


def _stem(target: Path) -> str:
    return target.name.removesuffix(".gguf")


def _sync(paths: Sequence[Path]) -> None:
    """Bring files to the disk."""
    for path in paths:
        path.chmod(0o644)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
