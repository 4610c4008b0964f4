"""A place over the library that also tells what each variant loses against the whole model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from textual import on, work

from qtui.core.advice.loss import Loss, ReadLosses
from qtui.core.current_plan import CurrentPlan
from qtui.core.errors import QtuiError
from qtui.core.forecast import Forecast
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.ports import Library
from qtui.ui.measure_messages import LossesTold, OpenMeasure
from qtui.ui.messages import ScanEnded
from qtui.ui.places.library_place import LibraryPlace
from qtui.ui.vitals import Vitals


class LosingPlace(LibraryPlace):
    """Looks at the history's measurements and at the published figures once a scan has ended."""

    def __init__(
        self, *, library: Library, guard: Guard, footprints: Footprints, current: CurrentPlan,
        folders: Sequence[Path], vitals: Vitals, forecast: Forecast | None = None, losses: ReadLosses | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            library=library, guard=guard, footprints=footprints, current=current, folders=folders, vitals=vitals,
            forecast=forecast,
        )  # fmt: skip
        self._read_losses = losses

    def loss(self, path: Path) -> Loss | None:
        """Return what a variant loses, None while that is not known."""
        return self.shelf.loss(path)

    def action_measure(self) -> None:
        """Open what can be measured of the model under the cursor."""
        here, (variants, _) = self.subject(), self.choices()
        if here is None:
            return
        if here in variants:
            self.post_message(OpenMeasure(variants, here))
        else:
            self.notify(f"{here.title} cannot be loaded, so it cannot be measured.", severity="warning", markup=False)

    @on(ScanEnded)
    def look_at_losses(self) -> None:
        """Look at what was measured, and what was published."""
        if self._read_losses is not None:
            self._lose(self._read_losses)

    @on(LossesTold)
    def take_losses(self, event: LossesTold) -> None:
        """Show what variants lose."""
        self.shelf.lose(event.losses)
        self._draw_soon()

    @work(exclusive=True, group="losses")
    async def _lose(self, read: ReadLosses) -> None:
        losses, _ = await asyncio.to_thread(read)
        variants = [variant for variant in self.shelf.variants.values() if variant.loadable]
        try:
            self.post_message(LossesTold(await losses.of(variants)))
        except QtuiError as error:
            self.notify(f"{error.message}. {error.hint}", severity="warning", markup=False)
