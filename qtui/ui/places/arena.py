"""Arena: one prompt to one or two sides, answered side by side, with the numbers under each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.events import ScreenResume
from textual.widget import Widget
from textual.widgets import Static

from qtui.core.duel.run import (
    Duel,
    DuelEvent,
    DuelMode,
    ModeChosen,
    RoundEnded,
    SideHappened,
    SideUnloaded,
    SideWaits,
    SideWeighed,
)
from qtui.core.errors import Failure, QtuiError
from qtui.core.events import Answered, Failed, Loaded, TextArrived
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.ui.commands import Where, bindings
from qtui.ui.messages import ArenaChanged, ChooseForSide, DuelBroke, DuelHappened, DuelRested, SidePut
from qtui.ui.places.place import Place
from qtui.ui.present.arena import both_line
from qtui.ui.side import BUSY, Phase, Side
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.prompt_field import PromptField
from qtui.ui.widgets.side_pane import SidePane
from qtui.ui.widgets.thought import Thought

LABELS = ("A", "B")
EMPTY = """No model on a side yet.

    1 Models, then
    enter    chat with one
    a and b  put two side by side, then 3"""


class ArenaPlace(Place):
    """Shows the duel run. One operation of it runs at a time; a new one stops what runs and waits until it rests."""

    NAME = "arena"
    COMPACT_TOP = True
    CSS_PATH = "arena.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.ARENA)

    def __init__(
        self, *, duel: Duel, plan: LoadPlan, sides: Mapping[str, Variant], vitals: Vitals, prompt: str = ""
    ) -> None:
        super().__init__(vitals)
        self._duel = duel
        self._plan = plan
        self._wanted = dict(sides)
        self._held: dict[str, Variant] = {}
        self._first_prompt = prompt
        self._sides = {label: Side(label) for label in LABELS}
        self._mode: ModeChosen | None = None
        self._turn = asyncio.Lock()
        self._operations = 0
        self._rested = 0
        self._stopped = 0
        self._asking = False
        self._last_prompt = ""
        self._rates: dict[Path, float] = {}

    def compose_body(self) -> Iterable[Widget]:
        """Two panes, the line for both, the prompt field."""
        with Horizontal(classes="panes"):
            for label in LABELS:
                yield SidePane(label)
        yield Static(Content(EMPTY), classes="empty")
        yield Fitted(self._both_lines, classes="both")
        yield PromptField()

    def on_mount(self) -> None:
        """Begin in the field."""
        field = self.query_one(PromptField)
        field.text = self._first_prompt
        self._draw_layout()
        field.focus()

    async def show_sides(self, sides: Mapping[str, Variant]) -> None:
        """Take other variants onto the sides, at once or when the Arena is next seen."""
        self._wanted = dict(sides)
        if self.is_current:
            await self.adopt_sides()

    @on(ScreenResume)
    async def adopt_sides(self) -> None:
        """Put on the sides what shall stand there, and load it."""
        changed = {
            label: self._wanted.get(label) for label in LABELS if self._wanted.get(label) != self._held.get(label)
        }
        if changed:
            self._held = dict(self._wanted)
            self._put(changed, self._next_number())
        prompt, self._first_prompt = self._first_prompt, ""
        if prompt:
            await self._send(prompt)

    def spots(self) -> tuple[Where, ...]:
        """Return where the keys go now."""
        if isinstance(self.focused, PromptField):
            return (Where.FIELD, Where.EVERYWHERE)
        thought = (Where.THOUGHT,) if isinstance(self.focused, Thought) else ()
        return (*thought, Where.ARENA, Where.EVERYWHERE)

    def hidden_commands(self) -> frozenset[str]:
        """Leave out what would do nothing."""
        hidden = set()
        if not self._last_prompt or self._asking:
            hidden.add("arena.again")
        if not self._works:
            hidden.add("arena.stop")
        if len(self._held) < 2:
            hidden.add("arena.zoom")
        if isinstance(self.focused, PromptField):
            hidden.add("keys")  # in the field ? is a question mark
        return frozenset(hidden)

    # What can be done

    @on(PromptField.Sent)
    async def send_prompt(self, event: PromptField.Sent) -> None:
        """Put the prompt to all sides."""
        await self._send(event.text.strip())

    async def _send(self, prompt: str) -> None:
        if not prompt:
            return
        if not self._held:
            self._say("No model on a side yet: 1 Models, then enter.")
        elif self._asking:
            self._say("Still answering: esc stops it.")
        else:
            self.query_one(PromptField).clear()
            await self._begin(prompt)

    async def action_again(self) -> None:
        """Ask the last prompt again, as if it had not been asked before."""
        if self._last_prompt and not self._asking and self._held:
            self._duel.take_back(self._last_prompt)
            await self._begin(self._last_prompt, "again")

    def action_write(self) -> None:
        """Go to the field."""
        self.query_one(PromptField).focus()

    def action_stop(self) -> None:
        """Stop what runs."""
        if self._works:
            self._stopped = self._operations
            self._stop()

    def action_zoom(self) -> None:
        """Show only the side that has the focus, or both again."""
        panes = self.query_one(".panes")
        if panes.has_class("zoomed"):
            panes.remove_class("zoomed")
        elif len(self._held) == 2:
            pane = self._focused_pane()
            for other in self.query(SidePane):
                other.set_class(other is pane, "kept")
            panes.add_class("zoomed")

    def action_choose(self, side: str) -> None:
        """Choose another variant for a side."""
        self.post_message(ChooseForSide(side))

    def action_scroll(self, lines: int) -> None:
        """Scroll the side that has the focus."""
        self._focused_pane().transcript.scroll_relative(y=lines, animate=False)

    def action_scroll_edge(self, direction: int) -> None:
        """Go to the beginning (negative) or the end of the side that has the focus."""
        transcript = self._focused_pane().transcript
        if direction < 0:
            transcript.scroll_home(animate=False)
        else:
            transcript.follow()

    @on(PromptField.Escaped)
    def escape_field(self) -> None:
        """Stop what runs; when nothing runs, leave the field."""
        if self._works:
            self.action_stop()
        else:
            self._focused_pane().transcript.focus()

    # The duel run: one operation at a time

    @work(group="duel")
    async def _put(self, changed: Mapping[str, Variant | None], number: int) -> None:
        if number - 1 != self._rested:
            await self._duel.stop()
        async with self._turn:
            for label, variant in changed.items():
                if variant is None:
                    await self._duel.remove(label)
                else:
                    await self._duel.put(label, variant, self._plan)
                self.post_message(SidePut(label, variant))
            for label in self._duel.labels:
                if label in changed:
                    await self._pass_on(self._duel.load(label))
            self.post_message(DuelRested(number))

    @work(group="duel")
    async def _ask(self, prompt: str, number: int) -> None:
        async with self._turn:
            if self._stopped < number:
                await self._pass_on(self._duel.ask(prompt))
            self.post_message(DuelRested(number))

    @work(group="stop")
    async def _stop(self) -> None:
        await self._duel.stop()

    def _next_number(self) -> int:
        self._operations += 1
        return self._operations

    async def _pass_on(self, events: AsyncIterator[DuelEvent]) -> None:
        try:
            async for event in events:
                self.post_message(DuelHappened(event))
        except QtuiError as error:
            self.post_message(DuelBroke(Failure.of(error)))

    async def _begin(self, prompt: str, note: str = "") -> None:
        self._last_prompt = prompt
        self._asking = True
        for label in self._held:
            await self._pane(label).begin(prompt, note)
            self._set(self._sides[label].asked())
        self._ask(prompt, self._next_number())
        self.refresh_keys()

    # What happened

    @on(SidePut)
    async def show_put(self, event: SidePut) -> None:
        """Show another variant on a side; the transcript stays."""
        before = self._sides[event.side].variant
        if event.variant and before:
            notice = f"{before.title} made room for {event.variant.title}"
            await self._pane(event.side).say(Content.styled(notice, "$foreground-muted"))
        self._set(self._sides[event.side].put(event.variant))
        self._mode = None
        self._draw_layout()
        self._tell()

    @on(DuelHappened)
    async def show_event(self, event: DuelHappened) -> None:
        """Show what happened on a side."""
        match event.event:
            case ModeChosen() as mode:
                self._mode = mode
                self.query_one(".both", Fitted).refresh()
            case RoundEnded():
                pass
            case SideWeighed(side=label) | SideWaits(side=label) | SideUnloaded(side=label) as happened:
                self._set(self._sides[label].advance(happened))
                self._tell()
            case SideHappened(side=label) as happened:
                if label in self._held:
                    await self._show_happening(label, happened)

    @on(DuelRested)
    async def rest(self, event: DuelRested) -> None:
        """Settle the sides once the newest operation is over."""
        self._rested = event.number
        if event.number != self._operations:
            return
        for label, side in self._sides.items():
            rested = side.rested()
            if self._asking and rested.answer is None and rested.failure is None and rested.variant:
                await self._pane(label).stop_turn()
            self._set(rested)
        self._asking = False
        self._tell()
        self.refresh_keys()

    @on(DuelBroke)
    async def show_break(self, event: DuelBroke) -> None:
        """Show that the run could not go on, on every side."""
        for label in self._held:
            await self._pane(label).fail(event.failure)

    async def _show_happening(self, label: str, happened: SideHappened) -> None:
        before = self._sides[label]
        side = before.advance(happened)
        self._set(side)
        pane = self._pane(label)
        match happened.event:
            case TextArrived(text=text, thinking=thinking):
                await pane.write(text, thinking=thinking)
            case Answered(answer=answer):
                await pane.end()
                if answer.generation_rate is not None and side.variant:
                    self._rates[side.variant.path] = answer.generation_rate
                self._tell()
            case Failed(failure=failure):
                if side.phase is not Phase.STOPPED:
                    await pane.fail(failure)
                self._tell()
            case Loaded(warnings=warnings):
                for warning in warnings:
                    await pane.say(Content.styled(warning, "$text-warning"))
                self._tell()
        if (before.phase in BUSY) != (side.phase in BUSY):
            self.refresh_keys()

    # Drawing

    @property
    def _works(self) -> bool:
        return self._rested != self._operations

    def _pane(self, label: str) -> SidePane:
        return self.query_one(f"#side-{label.lower()}", SidePane)

    def _focused_pane(self) -> SidePane:
        focused = self.focused
        for pane in self.query(SidePane):
            if focused is not None and pane in focused.ancestors:
                return pane
        return next((pane for pane in self.query(SidePane) if pane.display), self._pane("A"))

    def _set(self, side: Side) -> None:
        self._sides[side.label] = side
        self._pane(side.label).show_side(side)
        self.query_one(".both", Fitted).refresh()

    def _tell(self) -> None:
        loaded = frozenset(label for label in self._duel.labels if self._duel.session(label))
        self.post_message(ArenaChanged(loaded, dict(self._rates)))

    def _say(self, message: str) -> None:
        self.notify(message, severity="warning", markup=False)

    def _draw_layout(self) -> None:
        for label in LABELS:
            self._pane(label).set_class(label not in self._wanted, "unused")
        self.query_one(".panes").set_class(len(self._wanted) < 2, "alone")
        self.set_class(not self._wanted, "without-sides")
        names = {0: "put a model on a side first", 1: f"ask {next(iter(self._wanted), '')}", 2: "ask both sides"}
        self.query_one(PromptField).placeholder = names[len(self._wanted)]

    def _both_lines(self, width: int) -> Sequence[Content]:
        mode = self._mode
        if mode is None and len(self._held) == 2:
            mode = ModeChosen(DuelMode.ALTERNATING)
        return (both_line(list(self._sides.values()), mode, self._duel.sampling, self._plan, width),)
