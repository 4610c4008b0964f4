"""The one store of footprints: everything that shows a number reads it here, so two places cannot show two.

A footprint is keyed by file, resolved plan and engine. The closed form answers at once; the dry run then replaces it.
Where no dry run can be had the closed form stays, and says so. Answers that the dry run remembers come at once; the
others are asked for one at a time, the most urgent first, and what nobody waits for any more is not asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.scale import Probe
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.question import model_options
from qtui.core.memory.turns import Ticket, Turns, Urgency
from qtui.core.ports import DryRun, Formula

TELLING_DIFFERENCE = 0.03
"""A closed form that is further off than this from what llama.cpp says is worth a line in the log."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a footprint depends on. A file that changes under its name has another size or comes as a new scan."""

    path: Path
    size: int
    plan: LoadPlan


@dataclass(frozen=True, slots=True)
class Known:
    """What is known for a key: a footprint, or why there is none."""

    footprint: Footprint | None = None
    error: QtuiError | None = None


DifferenceListener = Callable[[Variant, Footprint, Footprint], object]
"""Told (variant, closed form, dry run) where the two differ by more than `TELLING_DIFFERENCE`."""


@dataclass(slots=True)
class _Asked:
    """A question on its way."""

    ticket: Ticket
    task: asyncio.Task[Known]
    waiters: int = 0


class Footprints:
    """Footprints by file and resolved plan; asks the dry run once per key."""

    def __init__(self, dry_run: DryRun, formula: Formula | None = None) -> None:
        self._dry_run = dry_run
        self._formula = formula
        self._known: dict[Key, Known] = {}
        self._computed: dict[Key, Known] = {}
        self._asked: dict[Key, _Asked] = {}
        self._turns = Turns()
        self._difference_listeners: list[DifferenceListener] = []
        self._forgotten = 0

    def peek(self, variant: Variant, plan: LoadPlan) -> Known | None:
        """Return what is known now of a resolved plan, the dry run's answer first, without asking anything."""
        key = Key(variant.path, variant.size, plan)
        return self._known.get(key) or self._computed.get(key)

    def computed(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return the closed form as far as it was asked for, also where the dry run has replaced it."""
        known = self._computed.get(Key(variant.path, variant.size, plan))
        return known.footprint if known is not None else None

    async def estimate(self, variant: Variant, plan: LoadPlan) -> Known:
        """Return what can be told at once: what is known, else the closed form."""
        known = self.peek(variant, plan)
        if known is not None:
            return known
        key = Key(variant.path, variant.size, plan)
        known = await self._compute(key, variant)
        return self._known.get(key, known)

    async def ask(self, variant: Variant, plan: LoadPlan, urgency: Urgency = Urgency.NOW) -> Known:
        """Return the footprint of a resolved plan, or the reason why there is none; asks at most once at a time.

        A caller that is cancelled leaves the question to the others; with the last of them it is dropped, unless
        llama.cpp is at it. One that is asked again is as urgent as the more urgent of both.
        """
        key = Key(variant.path, variant.size, plan)
        if key in self._known:
            return self._known[key]
        asked = self._asked.get(key)
        if asked is None:
            ticket = Ticket(urgency, (variant.path, variant.size, model_options(plan)))
            asked = _Asked(ticket, asyncio.create_task(self._run(key, variant, ticket)))
            self._asked[key] = asked
        asked.ticket.hurry(urgency)
        asked.waiters += 1
        try:
            return await asyncio.shield(asked.task)
        finally:
            asked.waiters -= 1
            if not asked.waiters and not asked.task.done() and not asked.ticket.called:
                asked.task.cancel()
                if self._asked.get(key) is asked:
                    del self._asked[key]

    async def bind(self, variant: Variant, plan: LoadPlan) -> Probe | None:
        """Return the closed form of a variant for a search over its plans, None where there is none; tells nobody.

        Raises:
            BadFileError: the header, or one of the plan's adapters or its projector, cannot be read.
        """
        return await self._formula.bind(variant, plan) if self._formula is not None else None

    def subscribe_differences(self, listener: DifferenceListener) -> Callable[[], None]:
        """Call `listener` where closed form and dry run differ; returns the function that ends it."""
        self._difference_listeners.append(listener)
        return lambda: self._difference_listeners.remove(listener)

    def forget(self, path: Path) -> None:
        """Drop what is known of a file that changed or went; an answer on its way is not kept either."""
        self._forgotten += 1
        for known in (self._known, self._computed):
            for key in [k for k in known if k.path == path]:
                del known[key]
        for key in [k for k in self._asked if k.path == path]:
            del self._asked[key]

    async def _run(self, key: Key, variant: Variant, ticket: Ticket) -> Known:
        try:
            if self._formula is not None and key not in self._computed:
                await self._compute(key, variant)
            known = Known(footprint=await self._told(key, variant, ticket))
        except QtuiError as error:
            known = Known(error=error)
        finally:
            current = self._is_asked(key, ticket)
            if current:
                del self._asked[key]
        computed_footprint = self.computed(variant, key.plan)
        if known.error is not None and known.error.kind == "engine" and computed_footprint is not None:
            return self._without_engine(computed_footprint, known.error)
        if not current:
            return known
        if known.error is None or known.error.kind != "engine":  # an engine that cannot start may start later
            self._known[key] = known
        if known.footprint is not None and computed_footprint is not None:
            self._compare(variant, computed_footprint, known.footprint)
        return known

    async def _told(self, key: Key, variant: Variant, ticket: Ticket) -> Footprint:
        """Return what llama.cpp says: at once where it is remembered, else when its turn comes."""
        remembered = await self._dry_run.recall(variant, key.plan)
        if remembered is not None:
            return remembered
        async with self._turns.turn(ticket):
            return await self._dry_run.footprint(variant, key.plan)

    def _is_asked(self, key: Key, ticket: Ticket) -> bool:
        """Tell whether a question still counts: its file was not forgotten, and somebody waits for it."""
        asked = self._asked.get(key)
        return asked is not None and asked.ticket is ticket

    def _without_engine(self, computed: Footprint, error: QtuiError) -> Known:
        """Return the closed form with why there is no dry run."""
        return Known(footprint=replace(computed, notes=(*computed.notes, f"computed only: {error.message}")))

    async def _compute(self, key: Key, variant: Variant) -> Known:
        """Compute the closed form and keep it; a refusal is one too."""
        if self._formula is None:
            return Known()
        forgotten = self._forgotten
        try:
            known = Known(footprint=await self._formula.footprint(variant, key.plan))
        except QtuiError as error:
            known = Known(error=error)
        if forgotten == self._forgotten:  # else the file may have changed while its header was read
            self._computed[key] = known
        return known

    def _compare(self, variant: Variant, computed: Footprint, told: Footprint) -> None:
        """Tell of a closed form that is further off than it should be."""
        if told.total and abs(computed.total - told.total) > TELLING_DIFFERENCE * told.total:
            for listener in tuple(self._difference_listeners):
                listener(variant, computed, told)


def difference_line(variant: Variant, computed: Footprint, told: Footprint) -> str:
    """Return what the log says of a closed form that differs from the dry run."""
    plan = told.plan
    parts = ", ".join(
        f"{kind} {computed.kind_bytes(kind)} / {told.kind_bytes(kind)}"
        for kind in ("weights", "context", "compute", "extra")
    )
    off = 100 * (computed.total / told.total - 1)
    return (
        f"{variant.title} ({variant.architecture or 'unknown architecture'}), ctx {plan.ctx_size}, "
        f"{plan.cache_type_k}/{plan.cache_type_v}, GPU layers {plan.n_gpu_layers}: "
        f"the closed form is {off:+.1f} % off; computed / dry run in bytes: {parts}"
    )
