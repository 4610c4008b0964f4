"""Which variants are copies, found out in the background: files are read only while no model loads or answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from qtui.core.library.hashing import CopiesMarked, settle_copies
from qtui.core.library.variant import Variant
from qtui.core.ports import Library

REST_S = 2.0
"""How often is looked whether it is quiet again."""


async def copies_found(
    library: Library, variants: Sequence[Variant], quiet: Callable[[], bool]
) -> AsyncGenerator[Mapping[Path, Variant], None]:
    """Yield the variants that are copies, or may be, each time more is known of them; by path.

    What is being read when it stops being quiet is given up, and read again later; closing it ends the reading.
    """
    known = tuple(variants)
    while True:
        disturbed = False
        async with aclosing(settle_copies(library, known)) as events:
            async for event in events:
                if isinstance(event, CopiesMarked):
                    known = event.variants
                    yield {
                        v.path: v for v in known if v.duplicate_of is not None or v.possible_duplicate_of is not None
                    }
                if not quiet():
                    disturbed = True
                    break
        if not disturbed:
            return
        while not quiet():  # noqa: ASYNC110 - what samples tell of sessions of other processes is no event
            await asyncio.sleep(REST_S)
