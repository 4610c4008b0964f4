"""The top line of every place."""

from __future__ import annotations

from qtui.ui.present.top_line import top_lines
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.fitted import Fitted


class TopLine(Fitted):
    """Shows the places, what is free now, and the engine; one line when `compact`, else two."""

    def __init__(self, place: str, vitals: Vitals, *, compact: bool = False) -> None:
        super().__init__(classes="compact" if compact else "")
        self._place = place
        self._compact = compact
        self.show_vitals(vitals)

    def show_vitals(self, vitals: Vitals) -> None:
        """Show newer figures."""
        self.show(lambda width: top_lines(self._place, vitals, width, compact=self._compact))
