"""The rows of the Plan panel in words: values, ranges, what each change costs, and what will not go as planned."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content

from qtui.core.memory.changes import effect
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.plan_fields import FIELDS, PlanField
from qtui.core.memory.plan_ranges import Around
from qtui.core.memory.speed import Speed
from qtui.core.memory.warnings import PlanWarning
from qtui.core.origin import Origin, weakest
from qtui.core.plan_draft import PlanDraft
from qtui.core.text import rate
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import gib, name

COLUMNS = (
    Column("", 15),
    Column("VALUE", 10),
    Column("ALLOWED", 10, grows=2, drop=1),
    Column("± GiB", 7, right=True),
)
PACED = (*COLUMNS, Column("± T/S", 6, right=True))
"""Where rates are predicted."""
MARK_WIDTH = 4
PRESET_KEY, MORE_KEY = "preset", "more"
WARNED, CHANGED = "!", "*"


@dataclass(frozen=True, slots=True)
class Costs:
    """What is known of an edited plan."""

    whole: Weighing | None = None
    without: Mapping[str, Weighing] | None = None
    """What it needs without one change, by field."""
    paces: Mapping[str, Speed] | None = None
    """How fast it is without one change, by field; under the whole plan by the empty name."""


def plan_rows(draft: PlanDraft, around: Around, costs: Costs, *, more: bool, presets: int) -> tuple[Row, ...]:
    """Return the rows of the panel: preset, fields, and the rest folded or not.

    Args:
        draft: what is edited.
        around: what allowed values depend on.
        costs: what the plan and its changes cost.
        more: the rest is unfolded.
        presets: how many there are.
    """
    changed, refused = draft.changes, bool(draft.refusal)
    warnings = costs.whole.warnings if costs.whole is not None and not refused else ()
    warned = {option for warning in warnings for option in warning.options}

    def row(field: PlanField) -> Row:
        differs = field in changed
        cost = differs and not refused
        without, paces = costs.without or {}, costs.paces or {}
        shift = effect_text(costs.whole, without.get(field.id)) if cost else Content()
        pace = pace_text(paces.get(""), paces.get(field.id)) if cost else Content()
        reason = field.without(around)
        style = "bold" if differs else "$foreground-muted" if reason else ""
        label = Content.styled(field.label, "$foreground-muted") if reason and not differs else Content(field.label)
        cells = (label, name(field.shown(draft.plan), style, 400), _muted(field.allowed(draft.plan, around)))
        mark = (CHANGED if differs else "") + (WARNED if warned & set(field.options) else "")
        return Row(field.id, (*cells, shift, pace), mark=mark)

    preset = name(draft.base.preset or "none")
    rows = [Row(PRESET_KEY, (Content("preset"), preset, _muted(f"{presets} by name"), Content(), Content()))]
    rows += [row(field) for field in FIELDS if not field.more]
    folded = [field for field in FIELDS if field.more]
    number = sum(1 for field in folded if field in changed)
    state = f"{number} changed" if number else "none changed"
    words = "left folds them" if more else ", ".join(field.label for field in folded)
    mark = WARNED if not more and any(warned & set(field.options) for field in folded) else ""
    rows.append(Row(MORE_KEY, (Content("more"), _muted(state), _muted(words), None, None), mark=mark))
    return (*rows, *(row(field) for field in folded if more))


def effect_text(whole: Weighing | None, without: Weighing | None) -> Content:
    """Return by how many GiB a change makes the variant need more or less, with the sign of the weaker origin."""
    difference = effect(whole, without)
    if difference is None or whole is None or without is None:
        return _muted("…" if without is None or without.error is None else "?")
    known = [weighing.footprint.origin for weighing in (whole, without) if weighing.footprint]
    sign = weakest(known).sign if Origin.COMPUTED in known else ""
    if abs(difference) < 1 << 10:
        return _muted("none")
    style = "$text-warning" if difference > 0 else "$text-success"
    return Content.styled(f"{sign}{'+' if difference > 0 else '-'}{gib(abs(difference))}", style)


def pace_text(whole: Speed | None, without: Speed | None) -> Content:
    """Return by how many tokens per second a change makes it faster or slower; empty where that is not known."""
    if whole is None or without is None or whole.rate is None or without.rate is None:
        return Content()
    difference = whole.rate - without.rate
    if abs(difference) < 0.005 * without.rate:
        return _muted("none")
    sign = weakest([whole.origin, without.origin]).sign
    style = "$text-success" if difference > 0 else "$text-warning"
    return Content.styled(f"{sign}{'+' if difference > 0 else '-'}{rate(abs(difference))}", style)


def field_help(field: PlanField, plan: LoadPlan, around: Around) -> Content:
    """Return what a field is for and what it may be; the whole value where the row shows less of it."""
    lines = [name(field.help, limit=600), _muted(field.allowed(plan, around))]
    if field.shown(plan) != field.write(plan):
        lines[1] = name(field.write(plan), limit=600)
    return Content("\n").join(lines)


def warning_lines(warnings: Sequence[PlanWarning], options: Collection[str], most: int) -> Content:
    """Return warnings, those about some options first; how many more there are where not all are shown."""
    ordered = sorted(warnings, key=lambda warning: not set(options) & set(warning.options))
    lines = [name(f"{WARNED} {warning.text}", "$text-warning", 600) for warning in ordered[:most]]
    if len(ordered) > most:
        lines[-1] += Content.styled(f" (+{len(ordered) - most}: rows marked {WARNED})", "$text-warning")
    return Content("\n").join(lines)


def _muted(text: str) -> Content:
    return name(text, "$foreground-muted", 400)
