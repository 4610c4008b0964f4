"""A scan of the library as messages, gathered so that the screen is not drawn for every file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.ports import Library
from qtui.ui.messages import ScanEnded, VariantsFound

BATCH_S = 0.1
"""Found variants are gathered so long before they are shown."""


async def scanned(library: Library, folders: Sequence[Path]) -> AsyncIterator[VariantsFound | ScanEnded]:
    """Yield what is found, then how the scan ended; a failure is the problem that it ended with."""
    found: list[Variant] = []
    clock = asyncio.get_running_loop().time
    problem = ""
    last = clock()
    try:
        async for variant in library.scan(folders):
            found.append(variant)
            if clock() - last >= BATCH_S:
                yield VariantsFound(tuple(found))
                found.clear()
                last = clock()
    except QtuiError as error:
        problem = f"{error.message}: {error.hint}" if error.hint else error.message
    if found:
        yield VariantsFound(tuple(found))
    yield ScanEnded(problem)
