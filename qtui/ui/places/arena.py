"""Arena: one prompt to one or two sides, answered side by side, with the numbers under each. One side is a chat."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import BindingType

from qtui.core.duel.ballot import Vote
from qtui.core.duel.sampling import Choice
from qtui.core.memory.fit.propose import with_choices
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.measure_messages import OpenDiff
from qtui.ui.messages import ChooseForSide
from qtui.ui.panels.sampling import SamplingPanel
from qtui.ui.places.operations import Placing
from qtui.ui.places.suite_place import SuitePlace
from qtui.ui.widgets.answer_parts import AnswerParts
from qtui.ui.widgets.panes import LABELS
from qtui.ui.widgets.prompt_field import PromptField
from qtui.ui.widgets.thought import Thought

VOTES = ("arena.vote_a", "arena.vote_b", "arena.tie", "arena.both_bad")
CONFIRM_S = 5.0
"""A key that is wanted twice is wanted again within these seconds."""


class ArenaPlace(SuitePlace):
    """What can be done in the Arena."""

    NAME = "arena"
    COMPACT_TOP = True
    CSS_PATH = "arena.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.ARENA)

    _parts: AnswerParts
    _confirming = False

    def on_mount(self) -> None:
        """Begin in the field."""
        self._parts = AnswerParts()
        super().on_mount()

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        if isinstance(self.focused, PromptField):
            return (Where.FIELD, Where.EVERYWHERE)
        thought = (Where.THOUGHT,) if isinstance(self.focused, Thought) else ()
        return (*thought, Where.ARENA, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """Leave out what would do nothing."""
        makes_sense = {
            "arena.again": self._talk.resting,
            "arena.edit": self._talk.resting,
            "arena.new": self._talk.resting,
            "arena.take": bool(self._talk.offers),
            "arena.copy": any(self.panes[label].answer for label in self._held),
            "arena.stop": self._operations.running,
            "arena.zoom": len(self._held) == 2,
            "arena.diff": self._ended is not None,
            **dict.fromkeys(VOTES, self._talk.resting and self._ballots.open),
            "keys": not isinstance(self.focused, PromptField),  # in the field ? is a question mark
        }
        return super().hidden_commands() | {command for command, sense in makes_sense.items() if not sense}

    @on(PromptField.Sent)
    async def send_prompt(self, event: PromptField.Sent) -> None:
        """Put the prompt to all sides."""
        await self._send(event.text.strip())

    async def action_again(self) -> None:
        """Ask the last prompt again, as if it had not been asked before."""
        if self._talk.resting and self._held:
            self._duel.take_back(self._talk.prompt)
            self._mark_last(taken_back=True)
            await self._begin(self._talk.prompt, "again")

    def action_edit(self) -> None:
        """Take the last prompt back into the field; what follows it stays until another one is sent."""
        if self._talk.resting and not self._talk.editing:
            self._talk.draft = self._field.prompt
            self._field.show(self._talk.prompt)
            self._mark_last(taken_back=True)
            self._refresh_both()
        self._field.focus()

    async def action_take(self) -> None:
        """Take what is offered to the side that has the focus, or to the other one."""
        label = next((label for label in (self.panes.current(), *LABELS) if label in self._talk.offers), "")
        if self._talk.asked:
            self._say("Still answering: esc stops it.")
        elif label:
            offer = self._talk.offers.pop(label)
            if offer.smaller is not None:
                plan = with_choices(self._current.of(self._held[label]), offer.smaller.plan)
                await self._place({label: Placing(self._held[label], plan)})
            else:
                self._duel.take_back(self._talk.prompt, only=(label,))
                await self._begin(self._talk.prompt, only=(label,))

    async def action_force(self) -> None:
        """Load past the guard what was refused."""
        current = self.panes.current()
        refused = [label for label in (current, *LABELS) if label in self._held and self.panes.sides[label].refused]
        if refused and not self._operations.running:
            held = self._held[refused[0]]
            await self._place({refused[0]: Placing(held, self._current.of(held), force=True)})

    def action_copy(self) -> None:
        """Copy a part of the last answer to the clipboard of the terminal."""
        answer = self.panes[self.panes.current()].answer.strip()
        if answer:
            part, what = self._parts.take(answer)
            self.app.copy_to_clipboard(part)
            lines = part.count("\n") + 1
            self.notify(f"Copied {what}: {lines} line{'s' if lines > 1 else ''}, {len(part)} characters", markup=False)

    def action_sampling(self) -> None:
        """Change how the next prompts are answered."""
        self.app.push_screen(SamplingPanel(self._talk.choice, len(self._held)), self._use_choice)

    def _use_choice(self, choice: Choice | None) -> None:
        if choice is not None:
            self._talk.choice = choice
            self._refresh_both()

    async def action_new(self) -> None:
        """Begin a new conversation, once the key came twice."""
        if not self._talk.resting:
            return
        if not self._confirming:
            self._confirming = True
            self.set_timer(CONFIRM_S, self._forget_confirming)
            self._say("N again: a new conversation; this one is dropped.")
            return
        self._confirming = False
        await self._restart()
        self._field.clear()
        self._field.focus()

    def _forget_confirming(self) -> None:
        self._confirming = False

    def action_write(self) -> None:
        """Go to the field."""
        self._field.focus()

    def action_stop(self) -> None:
        """Stop what runs; leave the sides as they are."""
        super().action_stop()
        if self._operations.running:
            self.run_worker(self._operations.stop(), group="stop")

    def action_zoom(self) -> None:
        """Show only the side that has the focus, or both again."""
        self.panes.zoom()

    async def action_vote(self, vote: str) -> None:
        """Say which answer of the last round is better; while names are hidden, of which place."""
        if self._talk.resting and self._ballots.open:
            sentence = await self._ballots.vote(self._curtain.vote(Vote(vote)))
            await self._show_names()
            self.notify(sentence, markup=False)
            self.refresh_keys()

    def action_diff(self) -> None:
        """Show both last answers word by word, and how far the sides are apart on them."""
        if self._ended is not None:
            self.post_message(OpenDiff(self._ended))

    def action_choose(self, side: str) -> None:
        """Choose another variant for a side."""
        self.post_message(ChooseForSide(side))

    def action_scroll(self, lines: int) -> None:
        """Scroll the side that has the focus."""
        self.panes.transcript().scroll_relative(y=lines, animate=False)

    def action_scroll_edge(self, direction: int) -> None:
        """Go to the beginning (negative) or the end of the side that has the focus."""
        if direction < 0:
            self.panes.transcript().scroll_home(animate=False)
        else:
            self.panes.transcript().follow()

    @on(PromptField.Escaped)
    def escape_field(self) -> None:
        """Stop what runs; else give up editing; else leave the field."""
        if self._operations.running:
            self.action_stop()
        elif self._talk.editing:
            self._field.show(self._talk.end_edit())
            self._mark_last(taken_back=False)
            self._refresh_both()
        else:
            self.panes.transcript().focus()
