"""One side of the Arena: head, transcript, metric line."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches
from textual.widgets import Static

from qtui.core.errors import Failure
from qtui.core.text import clean
from qtui.ui.present.arena import ending, failure_text, head, numbers, status
from qtui.ui.side import Side
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.turn import Turn


class Transcript(VerticalScroll, can_focus=True):
    """The turns so far, from the top; once they are more than fit, it follows the end until it is scrolled."""

    def on_mount(self) -> None:
        """Follow the end as soon as there is something to follow."""
        self.watch(self, "virtual_size", self._keep_anchor)

    def on_resize(self) -> None:
        """Look again whether everything fits."""
        self._keep_anchor()

    def follow(self) -> None:
        """Follow the end again."""
        if self.max_scroll_y:
            self.anchor()

    def _keep_anchor(self) -> None:
        # An anchored container puts content that is shorter than itself at its bottom (Textual 8.2).
        if self.max_scroll_y and not self.is_anchored:
            self.anchor()
        elif not self.max_scroll_y and self.is_anchored:
            self.anchor(False)
            self.scroll_to(y=0, animate=False, force=True, immediate=True)


class SidePane(Vertical):
    """Shows one side."""

    def __init__(self, label: str) -> None:
        super().__init__(id=f"side-{label.lower()}")
        self._side = Side(label)
        self._turn: Turn | None = None

    def compose(self) -> ComposeResult:
        """Head, transcript, metric line."""
        yield Fitted(lambda width: (head(self._side, width),), classes="head")
        yield Transcript()
        yield Fitted(lambda width: (status(self._side, width),), classes="status")

    @property
    def transcript(self) -> Transcript:
        """Return the scrolling part."""
        return self.query_one(Transcript)

    def show_side(self, side: Side) -> None:
        """Show another state of the side in head and metric line."""
        self._side = side
        try:
            self.query_one(".head", Fitted).refresh()
            self.query_one(".status", Fitted).refresh()
        except NoMatches:
            return  # not composed yet: drawn with this state when it is

    async def begin(self, prompt: str, note: str = "") -> None:
        """Begin a turn; the numbers of the one before move under its answer."""
        if self._turn and self._side.answer:
            await self._turn.end(numbers(self._side.answer, 0).stylize("$foreground-muted"))
        self._turn = Turn(prompt, note)
        await self.transcript.mount(self._turn)
        self.transcript.follow()

    async def write(self, text: str, *, thinking: bool) -> None:
        """Add to the turn."""
        if self._turn is None:
            return
        if thinking:
            await self._turn.think(clean(text))
        else:
            await self._turn.write(clean(text))

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
        text = failure_text(failure)
        if self._turn is not None:
            await self._turn.end(text)
        else:
            await self.say(text)

    async def say(self, text: Content) -> None:
        """Put a notice into the transcript."""
        await self.transcript.mount(Static(text, classes="note"))
