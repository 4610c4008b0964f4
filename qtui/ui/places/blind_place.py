"""Blind rounds in the Arena: both answers at once, and no name, size or rate on the screen until the vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.content import Content

from qtui.core.library.variant import Variant
from qtui.ui.command import Command
from qtui.ui.places.duel_place import DuelPlace
from qtui.ui.present import blind
from qtui.ui.present.words import joined
from qtui.ui.running import Running
from qtui.ui.widgets.panes import LABELS

TELLING = {
    "diff": "arena.diff", "choose": "arena.a", "force": "arena.force", "take": "arena.take",
    "step": "arena.smaller",
}  # fmt: skip
"""Actions that would tell which side is which, with their commands."""

ROOMY = 100
"""From this width on the line for both says in full that the next round is blind."""


class BlindPlace(DuelPlace):
    """Hides names and numbers of a conversation until there is a vote.

    What was seen once cannot be hidden again: each vote ends the conversation, and the next prompt begins another one,
    with the sides shuffled anew.
    """

    async def action_names(self) -> None:
        """Hide names, or show them; a round that is open then has no vote."""
        if self._curtain.wanted:
            self._curtain.wanted = False
            await self._show_names()
            self._refresh_both()
        elif len(self._held) < len(LABELS):
            self._say("Names are hidden of two sides: put a second model on one first.")
        else:
            self._curtain.wanted = True
            if self._talk.prompt:
                self.notify(f"{blind.COMING[0].upper()}{blind.COMING[1:]}.")
                self._refresh_both()
            else:
                await self._hide_names()
        self.refresh_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let nothing be done that would tell which side is which."""
        hidden = self._curtain.down and action in TELLING
        return False if hidden else super().check_action(action, parameters)

    def hidden_commands(self) -> frozenset[str]:
        """Leave out what would tell which side is which; one side has nothing to hide."""
        alone = frozenset({"arena.names"}) if len(self._held) < len(LABELS) else frozenset()
        return alone | ({*TELLING.values(), "arena.b"} if self._curtain.down else frozenset())

    def worded(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Name places instead of sides while those are hidden."""
        if self._curtain.down:
            return blind.covered_commands(commands)
        return blind.uncovering_commands(commands) if self._curtain.wanted else commands

    def running(self) -> Sequence[Running]:
        """Return what quitting would cut off."""
        return blind.covered_running(bool(self._talk.asked)) if self._curtain.down else super().running()

    def subject(self) -> Variant | None:
        """Return the variant of the side that has the focus; none while that is hidden."""
        return None if self._curtain.down else super().subject()

    async def _restart(self) -> None:
        """Begin a new conversation, behind the curtain if that is wanted."""
        if self._curtain.wanted and len(self._held) == len(LABELS):
            await self._hide_names()
            return
        await self._forget()
        self.panes.order(swapped=False)
        self._refresh_both()

    async def _hide_names(self) -> None:
        self._curtain.lower()
        self._talk.offers.clear()
        await self._forget()
        self.panes.cover(swapped=self._curtain.swapped)
        self.app.clear_notifications()
        self._show_change()

    async def _show_names(self) -> None:
        if not self._curtain.down:
            return
        if self._ballots.open:
            self._ballots.forget()  # who knows the names has no blind vote any more
        held = self._curtain.lift()
        await self.panes.uncover()
        for event in held:
            await self._show(event)
        if not self._talk.asked:
            await self.panes.rest(self._held)
        for side in self.panes.sides.values():
            if side.variant and side.answer and side.answer.generation_rate is not None:
                self._rates[side.variant.path] = side.answer.generation_rate
        self._show_change()

    async def _after_round(self) -> None:
        if not self._curtain.down:
            return
        if self._ballots.identical:
            await self._show_names()
            self.notify("The answers are identical: there is nothing to choose.")
        elif not self._ballots.open:
            self._say(blind.NOT_BOTH)
            if not self._duel.stopped:
                self._leave_field()  # what can be done about it are keys

    async def _forget(self) -> None:
        self._ended = None
        self._ballots.forget()
        self._duel.clear()
        self._talk.restart()
        await self.panes.clear()

    def _show_change(self) -> None:
        self.show_vitals(replace(self.vitals, covered=self._curtain.down))  # at once; other places are told
        self._refresh_both()
        self._tell()
        self.refresh_keys()

    def _both_lines(self, width: int) -> Sequence[Content]:
        if self._curtain.down:
            open_vote = self._talk.resting and self._ballots.open
            text = blind.ANSWERING if self._talk.asked else blind.VOTING if open_vote else blind.WAITING
            return (blind.covered_line(text, width),)
        lines = super()._both_lines(width)
        if not self._curtain.wanted:
            return lines
        soon = "blind from the next prompt on" if width >= ROOMY else "blind next"
        return (joined([Content.styled(f" {soon}", "bold"), *lines], " ·").truncate(width, ellipsis=True),)
