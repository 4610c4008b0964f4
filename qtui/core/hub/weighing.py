"""The run that weighs the variants of a repository whose headers are known: by the closed form, or by llama.cpp."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from qtui.core.hub.events import RowWeighed
from qtui.core.hub.remote import RemoteVariant
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan

Plan = Callable[[Variant], LoadPlan]
"""Tells the plan of a variant, not resolved."""


async def weigh_rows(
    guard: Guard, rows: Sequence[RemoteVariant], plan: Plan, *, exact: bool
) -> AsyncGenerator[RowWeighed, None]:
    """Yield what each variant needs, in their order: by what llama.cpp says where `exact`, else at once."""
    weigh = guard.weigh if exact else guard.estimate
    for row in rows:
        if row.header_read and row.variant.loadable:
            yield RowWeighed(row, await weigh(row.variant, plan(row.variant), fresh=False), exact)
