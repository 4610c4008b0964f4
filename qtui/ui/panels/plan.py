"""The Plan panel: how models are loaded, and what each choice does to the memory that is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Input, Static

from qtui.core.current_plan import CurrentPlan
from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.propose import taken
from qtui.core.memory.plan_fields import FIELDS, PlanField
from qtui.core.memory.plan_ranges import Around
from qtui.core.plan_draft import PlanDraft, own_preset
from qtui.core.ports import PresetStore
from qtui.core.presets import Preset
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.messages import PresetsChanged, UsePlan
from qtui.ui.panels.plan_weighing import Weighers, WeighingPanel
from qtui.ui.plan_messages import PlanProposed
from qtui.ui.present.plan import base_name, command_for, outcome, preset_help
from qtui.ui.present.plan_rows import (
    COLUMNS,
    MARK_WIDTH,
    MORE_KEY,
    PACED,
    PRESET_KEY,
    Costs,
    field_help,
    plan_rows,
    warning_lines,
)
from qtui.ui.present.words import name
from qtui.ui.widgets.grouped_table import GroupedTable
from qtui.ui.widgets.key_line import KeyLine
from qtui.ui.widgets.typed_line import TypedLine

LOW = 30
"""Lines of a screen on which there is room for one warning."""
SAVE_KEY = "save"
_BY_ID = {field.id: field for field in FIELDS}


class PlanPanel(WeighingPanel):
    """Edits a copy of the current plan, and says what it would need for one variant."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "plan.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PLAN)

    def __init__(
        self, *, current: CurrentPlan, variant: Variant | None, around: Around, weighers: Weighers,
        presets: PresetStore | None,
    ) -> None:  # fmt: skip
        super().__init__(current=current, variant=variant, around=around, weighers=weighers)
        self._store = presets
        self._more = any(field.more for field in self._draft.changes)
        self._typing = ""
        """What the line is open for: a field, the preset, or a name to save under."""
        self._replaces = ""
        """The preset whose replacement was asked about."""

    def compose(self) -> ComposeResult:
        """Fields, a line to type in, help, what comes of it, keys."""
        with Vertical(classes="box") as box:
            box.border_title = "Plan: every footprint on screen is computed for it"
            yield GroupedTable(PACED if self._weighers.forecast is not None else COLUMNS, MARK_WIDTH)
            yield TypedLine()
            yield Static(classes="help")
            yield Static(classes="outcome")
            yield Static(classes="warnings")
            yield KeyLine()

    def on_mount(self) -> None:
        """Show the plan as it is."""
        self.query_one(GroupedTable).focus()
        self.ask()
        self.learn()
        self.draw()

    # What can be done

    def action_change(self, direction: int) -> None:
        """Take the next or previous value of the field under the cursor."""
        field = self._field
        if self._key == MORE_KEY:
            self._unfold(direction > 0)
        elif self._key == PRESET_KEY:
            self._try(lambda: self._set(self._draft.step_preset(direction, self._current.presets)))
        elif field is not None:
            self._set(self._draft.step(field, direction, self._around))

    def action_more(self) -> None:
        """Unfold the rarer fields, or fold them."""
        self._unfold(not self._more)

    def action_reset(self) -> None:
        """Undo the change of the field under the cursor."""
        if (field := self._field) is not None:
            self._set(self._draft.reset(field))

    def action_type(self, text: str = "") -> None:
        """Type a value for the field under the cursor."""
        field = self._field
        if field is not None:
            self._open_line(self._key, text or field.write(self._draft.plan), field.label, begun=bool(text))
        elif self._key == PRESET_KEY:
            self._open_line(PRESET_KEY, text, "the name of a preset")

    def action_fit(self) -> None:
        """Search the best plan that fits: context, layers, experts and cache types at most as they are here."""
        if self._variant is None or not self._variant.loadable or self._draft.refusal:
            self._say(self._draft.refusal or "No variant under the cursor that could be loaded: nothing to search for.")
        else:
            self.search(self._edits)

    def action_save(self) -> None:
        """Ask for the name of a preset."""
        if self._draft.refusal or self._store is None:
            self._say(self._draft.refusal or "There is no place to save presets.")
            return
        own = {preset.name for preset in self._current.presets if not preset.built_in}
        base = self._draft.base.preset
        self._open_line(SAVE_KEY, base if base in own else "", "a name for this plan")

    def action_own(self) -> None:
        """Save it as the variant's model's own preset, which is taken for it by itself."""
        if self._draft.refusal or self._store is None or self._variant is None:
            self._say(self._draft.refusal or "No variant under the cursor, or no place to save presets.")
            return
        own = self._current.own_preset(self._variant)
        old = own if own is not None and not own.built_in else None
        wanted = own_preset(self._draft, self._variant, old)
        known = {preset.name for preset in self._current.presets if not preset.built_in}
        if wanted.name in known and wanted.name != self._replaces:
            self._replaces = wanted.name
            self._say(f"There is a preset {wanted.name}: the same key once more replaces it.")
            return
        self._save(wanted)

    def action_copy(self) -> None:
        """Copy the llama-server command."""
        if self._variant is None or self._draft.refusal:
            self._say(self._draft.refusal or "No variant under the cursor: there is no command to copy.")
            return
        command = command_for(self.for_variant(self._draft.plan), self._variant, self._whole)
        self.app.copy_to_clipboard(command)
        self.notify(f"Copied: {command}", markup=False)

    def action_use(self) -> None:
        """Make it the current plan, unless it is refused."""
        if self._draft.refusal:
            self._say(self._draft.refusal)
            return
        self.post_message(UsePlan(self._draft.result))
        self.dismiss()

    def on_key(self, event: events.Key) -> None:
        """Begin a number with its first digit."""
        field = self._field
        if not self._typing and field is not None and field.numeric and event.character and event.character.isdigit():
            event.stop()
            self.action_type(event.character)

    # What happened

    @on(GroupedTable.Highlighted)
    def show_help(self) -> None:
        """Show what the field under the cursor is for."""
        self._draw_foot()

    @on(GroupedTable.Chosen)
    def click_field(self) -> None:
        """A second click on a field types into it."""
        if self._key == MORE_KEY:
            self.action_more()
        else:
            self.action_type()

    @on(TypedLine.Left)
    def leave_line(self) -> None:
        """Leave the value as it was."""
        self._close_line()

    @on(Input.Submitted)
    def take_typed(self, event: Input.Submitted) -> None:
        """Take the value that was typed, or say why not."""
        text = event.value.strip()
        self._try(lambda: self._save_as(text) if self._typing == SAVE_KEY else self._put(text))

    @on(PlanProposed)
    def take_proposal(self, event: PlanProposed) -> None:
        """Show the plan that was found, and why it is so."""
        if event.edit != self._edits:
            return
        proposal = event.proposal
        if not proposal.fits:
            self._say("Nothing fits: at no context, with no layers, with no cache type.")
            return
        plan = taken(self._draft.plan, proposal.weighing.plan, event.asked)
        self._set(replace(self._draft, plan=plan))
        self.notify("\n".join(choice.reason for choice in proposal.choices), timeout=10, markup=False)

    # The draft

    @property
    def _key(self) -> str:
        return self.query_one(GroupedTable).key or ""

    @property
    def _field(self) -> PlanField | None:
        return _BY_ID.get(self._key)

    def _set(self, draft: PlanDraft) -> None:
        if draft != self._draft:
            self._draft = draft
            self.ask()
        self.draw()

    def _put(self, text: str) -> None:
        field = _BY_ID.get(self._typing)
        if field is not None:
            self._set(self._draft.put(field, text))
        else:
            self._set(self._draft.take(text, self._current.presets))
        self._close_line()

    def _save_as(self, wanted: str) -> None:
        own = {preset.name: preset for preset in self._current.presets if not preset.built_in}
        if wanted in own and wanted not in (self._replaces, self._draft.base.preset):
            self._replaces = wanted
            self._say(f"There is a preset {wanted}: enter once more replaces it.")
            return
        self._close_line()
        self._save(self._draft.as_preset(wanted, own.get(wanted)))

    @work(group="save")
    async def _save(self, preset: Preset) -> None:
        draft, store = self._draft, self._store
        if store is None:
            return
        try:
            await asyncio.to_thread(store.save, preset)
            presets = tuple(await asyncio.to_thread(store.load))
        except QtuiError as error:
            self._say(f"{error.message}\n{error.hint}")
            return
        self._current = replace(self._current, presets=presets)
        if draft is self._draft:
            self._set(PlanDraft(draft.plan, replace(draft.plan, preset=preset.name)))
        self.post_message(PresetsChanged(presets))
        self.notify(f"Saved as the preset {preset.name}.", markup=False)

    # The line

    def _open_line(self, key: str, text: str, placeholder: str, *, begun: bool = False) -> None:
        self._typing, self._replaces = key, ""
        self.query_one(TypedLine).open(text, placeholder, begun=begun)
        self._draw_foot()

    def _close_line(self) -> None:
        self._typing = ""
        self.query_one(TypedLine).close()
        self.query_one(GroupedTable).focus()
        self._draw_foot()

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except QtuiError as error:
            self._say(f"{error.message}\n{error.hint}" if error.hint else error.message)

    def _say(self, message: str) -> None:
        self.notify(message, severity="warning", markup=False)

    # Drawing

    def _unfold(self, more: bool) -> None:
        self._more = more
        self.draw()

    def draw(self) -> None:
        """Show the fields, what each change costs, and what comes of it all."""
        draft = self._draft
        costs = Costs(self._whole, self._without, self._paces)
        rows = plan_rows(draft, self._around, costs, more=self._more, presets=len(self._current.presets))
        self.query_one(GroupedTable).show(rows)
        self.query_one(".box").border_subtitle = Content(base_name(draft.base.preset, len(draft.changes)))
        self._draw_foot()

    def _draw_foot(self) -> None:
        field = _BY_ID.get(self._typing or self._key)
        if self._typing == SAVE_KEY:
            lines = Content("a name to choose this plan by; esc leaves it")
        elif field is not None:
            lines = field_help(field, self._draft.plan, self._around)
        else:
            lines = name(preset_help(self._current.presets, self._draft.base.preset), limit=600)
        self.query_one(".help", Static).update(lines)
        own = self._current.own_preset(self._variant) if self._variant else None
        refusal = self._draft.refusal
        pace = self._paces.get("")
        words = name(refusal, "$text-error", 600) if refusal else outcome(self._variant, self._whole, own, pace)
        self.query_one(".outcome", Static).update(words)
        found = self._whole.warnings if self._whole is not None and not refusal else ()
        options = field.options if field is not None else ()
        self.query_one(".warnings", Static).update(warning_lines(found, options, 1 if self.size.height < LOW else 2))
        self.set_class(bool(found), "-warned")
        self.query_one(KeyLine).show_commands(shown([Where.PLAN_FIELD if self._typing else Where.PLAN]))
