"""The dry run's client: keeps one helper for further questions, and turns its answers into footprints."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, PlanRefusedError, QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.backends import Card, Devices, backend_of
from qtui.core.memory.closed_form.placement import placement
from qtui.core.memory.closed_form.repack import repack_rules
from qtui.core.memory.closed_form.weights import place_weights
from qtui.core.memory.extras import adapter, computed_extras
from qtui.core.memory.footprint import DeviceBytes, ExtraItem, Footprint
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.pools import resident
from qtui.core.memory.question import Allocated, HelperReady, Question, Refused
from qtui.core.origin import Origin, weakest
from qtui.core.text import clean_name
from qtui.services.engine.crash import explain
from qtui.services.engine.ghosts import GhostFolder, Prepared, prepare, stamp_of
from qtui.services.engine.helper import Helper, HelperGoneError
from qtui.services.library.source import read_file_header

IDLE_S = 30.0
"""How long a helper stays after its last answer."""
IDLE_GPU_S = 5.0
"""The same where it holds a GPU driver's context, which takes memory of the card."""
TIME_LIMIT_S = 20.0
MOST_SLOTS = 8
"""Recurrent state is really allocated, once per slot."""
KEPT_VARIANTS = 8
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
    ) -> None:
        """Start nothing yet.

        Args:
            idle: seconds that a helper stays after an answer; None: 30, or 5 where it holds a GPU.
            time_limit: seconds per question.
            options: further arguments of the helper.
        """
        self._idle = idle
        self._time_limit = time_limit
        self._options = options
        self._turn = asyncio.Lock()
        self._helper: Helper | None = None
        self._folder = GhostFolder()
        self._prepared: dict[tuple[object, ...], Prepared] = {}
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
                adapters = await asyncio.to_thread(_adapters, plan)
                answer, ready = await self._ask(prepared, plan)
            finally:
                self._start_timer()
        if isinstance(answer, Refused):
            raise _refused(answer, variant)
        return _footprint(answer, prepared, plan, adapters, ready)

    async def close(self) -> None:
        """End the helper and remove its files; the next question starts another."""
        async with self._turn:
            await self._drop()
        if self._retiring is not None:
            await self._retiring

    def _prepare(self, variant: Variant) -> Prepared:
        stamp = stamp_of(variant)
        key = (*stamp, variant.shard_count)
        found = self._prepared.pop(key, None) or prepare(variant)
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


def _adapters(plan: LoadPlan) -> tuple[ExtraItem, ...]:
    """Return the LoRA adapters of a plan; llama.cpp would really read them, so they are computed."""
    found = []
    for path, _ in plan.lora:
        header = read_file_header(Path(path))
        size = sum(-(-(tensor.size_bytes or 0) // 32) * 32 for tensor in header.tensors)
        found.append(adapter(clean_name(Path(path).name), size, plan.n_gpu_layers != 0))
    return tuple(found)


def _footprint(
    answer: Allocated, prepared: Prepared, plan: LoadPlan, adapters: tuple[ExtraItem, ...], ready: HelperReady
) -> Footprint:
    origin = Origin.DRY_RUN if answer.exact else Origin.COMPUTED
    devices = tuple(
        DeviceBytes(row.name, row.weights, row.context, row.compute, origin, row.gpu is None, row.gpu)
        for row in answer.rows
    )
    table = prepared.table
    titles = ready.descriptions or ("",) * len(ready.gpus)
    cards = tuple(Card(name, backend_of(name), title) for name, title in zip(ready.gpus, titles, strict=True))
    extra = (
        *computed_extras(table.vocabulary, table.tokenizer, plan, cards=tuple(zip(ready.gpus, titles, strict=True))),
        *adapters,
    )
    where = placement(plan, table.layers, cards)
    layout = place_weights(table, where, Devices(cards, repack_rules(ready.features))).layout
    held = resident(devices, extra, plan.load_mode, layout, len(cards))
    notes = answer.notes + ((ready.problem,) if ready.problem else ())
    if not answer.exact:
        notes += ("llama.cpp's own account cannot be read here: log lines and the tensor table were used",)
    return Footprint(
        plan=replace(plan, flash_attn=FlashAttention.ON if answer.flash_attn else FlashAttention.OFF),
        devices=devices,
        extra=extra,
        pools=held.pools,
        peak=held.peak,
        reclaimable=held.reclaimable,
        locked=held.locked,
        origin=weakest(device.origin for device in devices),
        notes=notes,
    )


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
