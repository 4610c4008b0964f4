"""The sides of the Arena next to each other: their states, and the panes that show them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from qtui.core.duel.run import SideHappened, SideUnloaded, SideWaits, SideWeighed
from qtui.core.errors import Failure
from qtui.core.events import Answered, Failed, Loaded, TextArrived
from qtui.core.library.variant import Variant
from qtui.ui.present.words import name, prose
from qtui.ui.side import Phase, Side
from qtui.ui.widgets.ground import Ground
from qtui.ui.widgets.side_pane import SidePane
from qtui.ui.widgets.transcript import Transcript

LABELS = ("A", "B")
GATHER_S = 0.125
"""What arrives on all sides in this time is drawn at once: drawing costs by the time, not by the text."""
REST = 6
"""Drawing that takes long is followed by a pause of so many times its length."""

SideEvent = SideWeighed | SideWaits | SideHappened | SideUnloaded


class Panes(Horizontal, Ground):
    """Takes the events of the duel run, each for its side."""

    def __init__(self) -> None:
        super().__init__(classes="panes")
        self.sides = {label: Side(label) for label in LABELS}
        self._panes = {label: SidePane(label) for label in LABELS}
        self._arrived: list[tuple[str, TextArrived]] = []
        self._timer: Timer | None = None
        self._swapped = False

    def compose(self) -> ComposeResult:
        """One pane for each side, and a line between them."""
        first, second = self._in_order
        yield first
        yield Static(classes="between")
        yield second

    @property
    def _in_order(self) -> tuple[SidePane, ...]:
        """Return the panes from left to right."""
        panes = tuple(self._panes.values())
        return panes[::-1] if self._swapped else panes

    def __getitem__(self, label: str) -> SidePane:
        return self._panes[label]

    @property
    def used(self) -> tuple[str, ...]:
        """Return the labels of the sides that hold a variant."""
        return tuple(label for label, side in self.sides.items() if side.variant)

    def current(self) -> str:
        """Return the side that has the focus, else the first that is shown."""
        focused = self.screen.focused
        labels = {pane: label for label, pane in self._panes.items()}
        for pane in self._in_order:
            if focused is not None and pane in focused.ancestors:
                return labels[pane]
        return next((labels[pane] for pane in self._in_order if pane.display), LABELS[0])

    def transcript(self) -> Transcript:
        """Return the transcript of that side."""
        return self._panes[self.current()].transcript

    def lay_out(self, labels: Collection[str]) -> None:
        """Show these sides."""
        for label, pane in self._panes.items():
            pane.set_class(label not in labels, "unused")
        self.set_class(len(labels) < 2, "alone")
        if len(labels) < 2:
            self.remove_class("zoomed")

    def zoom(self) -> None:
        """Show only the side that has the focus, or both again."""
        if self.has_class("zoomed"):
            self.remove_class("zoomed")
        elif len(self.used) == 2:
            current = self.current()
            for label, pane in self._panes.items():
                pane.set_class(label == current, "kept")
            self.add_class("zoomed")

    def order(self, *, swapped: bool) -> None:
        """Put B to the left, or A again."""
        self._swapped = swapped
        between = self.query_one(".between")
        first, second = self._in_order
        self.move_child(first, before=between)
        self.move_child(second, after=between)

    def cover(self, *, swapped: bool) -> None:
        """Hide which side is which, in an order that tells nothing."""
        self.order(swapped=swapped)
        self.remove_class("zoomed")
        for pane in self._panes.values():
            pane.cover(first=pane is self._in_order[0])

    async def uncover(self) -> None:
        """Show which side is which; each stays where it stands."""
        await self.draw_arrived()
        for pane in self._panes.values():
            await pane.uncover()

    # What happens

    def set(self, side: Side) -> None:
        """Take another state of a side."""
        self.sides[side.label] = side
        self._panes[side.label].show_side(side)

    async def make_room(self, label: str, variant: Variant) -> None:
        """Say that another variant comes onto a side; what is written there stays above."""
        await self.draw_arrived()
        pane, before = self._panes[label], self.sides[label].variant
        await pane.offer(None)
        await pane.settle()
        if before is None:
            self.set(self.sides[label].put(variant))  # nothing can still be on its way from a session
        elif before.path != variant.path:
            muted = "$foreground-muted"
            made_room = Content.styled(" made room for ", muted)
            await pane.say(name(before.title, muted) + made_room + name(variant.title, muted))

    async def put(self, label: str, variant: Variant | None) -> None:
        """Show another variant on a side; one that is left empty loses its turns."""
        if variant is None:
            await self._panes[label].clear()
        self.set(self.sides[label].put(variant))

    async def begin(self, labels: Iterable[str], prompt: str, note: str = "") -> None:
        """Begin a turn on some sides."""
        for label in labels:
            await self._panes[label].begin(prompt, note)
            self.set(self.sides[label].asked())

    async def show(self, event: SideEvent) -> None:
        """Show what happened on a side; text waits for what else arrives."""
        label = event.side
        if self.sides[label].variant is None:
            return  # late news of a session that is gone
        if isinstance(event, SideHappened) and isinstance(event.event, TextArrived):
            self.sides[label] = self.sides[label].advance(event)
            self._arrived.append((label, event.event))
            if self._timer is None:
                self._timer = self.set_timer(GATHER_S, self._tick)
            return
        await self.draw_arrived()
        side = self.sides[label].advance(event)
        self.set(side)
        if isinstance(event, SideHappened):
            await self._show_end(side, event)

    async def draw_arrived(self) -> None:
        """Draw the text that has arrived."""
        arrived, self._arrived = self._arrived, []
        for label, thinking in dict.fromkeys((label, text.thinking) for label, text in arrived):
            texts = [event.text for other, event in arrived if (other, event.thinking) == (label, thinking)]
            await self._panes[label].write("".join(texts), thinking=thinking)
        for label in dict.fromkeys(label for label, _ in arrived):
            self._panes[label].show_side(self.sides[label])

    async def _tick(self) -> None:
        begin = time.perf_counter()
        if self._arrived:
            await self.draw_arrived()
            self._timer = self.set_timer(max(GATHER_S, REST * (time.perf_counter() - begin)), self._tick)
        else:
            self._timer = None

    async def fail(self, failure: Failure) -> None:
        """Show on every side that the run could not go on."""
        await self.draw_arrived()
        for label in self.used:
            await self._panes[label].fail(failure)

    async def rest(self, asked: Collection[str]) -> None:
        """Settle all sides once nothing runs; those that were asked may have been stopped before they began."""
        await self.draw_arrived()
        for label, side in self.sides.items():
            rested = side.rested()
            if label in asked and rested.answer is None and rested.failure is None and rested.variant:
                await self._panes[label].stop_turn()
            self.set(rested)

    async def clear(self) -> None:
        """Begin a new conversation."""
        await self.draw_arrived()
        for label, side in self.sides.items():
            await self._panes[label].clear()
            self.set(side.cleared())

    async def _show_end(self, side: Side, event: SideHappened) -> None:
        pane = self._panes[side.label]
        match event.event:
            case Answered():
                await pane.end()
            case Failed(failure=failure):
                if side.phase is not Phase.STOPPED:
                    await pane.fail(failure)
            case Loaded(warnings=warnings):
                for warning in warnings:
                    await pane.say(prose(warning, "$text-warning"))
