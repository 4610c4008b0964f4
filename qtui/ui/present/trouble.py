"""What went wrong on a side, and what can be done there: failures, refusals, offers."""

from __future__ import annotations

from dataclasses import replace

from textual.content import Content

from qtui.core.errors import Failure
from qtui.core.memory.fit.propose import difference_text
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import clean_name, size
from qtui.ui.present.arena import failure_text
from qtui.ui.present.words import gib, key, name
from qtui.ui.side import Side


def side_failure(failure: Failure, side: Side) -> Content:
    """Return what failed on a side; a refusal with its numbers and the ways on."""
    if failure.kind in ("prompt", "prompt_too_long"):
        return failure_text(replace(failure, log=()))  # the engine is well: its log is about something else
    if failure.kind != "memory":
        return failure_text(failure)
    return Content("\n").join([name(failure.message, "$text-error", 600), *_memory_lines(side)])


def _memory_lines(side: Side) -> list[Content]:
    """Return where the memory would go, and the two ways on that are always there."""
    lines = []
    if side.weighing is not None and (footprint := side.weighing.footprint):
        kinds = [(kind, footprint.kind_bytes(kind)) for kind in ("weights", "context", "compute")]
        parts = ", ".join(f"{kind} {size(value)}" for kind, value in kinds if value)
        lines.append(Content(f"{parts} at a context of {side.weighing.plan.ctx_size}"))
    lines.append(key(side.label, "another variant, a smaller one"))
    lines.append(key("F", "load it all the same: the system may swap, or end programs"))
    return lines


def plan_offer(weighing: Weighing, refused: LoadPlan) -> Content:
    """Return the offer of the plan that fits instead of the one that was refused; both resolved."""
    need = weighing.footprint.total if weighing.footprint else None
    origin = weighing.footprint.origin.sign if weighing.footprint else ""
    fit = weighing.verdict.fit.value.replace("_", " ")
    changed = difference_text(weighing.plan, refused)
    return key("t", f"load it with {changed}: needs {origin}{gib(need)} GiB, {fit}")


def prompt_offer(*, both: bool) -> Content:
    """Return the offer to put the last prompt to a side that has not been asked it."""
    offer = key("t", "put the last prompt to it too")
    return offer + Content("\n") + key("r", "ask both again") if both else offer


def join_text(other: str, turns: int) -> Content:
    """Return what a side that joins knows of the conversation."""
    many = "1 turn" if turns == 1 else f"{turns} turns"
    text = f"joins with the {many} of {clean_name(other)}, answers from the next prompt on"
    return Content.styled(text, "$foreground-muted")
