"""Measures texts in child processes, one model in each."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from qtui.core.measure.messages import (
    MEASURE_REPLIES,
    MeasureDone,
    MeasureEvent,
    MeasureFailed,
    MeasureJob,
    TextTokenised,
)
from qtui.services.engine.one_job import Worker, run_job

MEASURER = Worker(
    "qtui.services.engine.child.measure", "measuring", MEASURE_REPLIES, (TextTokenised, MeasureDone), MeasureFailed
)


class ChildMeasurer:
    """Implements `core.measure.ports.Measurer`."""

    async def run(self, job: MeasureJob) -> AsyncGenerator[MeasureEvent, None]:
        """Do one job in a child; see `core.measure.ports.Measurer`."""
        async with aclosing(run_job(MEASURER, job)) as replies:
            async for reply in replies:
                yield reply
