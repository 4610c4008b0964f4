"""The duel run: one prompt to the sides of the Arena, as a stream of events. A verb and a screen show the same events.

One side is a plain chat. Two sides answer *alternating* (both loaded, one computes at a time, so that rates are fair),
*together* (both compute at once: for reading, the rates are shared) or *in turn* (load, answer, unload, load), which
is chosen by itself when both do not fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

from qtui.core.duel.conversation import DUEL_SAMPLING, Message, Request, Sampling
from qtui.core.duel.remedy import plan_that_fits
from qtui.core.duel.side import DuelSide, SideResult
from qtui.core.errors import Failure, QtuiError
from qtui.core.events import Answered, Failed, Loaded, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Pools
from qtui.core.memory.guard import Guard, Weighing, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit
from qtui.core.ports import Engine, Session
from qtui.core.settings import BUILT_IN_ENGINE


class DuelMode(StrEnum):
    """Who computes when."""

    ALTERNATING = "alternating"
    TOGETHER = "together"
    IN_TURN = "in_turn"


@dataclass(frozen=True, slots=True)
class ModeChosen:
    """How this round runs, and why."""

    mode: DuelMode
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SideWeighed:
    """What a side will need, before it is loaded."""

    side: str
    weighing: Weighing


@dataclass(frozen=True, slots=True)
class SideWaits:
    """A side waits until another has answered."""

    side: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class SideHappened:
    """Something happened in a side's session."""

    side: str
    event: SessionEvent


@dataclass(frozen=True, slots=True)
class SideUnloaded:
    """A side's session was ended to make room for the other."""

    side: str


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """The round is over: every side answered, failed, or was stopped."""

    prompt: str
    mode: DuelMode
    sides: tuple[SideResult, ...]


DuelEvent = ModeChosen | SideWeighed | SideWaits | SideHappened | SideUnloaded | RoundEnded


class Duel:
    """One conversation of one or two sides. Sessions stay loaded between rounds where they fit."""

    def __init__(
        self, engine: Engine, guard: Guard, *, sampling: Sampling = DUEL_SAMPLING, force: bool = False
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._sides: dict[str, DuelSide] = {}
        self._stopping = False
        self.sampling = sampling
        self.system = ""
        self.force = force
        self.mode: DuelMode | None = None
        """The mode that is wanted; None: it is chosen."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels of the sides that hold a variant, in order."""
        return tuple(sorted(self._sides))

    @property
    def stopped(self) -> bool:
        """Tell whether the last run was stopped."""
        return self._stopping

    def transcript(self, label: str) -> tuple[Message, ...]:
        """Return the turns of a side so far, the system prompt not counted."""
        return self._sides[label].transcript

    def failure(self, label: str) -> Failure | None:
        """Return why a side failed when it was last loaded or asked, None where it did not."""
        side = self._sides.get(label)
        return side.outcome.failure if side else None

    def session(self, label: str) -> Session | None:
        """Return a side's session, None while it is not loaded."""
        side = self._sides.get(label)
        return side.session if side else None

    async def put(self, label: str, variant: Variant, plan: LoadPlan, *, force: bool = False) -> None:
        """Put a variant on a side; the side's old session ends, its transcript stays. `force` loads past the guard."""
        old = self._sides.get(label)
        self._sides[label] = side = DuelSide(label, variant, plan, force=force)
        if old:
            side.transcript, side.asked, side.before = old.transcript, old.asked, old.before
            await old.unload()

    def join(self, label: str, other: str) -> None:
        """Let a side read the turns of another as its own, so that both answer the next prompt from the same ones."""
        side, source = self._sides[label], self._sides[other]
        side.transcript, side.asked, side.before = source.transcript, source.asked, source.before

    async def unload(self, label: str) -> None:
        """End a side's session; the next prompt loads it again."""
        await self._sides[label].unload()

    async def remove(self, label: str) -> None:
        """Take a variant from a side and end its session."""
        side = self._sides.pop(label, None)
        if side:
            await side.unload()

    @contextmanager
    def aside(self, sampling: Sampling) -> Iterator[None]:
        """Ask other things within than the conversation, without its system prompt; it goes on after that as it was."""
        before = self.sampling, self.system, self.mode
        talks = {label: (side.transcript, side.asked, side.before) for label, side in self._sides.items()}
        self.sampling, self.system, self.mode = sampling, "", None
        try:
            yield
        finally:
            self.sampling, self.system, self.mode = before
            for label, side in self._sides.items():
                side.transcript, side.asked, side.before = talks.get(label, ((), "", ()))

    def clear(self) -> None:
        """Begin a new conversation on the loaded sessions."""
        for side in self._sides.values():
            side.transcript, side.asked, side.before = (), "", ()

    def take_back(self, prompt: str, *, only: Collection[str] = ()) -> None:
        """Drop the last exchange of each side, or of some, if it was this prompt, so that it can be asked again."""
        for side in self._chosen(only):
            if side.asked == prompt:
                side.transcript = side.before

    async def load(self, label: str) -> AsyncGenerator[DuelEvent, None]:
        """Load one side now, without a prompt: SideWeighed, then the session's events to Loaded or Failed.

        Where it does not fit beside the sides that are loaded it is left for its turn: SideWaits.
        """
        self._stopping = False
        side = self._sides[label]
        async for event in self._weigh(side):
            yield event
        if side.failed or side.session:
            return
        chosen = await self._choose(None)
        if chosen.mode is DuelMode.IN_TURN:
            yield chosen
            yield SideWaits(label, next(other for other in self.labels if other != label))
            return
        async for event in self._load(side):
            yield event

    async def ask(
        self, prompt: str, *, mode: DuelMode | None = None, raw: bool = False, timed: bool = True,
        only: Collection[str] = (), order: Sequence[str] = (),
    ) -> AsyncGenerator[DuelEvent, None]:  # fmt: skip
        """Put one prompt to all sides, or to some.

        `raw` continues the text without the chat template. `timed` rounds start from an empty cache. With `mode` None
        it is the duel's, or chosen: alternating, or in turn when both do not fit. Sides compute in `order`, else in
        that of their labels. Ends with RoundEnded, also when stopped.
        """
        self._stopping = False
        sides = sorted(self._chosen(only), key=lambda side: (*order, side.label).index(side.label))
        for side in sides:
            side.result = SideResult(side.label, side.variant)
            async for event in self._weigh(side):
                yield event
        chosen = await self._choose(mode or self.mode)
        yield chosen
        if chosen.mode is DuelMode.TOGETHER and chosen.reason:
            for side in sides:
                yield _refuse_together(side, chosen.reason)
        if chosen.mode is DuelMode.TOGETHER:
            stream = self._together(sides, prompt, raw, timed)
        else:
            stream = self._one_by_one(sides, prompt, raw, timed, unload=chosen.mode is DuelMode.IN_TURN)
        async with aclosing(stream):  # a consumer that leaves early ends the tasks of both sides here
            async for event in stream:
                yield event
        by_label = sorted(sides, key=lambda side: side.label)
        yield RoundEnded(prompt, chosen.mode, tuple(side.result for side in by_label if side.result))

    async def remedy(self, label: str) -> Weighing | None:
        """Return the best plan under which a refused side would be loaded, None where there is none.

        What another program cannot load the built-in engine may.
        """
        side = self._sides.get(label)
        if side is None or side.weighing is None:
            return None
        asked, failure = side.weighing.plan, side.outcome.failure
        if failure is not None and failure.kind == "plan_refused" and asked.engine != BUILT_IN_ENGINE:
            plan = replace(asked, engine=BUILT_IN_ENGINE, extra="")
            weighing = await self._guard.weigh(side.variant, plan, giving_back=self._held())
            return None if refusal(side.variant, weighing) else weighing
        return await plan_that_fits(self._guard, side.variant, side.weighing, giving_back=self._held())

    async def weigh(self, variant: Variant, plan: LoadPlan) -> Weighing:
        """Weigh a variant that is on no side, with what the sides hold given back."""
        return await self._guard.weigh(variant, plan, giving_back=self._held())

    async def stop(self) -> None:
        """Stop the round: what computes is cancelled, what waits does not start. What was written stays."""
        self._stopping = True
        await asyncio.gather(*(side.session.cancel() for side in self._sides.values() if side.session))

    async def close(self) -> None:
        """End all sessions."""
        self._stopping = True
        await asyncio.gather(*(side.unload() for side in self._sides.values()))

    def _held(self) -> Pools:
        return sum((side.holds for side in self._sides.values()), Pools())

    def _chosen(self, only: Collection[str]) -> list[DuelSide]:
        return [self._sides[label] for label in self.labels if not only or label in only]

    async def _weigh(self, side: DuelSide) -> AsyncGenerator[DuelEvent, None]:
        """Weigh a side alone: the others can give back what they hold, in turn."""
        side.result = SideResult(side.label, side.variant)
        if side.session is not None and side.session.ended:  # it died while nothing was asked: it is loaded again
            await side.unload()
        if side.session is None:
            side.weighing = await self._guard.weigh(side.variant, side.plan, giving_back=self._held())
            yield SideWeighed(side.label, side.weighing)
            failure = side.unloadable or (None if self.force or side.force else refusal(side.variant, side.weighing))
            if failure:
                side.result = replace(side.result, failure=failure)
                yield SideHappened(side.label, Failed(failure))
        side.result = replace(side.result, weighing=side.weighing, loaded=side.loaded)

    async def _choose(self, wanted: DuelMode | None) -> ModeChosen:
        """Choose in turn when the sides do not fit at once, else what is wanted.

        Together stays together, with the reason why that cannot be.
        """
        live = [side for side in self._sides.values() if side.session or not side.failed]
        waiting = [side for side in live if side.session is None]
        if len(live) < 2 or not waiting or wanted is DuelMode.IN_TURN:
            return ModeChosen(wanted or DuelMode.ALTERNATING)
        resident = sum((Pools(0, side.holds.ram_file_backed) for side in live if side.session), Pools())
        for side in waiting[1:]:
            if side.weighing and side.weighing.footprint:
                resident += side.weighing.footprint.pools
        first = waiting[0]
        at_once = await self._guard.weigh(first.variant, first.plan, beside=resident)
        if self.force or at_once.verdict.fit not in (Fit.TOO_BIG, Fit.FROM_DISK):
            return ModeChosen(wanted or DuelMode.ALTERNATING)
        mode = DuelMode.TOGETHER if wanted is DuelMode.TOGETHER else DuelMode.IN_TURN
        return ModeChosen(mode, f"both do not fit at once: {at_once.verdict.reason}")

    async def _one_by_one(
        self, sides: Sequence[DuelSide], prompt: str, raw: bool, timed: bool, *, unload: bool
    ) -> AsyncGenerator[DuelEvent, None]:
        live = [side for side in sides if not side.failed]
        if not unload:
            for side in live:  # all loads first: a load beside an answer would slow it
                async for event in self._load(side):
                    yield event
        for index, side in enumerate(live):
            for later in live[index + 1 :]:
                yield SideWaits(later.label, side.label)
            if unload and not self._stopping:
                for other in self._sides.values():
                    if other is not side and other.session:
                        await other.unload()
                        yield SideUnloaded(other.label)
                async for event in self._load(side):
                    yield event
            async for event in self._answer(side, prompt, raw, timed):
                yield event

    async def _together(
        self, sides: Sequence[DuelSide], prompt: str, raw: bool, timed: bool
    ) -> AsyncGenerator[DuelEvent, None]:
        live = [side for side in sides if not side.failed]
        for side in live:
            async for event in self._load(side):
                yield event
        queue: asyncio.Queue[DuelEvent | None] = asyncio.Queue()

        async def run(side: DuelSide) -> None:
            try:
                async for event in self._answer(side, prompt, raw, timed):
                    queue.put_nowait(event)
            finally:
                queue.put_nowait(None)

        tasks = [asyncio.create_task(run(side)) for side in live]
        try:
            running = len(tasks)
            while running:
                arrived = await queue.get()
                if arrived is None:
                    running -= 1
                else:
                    yield arrived
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _load(self, side: DuelSide) -> AsyncGenerator[DuelEvent, None]:
        if side.session or self._stopping or side.failed:
            return
        try:
            side.session = self._engine.open(side.variant, side.weighing.plan if side.weighing else side.plan)
            async for event in side.session.load():
                if isinstance(event, Loaded):
                    side.loaded = event
                    side.result = replace(side.outcome, loaded=event)
                elif isinstance(event, Failed):
                    side.result = replace(side.outcome, failure=event.failure)
                yield SideHappened(side.label, event)
        except QtuiError as error:
            side.result = replace(side.outcome, failure=Failure.of(error))
            yield SideHappened(side.label, Failed(Failure.of(error), fatal=True))
        if side.loaded is None:
            await side.unload()

    async def _answer(self, side: DuelSide, prompt: str, raw: bool, timed: bool) -> AsyncGenerator[DuelEvent, None]:
        if side.session is None or self._stopping:
            return
        side.asked, side.before = prompt, side.transcript
        asked = (*side.transcript, Message("user", prompt))
        system = (Message("system", self.system),) if self.system else ()
        request = Request(
            messages=(*system, *asked), raw=prompt if raw else None, sampling=self.sampling, reuse_prefix=not timed
        )
        async for event in side.session.ask(request):
            if isinstance(event, Answered):
                side.result = replace(side.outcome, answer=event.answer)
                side.transcript = (*asked, Message("assistant", event.answer.text))
            elif isinstance(event, Failed):
                side.result = replace(side.outcome, failure=event.failure)
                if event.fatal:
                    await side.unload()
            yield SideHappened(side.label, event)


def _refuse_together(side: DuelSide, reason: str) -> SideHappened:
    """Fail a side that was to compute beside another and does not fit there."""
    failure = Failure(f"together is not possible: {reason}", "leave --mode out: they answer in turn then", "memory")
    side.result = replace(side.outcome, failure=side.outcome.failure or failure)
    return SideHappened(side.label, Failed(failure))
