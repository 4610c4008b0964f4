"""A place over the library in which a variant can be chosen for a side of the Arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.content import Content

from qtui.ui.command import Command, Where
from qtui.ui.places.losing_place import LosingPlace
from qtui.ui.widgets.grouped_table import GroupedTable

TAKES = "models.chat"
WHILE_CHOOSING = frozenset({TAKES, "models.details", "models.sort", "models.filter"})
"""What can be done while a variant is chosen for a side, besides moving and what can be done everywhere."""


class SideChoosing(LosingPlace):
    """While a side is chosen for, `enter` takes the variant under the cursor for it."""

    choosing = ""
    """The side that is chosen for; empty: none."""

    def choose_for(self, side: str) -> None:
        """Let `enter` choose for one side of the Arena."""
        self.choosing = side
        self.query_one(GroupedTable).focus()
        self.draw()
        self.refresh_keys()

    def worded(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Tell only what helps to choose while a side is chosen for."""
        if not self.choosing:
            return commands
        return [
            replace(one, label=f"take for {self.choosing}") if one.id == TAKES else one
            for one in commands if one.where is not Where.MODELS or one.id in WHILE_CHOOSING
        ]  # fmt: skip

    def choosing_line(self) -> Content:
        """Return what stands above the table while a side is chosen for."""
        return Content.styled(f" Choose a variant for side {self.choosing}: enter takes it, esc ends", "reverse")
