"""Settles which rows are copies: the run that has candidates hashed, file by file, and marks what turns out equal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from qtui.core.errors import QtuiError
from qtui.core.library.copies import mark_copies, to_hash
from qtui.core.library.variant import Variant
from qtui.core.ports import Library


@dataclass(frozen=True, slots=True)
class HashProgressed:
    """A file is being read."""

    variant: Variant
    done: int
    """Bytes of all that is to be read."""
    total: int


@dataclass(frozen=True, slots=True)
class HashFailed:
    """The files of a variant could not be hashed; it stays a possible copy."""

    variant: Variant
    reason: str


@dataclass(frozen=True, slots=True)
class CopiesMarked:
    """All variants as they are known now; comes after every variant that was hashed, and at least once."""

    variants: tuple[Variant, ...]


async def settle_copies(
    library: Library, variants: Sequence[Variant], every: bool = False
) -> AsyncGenerator[HashProgressed | HashFailed | CopiesMarked, None]:
    """Hash what could be a copy and mark what is; closing the run ends it, and what was hashed stays known.

    Args:
        library: reads the files.
        variants: as a scan found them.
        every: hash all variants whose hash is not known, copies or not.
    """
    known = {variant.path: variant for variant in variants}
    marked = mark_copies(variants)
    yield CopiesMarked(marked)
    wanted = to_hash(marked, every)
    total, done = sum(variant.size for variant in wanted), 0
    for variant in wanted:
        try:
            async with aclosing(library.hash(variant)) as steps:  # type: ignore[type-var]  # generators can be closed
                async for step in steps:
                    yield HashProgressed(variant, done + step.done, total)
                    if step.prints:
                        known[variant.path] = replace(known[variant.path], prints=step.prints)
        except QtuiError as error:
            yield HashFailed(variant, error.message)
        done += variant.size
        yield CopiesMarked(mark_copies(known.values()))
