"""The dry run's client: keeps one helper for further questions, and what was answered for the next start of qtui."""

from __future__ import annotations

import asyncio
import re

from qtui.core.errors import BadFileError, EngineError, PlanRefusedError, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.question import Allocated, HelperReady, Question, Refused
from qtui.core.memory.unaccounted import LeftOut
from qtui.services.engine.allocation import allocated_footprint
from qtui.services.engine.crash import explain
from qtui.services.engine.ghosts import GhostFolder, GhostShelf, Prepared
from qtui.services.engine.helper import Helper, HelperGoneError
from qtui.services.engine.remembered import Remembered
from qtui.services.library.tables import side_files

IDLE_S = 30.0
"""How long a helper stays after its last answer."""
IDLE_GPU_S = 5.0
"""The same where it holds a GPU driver's context, which takes memory of the card."""
TIME_LIMIT_S = 20.0
MOST_SLOTS = 8
"""Recurrent state is really allocated, once per slot."""
_DAMAGED = "the file may be damaged, or this llama.cpp cannot read its kind; try another quant"
_BUILD_FOLDER = re.compile(r"^\S*/(?=[^/\s]+:\d+:)")
"""Where the wheel was built, which stands before the source file's name in an assertion."""


class DryRunClient:
    """Implements `core.ports.DryRun` for the built-in engine. Questions queue; each is asked of one helper."""

    def __init__(
        self,
        *,
        idle: float | None = None,
        time_limit: float = TIME_LIMIT_S,
        options: tuple[str, ...] = (),
        remembered: Remembered = Remembered(),
        left_out: LeftOut | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            idle: seconds that a helper stays after an answer; None: 30, or 5 where it holds a GPU.
            time_limit: seconds per question.
            options: further arguments of the helper.
            remembered: what was answered before; by default nothing is kept.
            left_out: what past runs have shown that llama.cpp leaves out.
        """
        self._idle = idle
        self._time_limit = time_limit
        self._options = options
        self._remembered = remembered
        self._left_out = left_out or LeftOut()
        self._turn = asyncio.Lock()
        self._helper: Helper | None = None
        self._folder = GhostFolder()
        self._shelf = GhostShelf()
        self._names: dict[tuple[object, ...], str] = {}
        self._asked = 0
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._retiring: asyncio.Task[None] | None = None

    @property
    def helper_pid(self) -> int | None:
        """Return the helper's process id; None while there is none."""
        return self._helper.pid if self._helper is not None else None

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan; see `core.ports.DryRun`."""
        if plan.parallel > MOST_SLOTS:
            raise EngineError(
                f"the dry run is asked for at most {MOST_SLOTS} slots; this plan has {plan.parallel}",
                f"--parallel {MOST_SLOTS} or fewer can be told",
            )
        async with self._turn:
            self._stop_timer()
            try:
                prepared = await asyncio.to_thread(self._shelf.prepared, variant)
                answer, ready = await self._ask(prepared, plan)
            finally:
                self._start_timer()
        await self._remembered.put(prepared, plan, answer)
        return await self._footprint(answer, prepared, plan, ready)

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return what was answered before; see `core.ports.DryRun`."""
        try:
            prepared = await asyncio.to_thread(self._shelf.prepared, variant)
            found = await self._remembered.get(prepared, plan)
            return None if found is None else await self._footprint(found[0], prepared, plan, found[1])
        except BadFileError:
            return None  # what is wrong with a file is told when it is asked about

    async def _footprint(
        self, answer: Allocated | Refused, prepared: Prepared, plan: LoadPlan, ready: HelperReady
    ) -> Footprint:
        if isinstance(answer, Refused):
            raise _refused(answer, prepared.title)
        beside = await asyncio.to_thread(side_files, plan)
        beside.check(prepared.table.architecture, prepared.title, prepared.table.shapes if plan.lora else {})
        left_out = await self._left_out.by_card() if ready.gpus else {}
        return allocated_footprint(answer, prepared, plan, ready, beside=beside, left_out=left_out)

    async def close(self) -> None:
        """End the helper, at once also where it is asked, and remove its files; the next question starts another."""
        self._closing = True
        if self._helper is not None:
            self._helper.kill()
        try:
            async with self._turn:
                await self._drop()
        finally:
            self._closing = False
        if self._retiring is not None:
            await self._retiring

    async def _ask(self, prepared: Prepared, plan: LoadPlan) -> tuple[Allocated | Refused, HelperReady]:
        """Ask a helper; one that had died unnoticed is replaced once, one that dies over the question is not."""
        self._asked += 1
        name = self._names.setdefault(prepared.stamp, f"{len(self._names)}")
        path = await asyncio.to_thread(self._folder.write, prepared, name)
        question = Question(self._asked, str(path), plan.as_json(), prepared.tensor_bytes, prepared.embedding_bytes)
        answered = False
        try:
            while True:
                fresh = self._helper is None
                if self._helper is None:
                    self._helper = await Helper.start(*self._options)
                helper = self._helper
                try:
                    answer = await helper.ask(question, self._time_limit)
                except HelperGoneError as gone:
                    status = await helper.end(0.0)
                    self._helper = None
                    if fresh or gone.assertion or self._closing:
                        raise _death(gone, status, helper.log.tail()) from gone
                    continue
                answered = True
                return answer, helper.ready
        except TimeoutError as error:
            raise EngineError(
                f"the dry run was stopped after {self._time_limit:g} s without an answer",
                "a recurrent model with many slots takes long; try fewer (--parallel)",
            ) from error
        finally:
            await asyncio.to_thread(self._folder.clear)
            if not answered:  # cancelled or too late: what the helper still says belongs to no question
                await self._drop()

    async def _drop(self) -> None:
        self._stop_timer()
        helper, self._helper = self._helper, None
        self._folder.close()
        self._names.clear()
        if helper is not None:
            await helper.end(0.0)

    def _start_timer(self) -> None:
        if self._helper is None:
            return
        wait = self._idle if self._idle is not None else IDLE_GPU_S if self._helper.ready.gpus else IDLE_S
        self._timer = asyncio.get_running_loop().call_later(wait, self._retire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _retire(self) -> None:
        """End the helper unless a question is on its way."""
        self._timer = None
        if not self._turn.locked():
            self._retiring = asyncio.get_running_loop().create_task(self._retire_now(), name="dry-run helper retires")

    async def _retire_now(self) -> None:
        async with self._turn:
            if self._timer is None:
                await self._drop()


def _refused(answer: Refused, title: str) -> QtuiError:
    if answer.kind == "engine":
        return EngineError(answer.message, answer.hint)
    return PlanRefusedError(f"{title}: {answer.message}", answer.hint)


def _death(gone: HelperGoneError, status: int | None, log: tuple[str, ...]) -> QtuiError:
    """Return what to say of a helper that died over a question."""
    assertion = _BUILD_FOLDER.sub("", gone.assertion)
    why = explain(status or 0, log, doing="weighing a plan", assertion=assertion)
    if assertion and gone.model_taken:
        return PlanRefusedError(f"llama.cpp gave up on this plan: {assertion}", "try another context or cache type")
    if assertion or status in (-6, -8, -11):
        return BadFileError(f"llama.cpp gave up on this file: {assertion or why.message}", _DAMAGED)
    return EngineError(why.message, why.hint)
