"""The services that measure variants, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtui.core.measure.ports import MeasureParts

if TYPE_CHECKING:
    from qtui.services.history import HistoryFile


def measure_parts(past: HistoryFile) -> MeasureParts:
    """Return what measures, what on, and where it is kept."""
    from qtui.services.engine.measure import ChildMeasurer
    from qtui.services.measure_files import MeasureFolder
    from qtui.services.measurements import MeasurementsFile
    from qtui.services.texts import TextFiles

    return MeasureParts(ChildMeasurer(), MeasureFolder(), TextFiles(), MeasurementsFile(past))
