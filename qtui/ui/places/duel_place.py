"""A place that shows the duel run: what is asked of it, and what happens in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from textual import on, work
from textual.content import Content
from textual.events import DescendantBlur, DescendantFocus, ScreenResume
from textual.widget import Widget
from textual.widgets import Static

from qtui.core.current_plan import CurrentPlan
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.curtain import Curtain
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.report import side_degeneration
from qtui.core.duel.run import Duel, DuelEvent, ModeChosen, RoundEnded, SideHappened
from qtui.core.duel.steps import Steps
from qtui.core.events import Answered, Failed, LoadProgressed, PromptProgressed, TextArrived
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import clean
from qtui.ui.garbage import spare_collections
from qtui.ui.messages import ArenaChanged, DuelBroke, DuelHappened, DuelRested, RemedyFound, SidePut
from qtui.ui.places.ballots import Ballots
from qtui.ui.places.conversation import Conversation, Offer
from qtui.ui.places.operations import Operations, Placing
from qtui.ui.places.place import Place
from qtui.ui.present.arena import both_line
from qtui.ui.present.plan import kept_text
from qtui.ui.present.running import running_sides
from qtui.ui.present.trouble import join_text, plan_offer, prompt_offer
from qtui.ui.present.words import joined, prose
from qtui.ui.running import Running
from qtui.ui.side import BUSY, Side
from qtui.ui.vitals import Vitals
from qtui.ui.widgets.fitted import Fitted
from qtui.ui.widgets.ground import Ground
from qtui.ui.widgets.panes import LABELS, Panes
from qtui.ui.widgets.prompt_field import PromptField

EMPTY = """No model on a side yet.

    1 Models, then
    enter    chat with one
    a and b  put two side by side, then 3"""

PROGRESS = (LoadProgressed, PromptProgressed, TextArrived)
"""Events that come by the dozen and change nothing but what their side is doing."""


class DuelPlace(Place, Ground):
    """Shows one conversation of one or two sides."""

    def __init__(
        self, *, duel: Duel, current: CurrentPlan, sides: Mapping[str, Variant], vitals: Vitals, prompt: str = "",
        keeper: Keeper | None = None, steps: Steps | None = None,
    ) -> None:  # fmt: skip
        super().__init__(vitals)
        self._duel = duel
        self._current = current
        self._plans: dict[str, LoadPlan] = {}
        """What each side was last loaded under."""
        self._wanted = dict(sides)
        self._held: dict[str, Variant] = {}
        self._first_prompt = clean(prompt)
        self._talk = Conversation()
        self._operations = Operations(duel, self.post_message)
        self._rates: dict[Path, float] = {}
        self._ballots = Ballots(keeper)
        self._steps = steps
        self._curtain = Curtain()
        self._ended: RoundEnded | None = None
        """The last round, where both sides answered it."""
        self.panes = Panes()

    def compose_body(self) -> Iterable[Widget]:
        """Two panes, the line for both, the prompt field."""
        yield self.panes
        yield Static(Content(EMPTY), classes="empty")
        yield Fitted(self._both_lines, classes="both")
        yield PromptField()

    def on_mount(self) -> None:
        """Begin in the field."""
        self._field.show(self._first_prompt)
        self._draw_layout()
        self._field.focus()
        self.call_after_refresh(spare_collections)

    def running(self) -> Sequence[Running]:
        """Return what quitting would cut off."""
        return running_sides(self.panes.sides.values())

    async def show_sides(self, sides: Mapping[str, Variant]) -> None:
        """Take other variants onto the sides, at once or when the Arena is next seen."""
        self._wanted = dict(sides)
        if self.is_current:
            await self.adopt_sides()

    def subject(self) -> Variant | None:
        """Return the variant of the side that has the focus."""
        return self._held.get(self.panes.current())

    def show_prompt(self, prompt: str) -> None:
        """Put a prompt into the field, to be changed or sent."""
        self._field.show(clean(prompt))
        self._field.focus()

    def show_plan(self, current: CurrentPlan) -> None:
        """Load what comes next under another plan; what is loaded keeps its own."""
        self._current = current
        self._refresh_both()

    @on(ScreenResume)
    async def adopt_sides(self) -> None:
        """Put on the sides what shall stand there, and load it."""
        changed = {
            label: self._wanted.get(label) for label in LABELS if self._wanted.get(label) != self._held.get(label)
        }
        if changed:
            await self._show_names()
            placings = {label: self._placing(label, variant) for label, variant in changed.items()}
            busy = any(self.panes.sides[label].phase in BUSY for label in changed if label in self._held)
            self._held = dict(self._wanted)
            if not self._held:
                self._talk.restart()
            await self._place(placings, stop=busy)
        prompt, self._first_prompt = self._first_prompt, ""
        if prompt:
            await self._send(prompt)

    # The duel run

    async def _send(self, prompt: str) -> None:
        if not prompt:
            return
        if not self._held:
            self._say("No model on a side yet: 1 Models, then enter.")
        elif self._talk.asked:
            self._say("Still answering: esc stops it.")
        else:
            if self._talk.editing:
                self._duel.take_back(self._talk.prompt)
                for label in self._held:
                    await self.panes[label].drop()
            self._field.show(self._talk.end_edit())
            await self._begin(prompt)

    def _placing(self, label: str, variant: Variant | None) -> Placing | None:
        if variant is None:
            return None
        others = [other for other in self._held if other != label and self._wanted.get(other) == self._held[other]]
        joins = others[0] if label not in self._held and others and self._talk.prompt else ""
        return Placing(variant, self._current.of(variant), joins=joins)

    async def reload(self, label: str, plan: LoadPlan) -> None:
        """Load the variant of a side anew under another plan; what it answers now is cut off, the transcript stays."""
        variant = self._held.get(label)
        if variant is not None:
            await self._place({label: Placing(variant, plan)}, stop=True)

    async def _place(self, placings: Mapping[str, Placing | None], *, stop: bool = False) -> None:
        number = self._operations.begin()
        for label, placing in placings.items():
            self._talk.offers.pop(label, None)
            if placing:
                self._plans[label] = placing.plan
                await self.panes.make_room(label, placing.variant)
        self._draw_layout()
        self.run_worker(self._operations.put(number, placings, stop=stop), group="duel")

    async def _begin(self, prompt: str, note: str = "", only: Sequence[str] = ()) -> None:
        if self._curtain.down:
            self._curtain.begin_round()
        elif self._curtain.wanted and len(self._held) == len(LABELS) and not only:
            await self._hide_names()
        asked = tuple(label for label in self._held if not only or label in only)
        sampling = self._like_the_other(asked) or self._talk.choice.sampling(len(self._held))
        self._talk.prompt, self._talk.used, self._talk.asked = prompt, sampling, frozenset(asked)
        for label in asked:
            self._talk.offers.pop(label, None)
        await self.panes.begin(asked, prompt, note)
        number, timed = self._operations.begin(), len(self._held) > 1
        self.run_worker(
            self._operations.ask(number, prompt, sampling, self._talk.choice.system, timed=timed, only=only),
            group="duel",
        )
        self._refresh_both()
        self.refresh_keys()

    def _like_the_other(self, asked: Sequence[str]) -> Sampling | None:
        """Return how the other side answered, where only one is asked the prompt that the other has answered."""
        answers = [side.answer for label, side in self.panes.sides.items() if label not in asked and side.answer]
        if self._talk.used is None or len(asked) == len(self._held) or not answers:
            return None
        return replace(self._talk.used, seed=answers[0].seed)

    @work(group="remedy")
    async def _look_for_remedy(self, label: str) -> None:
        weighing = await self._duel.remedy(label)
        if weighing is not None:
            self.post_message(RemedyFound(label, weighing))

    # What happened

    @on(SidePut)
    async def show_put(self, event: SidePut) -> None:
        """Show another variant on a side; the transcript stays."""
        await self.panes.put(event.side, event.variant)
        self._talk.mode = None
        self._draw_layout()
        self._tell()
        if event.variant and self._talk.prompt and event.side not in self._talk.asked:
            pane = self.panes[event.side]
            if event.joined:
                turns = len(self._duel.transcript(event.side)) // 2
                await pane.say(join_text(event.joined, turns))
            self._talk.offers[event.side] = Offer()
            await pane.offer(prompt_offer(both=len(self._held) == 2))
            self.refresh_keys()

    @on(DuelHappened)
    async def show_event(self, event: DuelHappened) -> None:
        """Show what happened on a side, as far as it may be seen."""
        for happened in self._curtain.pass_on(event.event):
            await self._show(happened)

    async def _show(self, event: DuelEvent) -> None:
        match event:
            case ModeChosen() as mode:
                self._talk.mode = mode
                self._refresh_both()
            case RoundEnded() as ended:
                self._ballots.take(ended)
                if self._talk.used is not None:
                    blind, system = self._curtain.down, self._talk.choice.system
                    kept = self._ballots.keep(ended, self._talk.used, system, blind=blind)
                    self.run_worker(kept, group="ballots")
                await self._show_signs(ended)
                await self._after_round()
            case happened if happened.side in self._held:
                before = self.panes.sides[happened.side].phase in BUSY
                await self.panes.show(happened)
                if isinstance(happened, SideHappened) and isinstance(happened.event, PROGRESS):
                    if not before:
                        self.refresh_keys()
                    return
                self._after(happened.side, happened.event if isinstance(happened, SideHappened) else None)
                if before != (self.panes.sides[happened.side].phase in BUSY):
                    self.refresh_keys()

    async def _show_signs(self, ended: RoundEnded) -> None:
        """Keep a round that both sides answered for comparing, and say what may be wrong with an answer."""
        both = len(ended.sides) == 2 and all(side.answer for side in ended.sides)
        self._ended = ended if both else None
        for side in ended.sides:
            told = side_degeneration(side, ended.prompt)
            if told and told.sentence and side.side in self._held:
                await self.panes.draw_arrived()
                await self.panes[side.side].say(prose(told.sentence, "$text-warning"))

    def _after(self, label: str, event: object) -> None:
        """Do what follows from an event, once it is shown with name and numbers."""
        if self._curtain.down:
            return
        side = self.panes.sides[label]
        if isinstance(event, Answered) and event.answer.generation_rate is not None and side.variant:
            self._rates[side.variant.path] = event.answer.generation_rate
        if isinstance(event, Failed) and side.remediable:
            self._look_for_remedy(label)
            if not any(other.loaded for other in self.panes.sides.values()):
                self._leave_field()  # what can be done about it are keys, and there is nobody to write to
        self._refresh_both()
        self._tell()

    @on(RemedyFound)
    async def offer_remedy(self, event: RemedyFound) -> None:
        """Offer a plan that fits, if the side is still the one that was refused."""
        side = self.panes.sides[event.side]
        if side.remediable and side.weighing and side.weighing.plan != event.weighing.plan:
            self._talk.offers[event.side] = Offer(event.weighing)
            await self.panes[event.side].offer(plan_offer(event.weighing, side.weighing.plan))
            self.refresh_keys()

    @on(DuelRested)
    async def rest(self, event: DuelRested) -> None:
        """Settle the sides once the newest operation is over."""
        if not self._operations.note_end(event.number):
            return
        await self.panes.rest(() if self._curtain.down else self._talk.asked)
        asked, self._talk.asked = self._talk.asked, frozenset()
        both = len(asked) == 2 and all(_complete(self.panes.sides[label]) for label in asked)
        if both:
            self._leave_field()
        self._refresh_both()
        self._tell()
        self.refresh_keys()

    @on(DuelBroke)
    async def show_break(self, event: DuelBroke) -> None:
        """Show that the run could not go on, on every side."""
        await self._show_names()
        await self.panes.fail(event.failure)

    # Blind rounds

    async def _hide_names(self) -> None:
        """Begin a conversation in which names and numbers are hidden."""
        raise NotImplementedError

    async def _show_names(self) -> None:
        """Show names and numbers, where they are hidden."""
        raise NotImplementedError

    async def _after_round(self) -> None:
        """Do what follows from a round, once it is shown."""

    # Drawing

    def _leave_field(self) -> None:
        """Let keys be commands, unless something is typed."""
        if self._field.has_focus and not self._field.text:
            self.panes.transcript().focus()

    @property
    def _field(self) -> PromptField:
        return self.query_one(PromptField)

    def _mark_last(self, *, taken_back: bool) -> None:
        for label in self._held:
            self.panes[label].mark(taken_back=taken_back)

    def _tell(self) -> None:
        loaded = frozenset(label for label in self._duel.labels if self._duel.session(label))
        self.post_message(ArenaChanged(loaded, dict(self._rates), dict(self._plans), self._curtain.down))

    def _say(self, message: str) -> None:
        self.notify(message, severity="warning", markup=False)

    def _draw_layout(self) -> None:
        self.panes.lay_out(self._wanted)
        self.set_class(not self._wanted, "without-sides")
        self.invite()
        self._refresh_both()

    @on(DescendantFocus)
    @on(DescendantBlur)
    def invite(self) -> None:
        """Say in the empty field whom a prompt goes to; where letters are commands, with the key that leads there."""
        names = {0: "put a model on a side first", 1: f"ask {next(iter(self._wanted), '')}", 2: "ask both sides"}
        text = names[len(self._wanted)]
        key = next((c.shown_key for c in self._commands if c.id == "arena.write"), "")
        away = bool(self._wanted and key) and not self._field.has_focus
        self._field.placeholder = f"{key}: {text}" if away else text

    def _refresh_both(self) -> None:
        self.query_one(".both", Fitted).refresh()

    def _both_lines(self, width: int) -> Sequence[Content]:
        kept = [
            kept_text(f"{label} keeps", self._plans[label], self._current.of(self._held[label]))
            for label, side in self.panes.sides.items()
            if side.loaded and label in self._held and label in self._plans
        ]
        line = both_line(list(self.panes.sides.values()), self._talk.round(len(self._held)), self._current.plan, width)
        return (joined([Content(" ") + text for text in kept if text] + [line], " ·").truncate(width, ellipsis=True),)


def _complete(side: Side) -> bool:
    return side.answer is not None and side.answer.finish_reason != "cancelled"
