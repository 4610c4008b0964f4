"""One side of the Arena: head, transcript, metric line."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.widgets import Static

from qtui.core.duel.conversation import Answer
from qtui.core.errors import Failure
from qtui.core.text import clean
from qtui.ui.present.arena import ending, head, numbers, status
from qtui.ui.present.blind import PLACES, covered_head
from qtui.ui.present.trouble import side_failure
from qtui.ui.side import Side
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.ground import Ground
from qtui.ui.widgets.transcript import Note, Transcript
from qtui.ui.widgets.turn import Turn


class SidePane(Vertical, Ground):
    """Shows one side."""

    def __init__(self, label: str) -> None:
        super().__init__(id=f"side-{label.lower()}")
        self._side = Side(label)
        self._turn: Turn | None = None
        """The one that is written to."""
        self._last: Turn | None = None
        self._offer: Static | None = None
        self._place = ""
        """Where it stands while its name and numbers are hidden; empty: they are shown."""
        self._untold: list[tuple[Turn, Answer]] = []
        """Turns whose numbers are hidden, and those numbers."""
        self._unsaid: list[Content] = []
        """Notices that are hidden."""

    def compose(self) -> ComposeResult:
        """Head, transcript, metric line."""
        yield Fitted(lambda width: (self._head(width),), classes="head")
        yield Transcript()
        yield Fitted(lambda width: (self._status(width),), classes="status")

    def _head(self, width: int) -> Content:
        return covered_head(self._place, width) if self._place else head(self._side, width)

    def _status(self, width: int) -> Content:
        return Content() if self._place else status(self._side, width)

    def cover(self, *, first: bool) -> None:
        """Hide whose side this is, and every number; only the place is named."""
        self._place = PLACES[0] if first else PLACES[1]
        self._untold.clear()
        self._unsaid.clear()
        self._refresh_lines()

    async def uncover(self) -> None:
        """Show name and numbers, those of earlier turns too."""
        if not self._place:
            return
        self._place = ""
        for turn, answer in self._untold:
            if turn.is_attached:  # long ago it was folded into lines
                await turn.end(numbers(answer, 0).stylize("$foreground-muted"))
        for text in self._unsaid:
            await self.say(text)
        self._untold.clear()
        self._unsaid.clear()
        self._refresh_lines()

    def _refresh_lines(self) -> None:
        for line in self.query(Fitted):
            line.refresh()

    @property
    def transcript(self) -> Transcript:
        """Return the scrolling part."""
        return self.query_one(Transcript)

    @property
    def answer(self) -> str:
        """Return what the last turn has of an answer."""
        return self._last.answer if self._last else ""

    def show_side(self, side: Side) -> None:
        """Show another state of the side in head and metric line."""
        before, self._side = self._side, side
        try:
            if (before.variant, before.weighing, before.label) != (side.variant, side.weighing, side.label):
                self.query_one(".head", Fitted).refresh()
            self.query_one(".status", Fitted).refresh()
        except NoMatches:
            return  # not composed yet: drawn with this state when it is

    async def begin(self, prompt: str, note: str = "") -> None:
        """Begin a turn."""
        await self.offer(None)
        await self.settle()
        await self.transcript.fold_past()
        self._turn = self._last = Turn(prompt, note)
        await self.transcript.mount(self._turn)
        self.transcript.follow()

    async def settle(self) -> None:
        """Leave the last turn as it is: the numbers of the metric line move under its answer."""
        turn, self._turn = self._turn, None
        if turn and self._side.answer and self._place:
            self._untold.append((turn, self._side.answer))
        elif turn and self._side.answer:
            await turn.end(numbers(self._side.answer, 0).stylize("$foreground-muted"))

    async def write(self, text: str, *, thinking: bool) -> None:
        """Add to the turn."""
        if self._turn is None:
            return
        if thinking:
            await self._turn.think(clean(text))
        else:
            self._turn.write(clean(text))

    async def end(self) -> None:
        """End the turn with the state shown last."""
        if self._turn is None or self._side.answer is None:
            return
        note = ending(self._side.answer)
        empty = not self._side.answer.text.strip() and not note
        note = "the answer is empty" if empty else note
        await self._turn.end(Content.styled(note, "$text-warning") if note else Content())

    async def stop_turn(self) -> None:
        """Say that a turn was stopped before anything came."""
        if self._turn is not None:
            await self._turn.end(Content.styled("stopped", "$text-warning"))

    async def fail(self, failure: Failure) -> None:
        """Show what failed, in the turn or, outside of one, below what is there."""
        text = side_failure(failure, self._side)
        if self._turn is not None:
            await self._turn.end(text)
        else:
            await self.say(text)

    async def say(self, text: Content) -> None:
        """Put a notice into the transcript; it waits there until names are shown."""
        if self._place:
            self._unsaid.append(text)
            return
        await self.transcript.mount(Note(text))

    async def offer(self, text: Content | None) -> None:
        """Put what can be done now below everything else, in the place of what was there; None: nothing."""
        if self._offer is not None:
            await self._offer.remove()
            self._offer = None
        if text is not None:
            self._offer = Static(text, classes="offer")
            await self.transcript.mount(self._offer)

    def mark(self, *, taken_back: bool) -> None:
        """Show the last turn as one that will not stay, or as one that does."""
        if self._last is not None:
            self._last.set_class(taken_back, "taken-back")

    async def drop(self) -> None:
        """Remove the last turn."""
        turn, self._turn, self._last = self._last, None, None
        if turn is not None:
            await turn.remove()

    async def clear(self) -> None:
        """Remove everything."""
        self._untold.clear()
        self._unsaid.clear()
        self._turn = self._last = self._offer = None
        await self.transcript.remove_children()
