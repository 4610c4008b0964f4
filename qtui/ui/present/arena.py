"""The lines of the Arena: the head and the metrics of a side, and the one line for both."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.duel.conversation import Answer, Sampling
from qtui.core.duel.difference import difference
from qtui.core.duel.run import ModeChosen
from qtui.core.errors import Failure
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import duration, rate
from qtui.ui.present.models import verdict_word
from qtui.ui.present.words import bar, between, gib, joined, name
from qtui.ui.side import Phase, Side

MODES = {"alternating": "alternating", "together": "together", "in_turn": "in turn"}
WIDE = 56
"""From this width on a head names its unit."""


def head(side: Side, width: int) -> Content:
    """Return a side's head: label, model and quant, what it needs."""
    if side.variant is None:
        return Content.assemble(" ", (side.label, "bold $text-accent"), (" empty", "$foreground-muted"))
    weighing = side.weighing
    right = Content()
    if weighing is not None and weighing.footprint is not None:
        unit = " GiB" if width >= WIDE else ""
        right = Content(f"needs {weighing.footprint.origin.sign}{gib(weighing.footprint.total)}{unit}")
        if weighing.verdict.fit.value != "fits":
            right += Content("  ") + verdict_word(weighing.verdict)
    quant = name(side.variant.quant, "bold", 40)
    model = name(side.variant.model, "bold")
    spare = width - right.cell_length - quant.cell_length - 7
    if spare < 8:
        right, spare = Content(), width - quant.cell_length - 5
    left = Content.assemble(" ", (side.label, "bold $text-accent"), " ")
    left += model.truncate(max(1, spare), ellipsis=True) + " " + quant
    return between(left, right + " ", width) if right else left.truncate(width, ellipsis=True)


def status(side: Side, width: int) -> Content:
    """Return a side's metric line: what it is doing, or the numbers of its last answer."""
    muted = "$foreground-muted"
    match side.phase:
        case Phase.EMPTY:
            text = Content()
        case Phase.PUT:
            text = Content.styled("not loaded", muted)
        case Phase.LOADING:
            label = f"loading {side.fraction * 100:.0f} % "
            text = Content.assemble(label, (bar(side.fraction, max(0, min(20, width - len(label) - 2))), "$accent"))
        case Phase.READY:
            text = Content.styled(f"ready, loaded in {duration(side.loaded.load_time)}" if side.loaded else "", muted)
        case Phase.READING:
            progress = f" {side.done}/{side.total}" if side.total else ""
            text = Content.styled(f"reading the prompt{progress}", "$text-accent")
        case Phase.THINKING:
            text = Content.styled(f"thinking, {side.done} tok", "$text-accent")
        case Phase.ANSWERING:
            text = Content.styled(f"answering, {side.done} tok", "$text-accent")
        case Phase.WAITING:
            text = Content.styled(f"waits for {side.waits_for}", "$text-warning")
        case Phase.FAILED | Phase.DIED:
            text = failed(side)
        case _:
            text = numbers(side.answer, width) if side.answer else Content.styled("stopped", "$text-warning")
    return (Content(" ") + text).truncate(width, ellipsis=True)


def failed(side: Side) -> Content:
    """Return a failed side's state in short; the transcript holds the message."""
    kind = side.failure.kind if side.failure else ""
    if side.phase is Phase.FAILED:
        return Content.styled("not answered", "$text-error")
    words = {"memory": "refused: too big", "bad_file": "not loaded", "plan_refused": "refused", "usage": "refused"}
    return Content.styled(words.get(kind, "died: r restarts it"), "$text-error")


def numbers(answer: Answer, width: int) -> Content:
    """Return what was measured: rate, time to the first token, tokens, peak memory."""
    first = duration(answer.time_to_first_token)
    speed, peak = rate(answer.generation_rate), gib(answer.memory.peak)
    long = f"{speed} t/s   first token {first}   {answer.generated_tokens} tokens   peak {peak} GiB"
    if len(long) <= width - 2:
        return Content(long)
    return Content(f"{speed} t/s  {first}  {answer.generated_tokens} tok  peak {peak}")


def ending(answer: Answer) -> str:
    """Return how an answer ended, empty where it ended by itself."""
    return {
        "length": "ended at the token limit",
        "context": "ended: the context is full",
        "cancelled": "stopped",
    }.get(answer.finish_reason, "")


def failure_text(failure: Failure) -> Content:
    """Return what failed, what to do about it, and the engine's last words."""
    lines = [name(failure.message, "$text-error", 600)]
    if failure.hint:
        lines.append(name(failure.hint, limit=600))
    lines.extend(name(line, "$foreground-muted", 300) for line in failure.log[-6:])
    return Content("\n").join(lines)


def both_line(
    sides: Sequence[Side], mode: ModeChosen | None, sampling: Sampling, plan: LoadPlan, width: int
) -> Content:
    """Return the line for both: how far they differ, then mode, seed, temperature, context and cache."""
    live = [side for side in sides if side.variant]
    parts: list[Content | str] = []
    texts = [side.answer.text for side in live if side.answer and side.phase is not Phase.STOPPED]
    if len(live) == 2 and len(texts) == 2:
        parts.append(Content.styled(difference(*texts).sentence, "bold"))
    if len(live) == 2 and mode is not None:
        because = " (both do not fit at once)" if mode.reason else ""
        parts.append(MODES.get(mode.mode.value, mode.mode.value) + because)
    seed = next((side.answer.seed for side in live if side.answer), sampling.seed)
    parts.append(f"seed {seed}" if seed is not None else "seed drawn")
    parts.append(f"temp {sampling.temperature:g}")
    contexts = dict.fromkeys(str(s.weighing.plan.ctx_size) for s in live if s.weighing)
    parts.append(f"ctx {'/'.join(contexts) or plan.ctx_size or 'up to 8192'}")
    parts.append("empty cache")
    return (Content(" ") + joined(parts)).truncate(width, ellipsis=True)
