"""What the Arena asks of the duel: one operation at a time, each of which posts what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass

from textual.message import Message

from qtui.core.duel.conversation import Sampling
from qtui.core.duel.run import Duel, DuelEvent
from qtui.core.duel.suite_run import SuiteEvent
from qtui.core.errors import Failure, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.ui.messages import DuelBroke, DuelHappened, DuelRested, SidePut
from qtui.ui.suite_messages import SuiteHappened


@dataclass(frozen=True, slots=True)
class Placing:
    """A variant for a side, and how it is loaded."""

    variant: Variant
    plan: LoadPlan
    force: bool = False
    """Past the guard."""
    joins: str = ""
    """The side whose turns it reads as its own."""


class Operations:
    """Runs operations in the order in which they were begun; a new one waits until the one before has ended."""

    def __init__(self, duel: Duel, post: Callable[[Message], object]) -> None:
        self._duel = duel
        self._post = post
        self._turn = asyncio.Lock()
        self._begun = 0
        self._ended = 0
        self._stopped = 0

    @property
    def running(self) -> bool:
        """Tell whether any operation has not ended."""
        return self._ended != self._begun

    def begin(self) -> int:
        """Return the number of a new operation."""
        self._begun += 1
        return self._begun

    def note_end(self, number: int) -> bool:
        """Note that an operation has ended; tell whether it was the last one."""
        self._ended = number
        return not self.running

    async def put(self, number: int, changed: Mapping[str, Placing | None], *, stop: bool) -> None:
        """Put variants on sides, or take them off, and load them; `stop` ends what runs before that."""
        if stop and number - 1 != self._ended:
            await self._duel.stop()
        async with self._turn:
            for label, placing in changed.items():
                await self._place(label, placing)
            for label in self._duel.labels:
                if changed.get(label) is not None:
                    await self._pass_on(self._duel.load(label))
            self._post(DuelRested(number))

    async def _place(self, label: str, placing: Placing | None) -> None:
        if placing is None:
            await self._duel.remove(label)
            self._post(SidePut(label, None))
            return
        await self._duel.put(label, placing.variant, placing.plan, force=placing.force)
        joined = placing.joins if placing.joins in self._duel.labels else ""
        if joined:
            self._duel.join(label, joined)
        self._post(SidePut(label, placing.variant, joined))

    async def ask(
        self, number: int, prompt: str, sampling: Sampling, system: str, *, timed: bool, only: Collection[str] = ()
    ) -> None:
        """Put a prompt to all sides, or to some."""
        async with self._turn:
            if self._stopped < number:
                self._duel.sampling, self._duel.system = sampling, system
                await self._pass_on(self._duel.ask(prompt, timed=timed, only=only))
            self._post(DuelRested(number))

    async def suite(self, number: int, sampling: Sampling, events: AsyncIterator[SuiteEvent]) -> None:
        """Put the tasks of a suite to the sides; the conversation is afterwards what it was."""
        async with self._turn:
            if self._stopped < number:
                with self._duel.aside(sampling):
                    try:
                        async for event in events:
                            self._post(SuiteHappened(event))
                    except QtuiError as error:
                        self._post(DuelBroke(Failure.of(error)))
            self._post(DuelRested(number))

    async def stop(self) -> None:
        """Stop what runs, and drop what waits."""
        self._stopped = self._begun
        await self._duel.stop()

    async def _pass_on(self, events: AsyncIterator[DuelEvent]) -> None:
        try:
            async for event in events:
                self._post(DuelHappened(event))
        except QtuiError as error:
            self._post(DuelBroke(Failure.of(error)))
