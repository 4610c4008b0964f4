"""The app's way back to rounds that are kept: the panel that shows them, and the Arena with one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual import on

from qtui.ui.exploring import Exploring
from qtui.ui.history_messages import ReopenRound

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.library.variant import Variant
    from qtui.ui.places.arena import ArenaPlace


class Recalling(Exploring):
    """A shell that can open the history."""

    _arena: ArenaPlace | None = None

    def action_history(self) -> None:
        """Show the rounds that are kept, unless one of them must not be seen yet."""
        from qtui.ui.panels.history import HistoryPanel

        past = self._parts.past if self.opened else None
        if self._vitals.covered:
            self.notify("A blind round is open: vote first, or show names (n in the Arena).", severity="warning")
        elif past is None:
            self.notify("Nothing is kept here.", severity="warning")
        else:
            self.push_screen(HistoryPanel(past))

    @on(ReopenRound)
    async def reopen(self, event: ReopenRound) -> None:
        """Put a round into the Arena; what of it is gone is said."""
        one = event.round
        if one.sides:
            await self.put_on_sides(one.sides)
        await self.switch_mode("arena")
        if self._arena is not None and one.prompt:
            self._arena.show_prompt(one.prompt)
        told = [f"Not here any more: {', '.join(one.missing)}"] if one.missing else []
        told += ["The prompt was not kept."] if not one.prompt else []
        if told:
            self.notify("\n".join(told), severity="warning", markup=False)

    async def put_on_sides(self, sides: Mapping[str, Variant]) -> None:
        """Put these variants on the sides, and nothing else."""
        raise NotImplementedError
