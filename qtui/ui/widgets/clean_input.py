"""A line to type in that holds nothing that a terminal would act on, whatever is pasted into it."""

from __future__ import annotations

from textual.widgets import Input

from qtui.core.text import clean_name
from qtui.ui.widgets.ground import quiet_size

LONGEST = 2000


class CleanInput(Input):
    """An input whose value is one clean line."""

    virtual_size = quiet_size()

    def validate_value(self, value: str) -> str:
        """Return the value without control characters."""
        return clean_name(value, LONGEST)
