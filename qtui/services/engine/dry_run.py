"""The dry run's client: keeps one helper for further questions, and what was answered for the next start of qtui."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, PlanRefusedError, QtuiError
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.extras import SideFiles
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.question import Allocated, HelperReady, Question, Refused, deciding_options
from qtui.core.wire import cleaned, decode, encode
from qtui.services.engine.allocation import allocated_footprint
from qtui.services.engine.answers import Answers
from qtui.services.engine.crash import explain
from qtui.services.engine.ghosts import GhostFolder, Prepared, prepare, stamp_of
from qtui.services.engine.helper import Helper, HelperGoneError
from qtui.services.library.tables import side_file

IDLE_S = 30.0
"""How long a helper stays after its last answer."""
IDLE_GPU_S = 5.0
"""The same where it holds a GPU driver's context, which takes memory of the card."""
TIME_LIMIT_S = 20.0
MOST_SLOTS = 8
"""Recurrent state is really allocated, once per slot."""
KEPT_VARIANTS = 8
ANSWERS_VERSION = 1
"""Of the meaning of kept answers: raised when the helper learns to answer differently."""
_DAMAGED = "the file may be damaged, or this llama.cpp cannot read its kind; try another quant"
_BUILD_FOLDER = re.compile(r"^\S*/(?=[^/\s]+:\d+:)")
"""Where the wheel was built, which stands before the source file's name in an assertion."""


Info = Callable[[], Awaitable[EngineInfo]]


class DryRunClient:
    """Implements `core.ports.DryRun` for the built-in engine. Questions queue; each is asked of one helper."""

    def __init__(
        self,
        *,
        idle: float | None = None,
        time_limit: float = TIME_LIMIT_S,
        options: tuple[str, ...] = (),
        info: Info | None = None,
        answers: Answers | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            idle: seconds that a helper stays after an answer; None: 30, or 5 where it holds a GPU.
            time_limit: seconds per question.
            options: further arguments of the helper.
            info: tells build and devices of the engine that is asked, without starting a helper.
            answers: where answers are kept; without it, or without `info`, none is.
        """
        self._idle = idle
        self._time_limit = time_limit
        self._options = options
        self._info = info
        self._answers = answers
        self._turn = asyncio.Lock()
        self._helper: Helper | None = None
        self._folder = GhostFolder()
        self._prepared: dict[tuple[object, ...], Prepared] = {}
        self._reading = threading.Lock()
        self._names: dict[tuple[object, ...], str] = {}
        self._asked = 0
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
                prepared = await asyncio.to_thread(self._prepare, variant)
                beside = await asyncio.to_thread(_side_files, plan)
                answer, ready = await self._ask(prepared, plan)
            finally:
                self._start_timer()
        await self._keep(prepared, plan, answer)
        if isinstance(answer, Refused):
            raise _refused(answer, variant)
        return allocated_footprint(answer, prepared, plan, ready, beside)

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return what was answered before; see `core.ports.DryRun`."""
        if self._answers is None or self._info is None:
            return None
        info = await self._info()
        if not info.usable or _follows_free_memory(plan, info):
            return None
        try:
            prepared = await asyncio.to_thread(self._prepare, variant)
            beside = await asyncio.to_thread(_side_files, plan)
        except QtuiError:
            return None  # what is wrong with a file is told when it is asked about
        line = await asyncio.to_thread(self._answers.get, _key(prepared, plan, info))
        answer = cleaned(decode(line, (Allocated, Refused))) if line is not None else None
        if isinstance(answer, Refused):
            raise _refused(answer, variant)
        if not isinstance(answer, Allocated):
            return None
        gpus = info.gpus
        ready = HelperReady(
            info.build, tuple(gpu.name for gpu in gpus), info.problem, tuple(gpu.description for gpu in gpus),
            info.features,
        )  # fmt: skip
        return allocated_footprint(answer, prepared, plan, ready, beside)

    async def close(self) -> None:
        """End the helper and remove its files; the next question starts another."""
        async with self._turn:
            await self._drop()
        if self._retiring is not None:
            await self._retiring

    async def _keep(self, prepared: Prepared, plan: LoadPlan, answer: Allocated | Refused) -> None:
        """Keep an answer that holds for the next time too."""
        if self._answers is None or self._info is None or (isinstance(answer, Refused) and answer.kind == "engine"):
            return
        info = await self._info()
        if info.usable and not _follows_free_memory(plan, info):
            await asyncio.to_thread(self._answers.put, _key(prepared, plan, info), encode(answer))

    def _prepare(self, variant: Variant) -> Prepared:
        """Read a variant, or take what was read of the same files; several threads may be here at once."""
        key = (*stamp_of(variant), variant.shard_count)
        with self._reading:
            found = self._prepared.pop(key, None)
        found = found or prepare(variant)
        with self._reading:
            self._prepared[key] = found
            while len(self._prepared) > KEPT_VARIANTS:
                del self._prepared[next(iter(self._prepared))]
        return found

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
                    if fresh or gone.assertion:
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


def _side_files(plan: LoadPlan) -> SideFiles:
    """Read the headers of a plan's adapters and of its projector, which a dry run would really load."""
    adapters = tuple(side_file(Path(path)) for path, _ in plan.lora)
    return SideFiles(adapters, side_file(Path(plan.mmproj)) if plan.mmproj else None)


def _key(prepared: Prepared, plan: LoadPlan, info: EngineInfo) -> str:
    """Return the digest of a question: the header without its tokenizer, the engine, and what of the plan counts."""
    engine = (info.build, info.version, info.features, [(card.name, card.description) for card in info.gpus])
    question = json.dumps([ANSWERS_VERSION, prepared.digest, engine, deciding_options(plan)], sort_keys=True)
    return hashlib.sha256(question.encode("ascii")).hexdigest()


def _follows_free_memory(plan: LoadPlan, info: EngineInfo) -> bool:
    """Tell whether llama.cpp would divide the layers by what is free at that moment: an answer holds only once."""
    return len(info.gpus) > 1 and plan.n_gpu_layers != 0 and not plan.tensor_split


def _refused(answer: Refused, variant: Variant) -> QtuiError:
    if answer.kind == "engine":
        return EngineError(answer.message, answer.hint)
    return PlanRefusedError(f"{variant.title}: {answer.message}", answer.hint)


def _death(gone: HelperGoneError, status: int | None, log: tuple[str, ...]) -> QtuiError:
    """Return what to say of a helper that died over a question."""
    assertion = _BUILD_FOLDER.sub("", gone.assertion)
    why = explain(status or 0, log, doing="weighing a plan", assertion=assertion)
    if assertion and gone.model_taken:
        return PlanRefusedError(f"llama.cpp gave up on this plan: {assertion}", "try another context or cache type")
    if assertion or status in (-6, -8, -11):
        return BadFileError(f"llama.cpp gave up on this file: {assertion or why.message}", _DAMAGED)
    return EngineError(why.message, why.hint)
