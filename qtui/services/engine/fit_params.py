"""Another build's own `llama-fit-params`, asked what that build would allocate on the cards that it has.

It prints a line per device, `CUDA0 4096 1024 258`: weights, context and compute in whole MiB, rounded down
(llama.cpp, common/fit.cpp). It leaves out what is stored anew for the CPU, so weights and context are computed, which
is exact, and checked against it; the compute buffer is what only that build can tell.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, PlanRefusedError
from qtui.core.hardware import EngineInfo
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.closed_form.repack import NAME as REPACKED
from qtui.core.memory.command import server_arguments
from qtui.core.memory.consumers import Outputs, consumer_of
from qtui.core.memory.footprint import DeviceBytes, Footprint
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.memory.question import Allocated, BufferRow, Refused
from qtui.core.memory.unaccounted import LeftOut
from qtui.core.origin import Origin
from qtui.core.text import MIB, clean_name, duration
from qtui.services.engine.allocation import Told, told_footprint
from qtui.services.engine.brief_run import run_briefly
from qtui.services.engine.discovery import plain_environment
from qtui.services.engine.ghosts import GhostFolder, GhostShelf, Prepared
from qtui.services.engine.remembered import Info, Remembered, ready_of
from qtui.services.library.tables import side_files

TOOL = "llama-fit-params"
LIMIT_S = 30.0
"""A CUDA driver may take several seconds to start."""
HOST = "Host"
MOST_MIB = 1 << 26
_ROW = re.compile(r"^(\S{1,64}) (\d{1,9}) (\d{1,9}) (\d{1,9}) ?$", re.MULTILINE)


class FitParamsClient:
    """Implements `core.ports.DryRun` over one build's tool. Questions queue.

    Args:
        tool: the program.
        info: tells that build's cards, and the CPU features that decide what is stored anew.
        remembered: what it answered before.
        left_out: what past runs have shown that llama.cpp leaves out.
        limit: seconds per question.
        hosts: RPC hosts whose devices the build has besides its own.
    """

    def __init__(
        self, tool: Path, info: Info, *,
        remembered: Remembered | None = None, left_out: LeftOut | None = None, limit: float = LIMIT_S,
        hosts: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._tool = tool
        self._info = info
        self._remembered = remembered or Remembered()
        self._left_out = left_out or LeftOut()
        self._limit = limit
        self._lent = ("--rpc", ",".join(hosts)) if hosts else ()
        self._turn = asyncio.Lock()
        self._folder = GhostFolder()
        self._shelf = GhostShelf()

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan; see `core.ports.DryRun`."""
        prepared = await asyncio.to_thread(self._shelf.prepared, variant)
        computed = await self._computed(prepared, plan)
        async with self._turn:
            answer = await self._ask(prepared, plan)
        await self._remembered.put(prepared, plan, answer)
        return await self._footprint(answer, prepared, plan, computed)

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Return what was answered before; see `core.ports.DryRun`."""
        try:
            prepared = await asyncio.to_thread(self._shelf.prepared, variant)
            found = await self._remembered.get(prepared, plan)
            if found is None or isinstance(found[0], Refused):
                return None
            return await self._footprint(found[0], prepared, plan, await self._computed(prepared, plan))
        except (BadFileError, PlanRefusedError, EngineError):
            return None  # asked, it is told in full

    async def close(self) -> None:
        """Remove the ghosts."""
        async with self._turn:
            await asyncio.to_thread(self._folder.close)

    async def _computed(self, prepared: Prepared, plan: LoadPlan) -> Footprint:
        return footprint_of(prepared.table, plan, await self._info(), title=prepared.title)

    async def _ask(self, prepared: Prepared, plan: LoadPlan) -> Allocated:
        """Run the tool over the ghost.

        Raises:
            PlanRefusedError: the build refuses the file or the plan; its last line says why.
            EngineError: it cannot be started, does not end, or prints something else.
        """
        try:
            path = await asyncio.to_thread(self._folder.write, prepared, "asked")
            # Slots share one cache, which it cannot be told: their part of the context is computed.
            asked = replace(
                plan, parallel=1, lora=(), mmproj="", extra="", load_mode=LoadMode.AUTO, threads=0, threads_batch=0
            )
            command = (
                str(self._tool.absolute()), *self._lent, *server_arguments(asked, path), "--fit-print", "on",
            )  # fmt: skip
            outcome = await run_briefly(command, self._limit, plain_environment())
        except OSError as error:
            raise EngineError(f"{TOOL} cannot be started: {clean_name(error.strerror or '')}", "qtui doctor") from error
        finally:
            await asyncio.to_thread(self._folder.clear)
        last = clean_name(outcome.lines[-1], 200) if outcome.lines else "it printed nothing"
        if outcome.status is None:
            raise EngineError(f"{TOOL} did not answer within {duration(self._limit)}", "its driver may be in trouble")
        if outcome.status < 0:
            raise EngineError(f"{TOOL} died (signal {-outcome.status}): {last}", "that build cannot read this file")
        if outcome.status:
            message = f"{prepared.title}: {TOOL} refused: {last}"
            raise PlanRefusedError(message, "take another plan, or update the build")
        return _rows(outcome.out, await self._info(), last)

    async def _footprint(self, answer: Allocated, prepared: Prepared, plan: LoadPlan, computed: Footprint) -> Footprint:
        info = await self._info()
        build = f"{TOOL} of {info.build or clean_name(str(self._tool))}"
        notes = [f"compute as {build} tells it, in whole MiB"]
        if consumer_of(plan.engine).outputs is Outputs.SLOT:
            notes.append("it reserves logits for a whole batch, of which a server needs a row per slot: at most this")
        checked = ("weights", "context") if plan.parallel == 1 else ("weights",)
        devices = tuple(_told(row, answer, computed, checked) for row in computed.devices)
        if any(device.origin is Origin.COMPUTED for device in devices):
            notes.append(f"{build} tells other weights or another context than computed: these are computed")
        beside = await asyncio.to_thread(side_files, plan)
        beside.check(prepared.table.architecture, prepared.title, prepared.table.shapes if plan.lora else {})
        left_out = await self._left_out.by_card() if info.gpus else {}
        told = Told(devices, computed.plan, ready_of(info), (*computed.notes, *notes))
        return told_footprint(told, prepared, beside=beside, left_out=left_out)


def _rows(text: str, info: EngineInfo, last: str) -> Allocated:
    """Read what the tool printed: one row for each card of the build, and the host's."""
    found = {name: tuple(int(size) for size in sizes) for name, *sizes in _ROW.findall(text)}
    names = [card.name for card in info.gpus]
    if set(found) != {*names, HOST} or any(size > MOST_MIB for sizes in found.values() for size in sizes):
        raise EngineError(f"{TOOL} prints something else than devices and sizes: {last}", "an old build?")
    rows = []
    for index, name in enumerate((*names, HOST)):
        weights, context, compute = (size * MIB for size in found[name])
        rows.append(BufferRow(name, weights, context, compute, index if name != HOST else None))
    return Allocated(0, tuple(rows), flash_attn=True)


def _told(row: DeviceBytes, answer: Allocated, computed: Footprint, checked: Sequence[str]) -> DeviceBytes:
    """Return a computed row with the compute buffer as it was told; computed all of it where the rest disagrees."""
    said = next(told for told in answer.rows if told.gpu == row.gpu)
    mine = [other for other in computed.devices if other.gpu == row.gpu and other.name != REPACKED]
    for part in checked:
        if abs(sum(getattr(other, part) for other in mine) - MIB // 2 - getattr(said, part)) > MIB:
            return row
    if row.name == REPACKED or not row.compute:
        return replace(row, origin=Origin.DRY_RUN, band=0)
    if said.compute <= row.compute < said.compute + MIB:
        return replace(row, origin=Origin.DRY_RUN, band=MIB)
    return replace(row, compute=said.compute + MIB // 2, origin=Origin.DRY_RUN, band=MIB // 2)
