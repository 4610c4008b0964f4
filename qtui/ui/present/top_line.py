"""The top line: the places, what is free now, and the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.style import Style

from qtui.core.text import clean_name
from qtui.ui.present.alarms import alarm_line
from qtui.ui.present.blind import HIDDEN, HIDDEN_SHORT
from qtui.ui.present.words import between, brief, joined
from qtui.ui.vitals import Vitals

if TYPE_CHECKING:  # the app paints before there are samples
    from qtui.core.downloads.download import Download
    from qtui.core.hardware import EngineInfo, Gpu, MemorySample

PLACES = (("1", "models", "Models"), ("2", "hub", "Hub"), ("3", "arena", "Arena"), ("4", "monitor", "Monitor"))
"""Key, name and title."""


def places(current: str) -> Content:
    """Return the places with their keys; a click goes there."""
    parts: list[Content] = []
    for key, name, title in PLACES:
        here = name == current
        text = Content.assemble(" ", (key, "bold" if here else "$text-accent"), f" {title} ")
        text = text.stylize("bold reverse" if here else "")
        parts.append(text.stylize(Style.from_meta({"@click": f"app.go({name!r})"})))
    return Content(" ").join(parts)


def engine_name(engine: EngineInfo | None) -> Content:
    """Return the engine with its build and devices, or why there is none."""
    if engine is None:
        return Content.styled("asking the engine…", "$foreground-muted")
    if not engine.usable:
        return Content.styled(f"no engine: {clean_name(engine.problem, 60) or 'unknown reason'} (?)", "$text-error")
    kind = " ".join(dict.fromkeys(d.name.rstrip("0123456789") for d in engine.gpus)) or "CPU"
    build = clean_name(engine.build, 40)
    return Content.styled(f"llama.cpp {build} {clean_name(kind, 20)}".replace("  ", " "), "$foreground-muted")


def memory(vitals: Vitals, width: int) -> Content:
    """Return RAM, each card and swap in GiB, in the longest form that fits the width."""
    sample = vitals.sample
    if sample is None:
        return Content.styled("reading memory…", "$foreground-muted")
    unused = ""
    if vitals.engine is not None and not vitals.engine.gpus:
        unused = "this llama.cpp is CPU-only" if vitals.engine.usable else "no engine"
    tail = [line] if (line := downloading(vitals.downloads)) else []
    forms = (
        [_ram(sample), *(_card(card, unused) for card in sample.gpus), swap(sample)],
        [_ram(sample), *(_card(card, "" if not unused else "(?)") for card in sample.gpus), swap(sample)],
        [*_short(sample, unused), swap(sample)],
        _short(sample, unused),
    )
    lines = [joined([*form, *tail], "  ") for form in forms] + [joined(form, "  ") for form in forms[-2:]]
    return next((line for line in lines if line.cell_length <= width), lines[-1])


def downloading(downloads: Sequence[Download]) -> Content:
    """Return how many downloads go on and how far they are together, else that one needs looking after."""
    wanted = [one for one in downloads if one.state in ("queued", "running", "verifying")]
    if wanted:
        share = sum(one.done for one in wanted) * 100 // sum(one.size for one in wanted)
        return Content(f"{len(wanted)} download{'s' * (len(wanted) > 1)} {share} %")
    if any(one.failure is not None for one in downloads):
        return Content.styled("a download stopped (w)", "$text-warning")
    return Content()


def _ram(sample: MemorySample) -> Content:
    return Content(f"RAM {brief(sample.ram_available)} of {brief(sample.ram_total)} GiB free")


def _card(card: Gpu, unused: str) -> Content:
    text = f"GPU{card.index} {brief(card.free)} of {brief(card.total)}"
    if not unused:
        return Content(text)
    why = "unused (?)" if unused == "(?)" else f"unused: {unused} (?)"
    return Content.assemble(text, (f", {why}", "$text-warning"))


def _short(sample: MemorySample, unused: str) -> list[Content]:
    free = Content(f"RAM {brief(sample.ram_available)} GiB free")
    return [free, *(_short_card(card, unused) for card in sample.gpus)]


def _short_card(card: Gpu, unused: str) -> Content:
    if unused:
        return Content.styled(f"GPU{card.index} unused (?)", "$text-warning")
    return Content(f"GPU{card.index} {brief(card.free)}")


def swap(sample: MemorySample) -> Content:
    """Return the swap in use; some of it is a warning."""
    if sample.swap_total == 0:
        return Content("no swap")
    used = sample.swap_used
    return Content.styled(f"swap {brief(used)}", "$text-warning" if used and used >= 1 << 27 else "")


def advice(vitals: Vitals) -> Sequence[str]:
    """Return what is amiss with machine and engine, and what to do about it."""
    lines: list[str] = []
    engine, sample = vitals.engine, vitals.sample
    if engine is not None and not engine.usable:
        lines.append(f"llama.cpp cannot be used: {clean_name(engine.problem)}")
        lines.append("Models can be listed and inspected; what needs an engine says so.")
    elif engine is not None and sample is not None and sample.gpus and not engine.gpus:
        cards = ", ".join(f"GPU{card.index} {clean_name(card.name, 60)}" for card in sample.gpus)
        lines.append(f"{cards}: unused, because this llama-cpp-python is built for the CPU only.")
        lines.append("Install one that is built for CUDA, Metal or Vulkan (README, Install), and start qtui again.")
    elif engine is not None and engine.problem:
        lines.append(clean_name(engine.problem))
    lines.extend(clean_name(problem) for problem in (sample.problems if sample else ()))
    return lines


def top_lines(current: str, vitals: Vitals, width: int, *, compact: bool) -> list[Content]:
    """Return the top line: two lines, or one when `compact`."""
    if vitals.covered:
        return _covered(places(current), width, compact=compact)
    shown = vitals.alarms if current != "monitor" else ()  # Monitor lists them itself
    alarm = alarm_line(shown, width - places(current).cell_length - 2 if compact else width)
    if compact:
        left = places(current)
        return [between(left, alarm or memory(vitals, width - left.cell_length - 4) + " ", width)]
    free = (Content(" ") + memory(vitals, width - 2)).truncate(width, ellipsis=True)
    return [between(places(current), engine_name(vitals.engine) + " ", width), alarm or free]


def _covered(left: Content, width: int, *, compact: bool) -> list[Content]:
    """Return the top line while a blind round is open: what is free would tell which side is at work."""
    room = width - left.cell_length - 4 if compact else width - 2
    text = HIDDEN if len(HIDDEN) <= room else HIDDEN_SHORT
    hidden = Content.styled(f" {text} ", "$foreground-muted")
    return [between(left, hidden, width)] if compact else [left, hidden.truncate(width, ellipsis=True)]
