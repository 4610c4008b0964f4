"""Forecast: how fast a variant will generate under a plan; measured where it was, else computed."""

from __future__ import annotations

from qtui.core.errors import QtuiError
from qtui.core.history import rate_under
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.backends import devices_of
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Speed, token_seconds, token_work
from qtui.core.memory.verdict import Fit
from qtui.core.origin import Origin
from qtui.core.ports import Described, History, ReadSpeeds, Tables

DEPTH = 256
"""Tokens in the context for which a rate is computed: a short conversation."""
BUSY = "other programs computed while this machine was measured: it is faster without them"


class Forecast:
    """Predicts generation rates.

    Args:
        tables: headers.
        engine: whose devices compute.
        speeds: how fast they read.
        history: what was measured before; None: nothing was.
    """

    def __init__(self, tables: Tables, engine: Described, speeds: ReadSpeeds, history: History | None = None) -> None:
        self._tables = tables
        self._engine = engine
        self._speeds = speeds
        self._history = history

    async def speed(self, variant: Variant, plan: LoadPlan, *, depth: int = DEPTH, missing: int = 0) -> Speed:
        """Return the rate of a resolved plan; unknown with a note where nobody can tell.

        `missing`: bytes of mapped weights that find no room in RAM. What was measured on this machine goes before what
        is computed, but for weights that come from the disk.
        """
        if not missing and (measured := await self.measured(variant, plan)) is not None:
            return measured
        try:
            return await self.computed(variant, plan, depth=depth, missing=missing)
        except QtuiError as error:
            return Speed(None, Origin.UNKNOWN, note=error.message)

    async def measured(self, variant: Variant, plan: LoadPlan) -> Speed | None:
        """Return the rate that was measured under a resolved plan, None where none is kept; asks the history only."""
        if self._history is None:
            return None
        try:
            found = rate_under((await self._history.rates([variant])).get(variant.path, ()), plan)
        except QtuiError:
            return None
        return Speed(found.generation, Origin.MEASURED) if found is not None else None

    async def of(self, variant: Variant, weighing: Weighing) -> Speed:
        """Return the rate of a variant as it was weighed; weights that find no room are read from the disk."""
        short_by = weighing.verdict.short_by if weighing.verdict.fit is Fit.FROM_DISK else 0
        return await self.speed(variant, weighing.plan, missing=max(0, short_by or 0))

    async def computed(self, variant: Variant, plan: LoadPlan, *, depth: int = DEPTH, missing: int = 0) -> Speed:
        """Return the rate as it is computed.

        Raises:
            BadFileError: the header cannot be read.
            EngineError: this machine's speed cannot be measured.
        """
        table = await self._tables.table(variant)
        depth = min(depth, max(0, plan.ctx_size - 1))
        work = token_work(table, plan, devices_of(await self._engine.info()), depth)
        if work is None:
            return Speed(None, Origin.UNKNOWN, note="the header does not tell what a token reads")
        rates = await self._speeds.rates(work.kernels, plan.threads)
        # Of a file that is not here only the header is, and what follows it takes no time to read.
        disk = await self._speeds.disk(variant.path) if missing and not variant.address else None
        seconds = token_seconds(work, rates, missing=missing, disk=disk)
        if seconds is None:
            return Speed(None, Origin.UNKNOWN, depth, work.bytes, "how fast the disk is cannot be told")
        return Speed(1 / seconds, Origin.COMPUTED, depth, work.bytes, BUSY if rates.busy else "")
