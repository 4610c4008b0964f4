"""The lines of the Arena: the head and the metrics of a side, and the one line for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from textual.content import Content

from qtui.core.duel.conversation import Answer, Sampling
from qtui.core.duel.difference import Difference, difference, first_different
from qtui.core.duel.run import ModeChosen
from qtui.core.duel.sampling import FIELDS, Choice
from qtui.core.errors import Failure
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import duration, rate, size
from qtui.ui.present.models import verdict_word
from qtui.ui.present.words import SEPARATOR, bar, between, gib, joined, name
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
            text = loading(side, width)
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
            soon = f"; loads in about {duration(side.load_time)}" if side.load_time and not side.loaded else ""
            text = Content.styled(f"waits for {side.waits_for}{soon}", "$text-warning")
        case Phase.FAILED | Phase.DIED:
            text = failed(side)
        case _:
            text = numbers(side.answer, width) if side.answer else Content.styled("stopped", "$text-warning")
    return (Content(" ") + text).truncate(width, ellipsis=True)


def loading(side: Side, width: int) -> Content:
    """Return how far a load is: share, bytes, seconds, and a bar where there is room."""
    label = f"loading {side.fraction * 100:.0f} %"
    total = side.variant.size if side.variant else 0
    if total and width >= WIDE:
        label += f"  {size(round(total * side.fraction))} of {size(total)}  {duration(side.elapsed)}"
    else:
        label += f"  {duration(side.elapsed)}"
    room = min(20, width - len(label) - 4)
    return Content.assemble(label, "  ", (bar(side.fraction, room) if room > 3 else "", "$accent"))


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


@dataclass(frozen=True, slots=True)
class Round:
    """How the last prompt was put, and how the next one will be."""

    mode: ModeChosen | None = None
    used: Sampling | None = None
    """Of the last prompt; None before the first."""
    next: Sampling = Sampling()
    choice: Choice = Choice()
    """What of `next` the user set."""
    editing: bool = False
    """The last prompt is in the field again."""


def both_line(sides: Sequence[Side], asked: Round, plan: LoadPlan, width: int) -> Content:
    """Return the line for both: how far they differ, then mode, sampling, context and cache."""
    if asked.editing:
        text = " editing the last prompt: enter sends it in its place, esc leaves all as it is"
        return Content.styled(text, "bold $text-warning").truncate(width, ellipsis=True)
    live = [side for side in sides if side.variant]
    kind = "duel" if len(live) > 1 else "chat"
    words = ("yours",) if asked.choice.values else (f"{kind} defaults", kind)
    ways = [*((whose, False) for whose in words), (words[-1], True)]
    lines = [Content(" ") + joined(_both_parts(live, asked, plan, whose, brief=brief)) for whose, brief in ways]
    return next((line for line in lines if line.cell_length <= width), lines[-1].truncate(width, ellipsis=True))


def _both_parts(
    live: Sequence[Side], asked: Round, plan: LoadPlan, whose: str, *, brief: bool
) -> list[Content | str]:  # fmt: skip
    parts: list[Content | str] = []
    answers = [side.answer for side in live if side.answer and side.phase is not Phase.STOPPED]
    if len(live) == 2 and len(answers) == 2:
        one, two = ((answer.text, answer.pieces) for answer in answers)
        apart = _apart(one, two)
        parts.append(Content.styled(apart.brief if brief else apart.sentence, "bold"))
    if len(live) == 2 and asked.mode is not None:
        because = " (both do not fit at once)" if asked.mode.reason else ""
        parts.append(MODES.get(asked.mode.mode.value, asked.mode.mode.value) + because)
    seeds = [side.answer.seed for side in live if side.answer]
    if asked.used is None or asked.used == asked.next:
        seed = seeds[0] if seeds else asked.next.seed
        parts.append(f"{sampling_text(asked.next, asked.choice, seed)} ({whose})")
    else:
        parts.append(sampling_text(asked.used, Choice(), seeds[0] if seeds else asked.used.seed))
        parts.append(f"next: {sampling_text(asked.next, asked.choice, asked.next.seed)} ({whose})")
    if asked.choice.system:
        parts.append("system prompt")
    contexts = dict.fromkeys(str(s.weighing.plan.ctx_size) for s in live if s.weighing)
    parts.append(f"ctx {'/'.join(contexts) or plan.ctx_size or 'up to 8192'}")
    parts.append(_cache_text(live))
    return parts


@lru_cache(maxsize=4)
def _apart(first: tuple[str, tuple[str, ...]], second: tuple[str, tuple[str, ...]]) -> Difference:
    return difference(first[0], second[0], first_different(first[1], second[1]))


def sampling_text(sampling: Sampling, choice: Choice, seed: int | None) -> str:
    """Return seed and temperature, and whatever else the user set."""
    parts = [f"seed {seed}" if seed is not None else "seed drawn", f"temp {sampling.temperature:g}"]
    others = [f for f in FIELDS if f.name in choice.values and f.name not in ("temperature", "seed")]
    return SEPARATOR.join([*parts, *(f"{f.label} {choice.values[f.name]:g}" for f in others)])


def _cache_text(live: Sequence[Side]) -> str:
    """Return whether prompts were read anew; a chat keeps what it has read."""
    cached = {side.label: side.answer.cached_tokens for side in live if side.answer}
    if any(cached.values()):
        return "cached " + "/".join(str(tokens) for tokens in cached.values()) + " tok"
    return "empty cache" if len(live) > 1 else "cache kept"
