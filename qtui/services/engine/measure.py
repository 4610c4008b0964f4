"""Measures texts in child processes, one model in each."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from qtui.core.errors import BadFileError, EngineError, MemoryRefusedError, PlanRefusedError, QtuiError, UsageError
from qtui.core.measure.messages import (
    MEASURE_REPLIES,
    MeasureDone,
    MeasureEvent,
    MeasureFailed,
    MeasureJob,
    TextTokenised,
)
from qtui.services.engine.one_job import run_job

CHILD = "qtui.services.engine.child.measure"
_KINDS = {
    kind.kind: kind for kind in (BadFileError, UsageError, EngineError, PlanRefusedError, MemoryRefusedError)
}  # fmt: skip


class ChildMeasurer:
    """Implements `core.measure.ports.Measurer`."""

    async def run(self, job: MeasureJob) -> AsyncGenerator[MeasureEvent, None]:
        """Do one job in a child; see `core.measure.ports.Measurer`."""
        ends = (TextTokenised, MeasureDone, MeasureFailed)
        async with aclosing(run_job(CHILD, job, MEASURE_REPLIES, ends, "measuring")) as replies:
            async for reply in replies:
                if isinstance(reply, MeasureFailed):
                    raise _error(reply)
                yield reply


def _error(reply: MeasureFailed) -> QtuiError:
    failure = reply.failure
    return _KINDS.get(failure.kind, EngineError)(failure.message, failure.hint)
