"""The app's way to new quants and to what quants lose: the panels, and what quitting would do to what they do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work

from qtui.core.text import clean_name, size
from qtui.core.user_path import user_path
from qtui.ui.advising import Advising
from qtui.ui.measure_messages import OpenDiff, OpenMeasure
from qtui.ui.quantise_messages import OpenQuantise
from qtui.ui.running import Running

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.duel.run import RoundEnded
    from qtui.core.library.variant import Variant
    from qtui.core.measure.events import ExchangeMeasured
    from qtui.ui.places.models import ModelsPlace


class Making(Advising):
    """A shell that can make quants, and measure them."""

    _models: ModelsPlace | None = None
    _divergence: tuple[RoundEnded, ExchangeMeasured] | None = None
    """What was last measured of a round."""

    @on(OpenQuantise)
    def open_quantise(self, event: OpenQuantise) -> None:
        """Show what quants can be made of a variant."""
        from qtui.core.quantise.weighing import weigher
        from qtui.ui.panels.quantise import QuantisePanel

        workshop = self._parts.workshop
        if workshop is None:
            self.notify("Nothing can be made here.", severity="warning")
            return

        def closed(made: bool | None) -> None:
            if made and self._models is not None:
                self._models.look_again()
            if panel.made is not None and panel.made.parent not in (event.variant.path.parent, *self._own_folders()):
                file, where = clean_name(panel.made.name), clean_name(str(panel.made.parent), 400)
                told = f"{file} is in {where}, which Models does not list: settings (,) take folders"
                self.notify(told, severity="warning", timeout=15, markup=False)

        weigh = weigher(self._parts.guard, self._parts.library, event.variant)
        folder, measuring = self._folder_for(event.variant), self._parts.made_measuring
        panel = QuantisePanel(event.variant, workshop, folder, weigh, measuring)
        self.push_screen(panel, closed)

    @on(OpenMeasure)
    def open_measure(self, event: OpenMeasure) -> None:
        """Show what of a model can be measured."""
        from qtui.core.measure.request import best_reference
        from qtui.ui.panels.measure import MeasurePanel

        measures, reference = self._parts.measures, best_reference(event.variants)
        if self._vitals.covered:
            self.notify("A blind round is open: vote first, or show names (n in the Arena).", severity="warning")
        elif measures is None:
            self.notify("Nothing can be measured here.", severity="warning")
        elif reference is None or len(event.variants) < 2:
            self.notify(
                "Nothing to measure it against: no other variant of its model is here. Its F16 or Q8_0 is the best.",
                severity="warning",
            )
        else:

            def closed(measured: bool | None) -> None:
                if measured and self._models is not None:
                    self._models.look_at_losses()

            self.push_screen(MeasurePanel(event.variants, event.here, reference, measures), closed)

    @on(OpenDiff)
    def open_diff(self, event: OpenDiff) -> None:
        """Show where the answers of a round differ; what is measured of it is not measured again."""
        from qtui.ui.panels.diff import DiffPanel

        ended, before = event.ended, self._divergence
        known = before[1] if before is not None and before[0] is ended else None

        def closed(measured: ExchangeMeasured | None) -> None:
            if measured is not None:
                self._divergence = (ended, measured)

        self.push_screen(DiffPanel(ended, self._parts.measures, known), closed)

    @work(group="clear")
    async def clear_leftovers(self) -> None:
        """Remove what a killed qtui had left of quants that it made, and say so."""
        workshop = self._parts.workshop
        if workshop is None:
            return
        removed = await asyncio.to_thread(workshop.sweep)
        if removed:
            names = ", ".join(f"{clean_name(str(one.path))} ({size(one.size)})" for one in removed)
            self.notify(f"Removed what a killed qtui had left: {names}", severity="warning", markup=False)

    def at_stake(self) -> Sequence[Running]:
        """Return what runs besides what the places run."""
        from qtui.ui.panels.measure import MeasurePanel
        from qtui.ui.panels.quantise import QuantisePanel

        panels = [screen for screen in self.screen_stack if isinstance(screen, QuantisePanel | MeasurePanel)]
        return [*super().at_stake(), *(one for panel in panels for one in panel.running())]

    def _folder_for(self, variant: Variant) -> Path:
        """Return where a result goes: beside its source, unless another program keeps that folder."""
        from qtui.core.library.owner import Owner

        if variant.owner is Owner.USER:
            return variant.path.parent
        folders = self._own_folders()
        return next((folder for folder in folders if os.path.isdir(folder)), Path.home())  # noqa: PTH112 - it never fails

    def _own_folders(self) -> list[Path]:
        """Return the user's folders that Models lists."""
        own = [*self._parts.models_dirs, *self.settings.models_dirs, *filter(None, [self.settings.downloads_dir])]
        return [user_path(folder) for folder in own]
