"""The run that weighs the variants of a repository whose headers are known: at once, then by what llama.cpp says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from qtui.core.hub.events import RowWeighed
from qtui.core.hub.remote import RemoteVariant
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan


async def weigh_rows(
    guard: Guard, rows: Sequence[RemoteVariant], plan: Callable[[Variant], LoadPlan], *, exact: bool = True
) -> AsyncGenerator[RowWeighed, None]:
    """Yield what each variant needs: all by the closed form, and then, with `exact`, by llama.cpp in the same order.

    `plan` tells the plan of a variant, not resolved.
    """
    known = [row for row in rows if row.header_read and row.variant.loadable]
    for row in known:
        yield RowWeighed(row, await guard.estimate(row.variant, plan(row.variant), fresh=False), False)
    for row in known if exact else ():
        yield RowWeighed(row, await guard.weigh(row.variant, plan(row.variant), fresh=False), True)
