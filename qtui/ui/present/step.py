"""The price of another variant on a side, as one line."""

from __future__ import annotations

from textual.content import Content

from qtui.core.duel.steps import Step
from qtui.core.memory.guard import Weighing
from qtui.core.text import GIB
from qtui.ui.present.models import paced, verdict_word
from qtui.ui.present.words import gib, joined, key, name


def step_line(step: Step, before: Weighing | None, width: int) -> Content:
    """Return what a variant needs, how much more or less that is, whether it fits, its rate, and the key that takes it.

    The rate is dropped last: names give way first.
    """
    sign = ">" if step.larger else "<"
    who = Content.assemble(" ", (step.side, "bold $text-accent"), " ") + name(step.variant.quant, "bold", 30)
    price = joined([_needs(step, before), verdict_word(step.weighing.verdict), paced(step.speed) + " t/s"])
    again = key(sign, "again puts it there")
    line = joined([who, price, again])
    return (
        line if line.cell_length <= width else joined([who, price, key(sign, "again")]).truncate(width, ellipsis=True)
    )


def _needs(step: Step, before: Weighing | None) -> str:
    footprint = step.weighing.footprint
    if footprint is None:
        return "needs ?"
    text = f"needs {footprint.origin.sign}{gib(footprint.total)} GiB"
    if before is None or before.footprint is None:
        return text
    return f"{text} ({(footprint.total - before.footprint.total) / GIB:+.2f})"
