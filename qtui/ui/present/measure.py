"""Measuring in words: what is chosen, how far it is, and what each variant was found to lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from textual.content import Content

from qtui.core.errors import Failure
from qtui.core.library.variant import Variant
from qtui.core.measure.bands import limits_text
from qtui.core.measure.events import (
    LogitsPlanned,
    MeasureEnded,
    MeasureRunEvent,
    PassAdvanced,
    PassBegan,
    PassLoading,
    TextTaken,
    VariantFailed,
    VariantMeasured,
)
from qtui.core.measure.records import MeasureRecord
from qtui.core.measure.request import default_text, is_whole
from qtui.core.measure.words import figure, kld_text, measured_numbers
from qtui.core.text import duration, size
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import bar, joined, key, name

MARK_WIDTH = 2
COLUMNS = (
    Column("TYPE", 7, grows=1),
    Column("SIZE", 8, right=True),
    Column("KLD", 6, right=True),
    Column("±", 6, right=True),
    Column("TOP %", 5, right=True),
    Column("PPL", 6, right=True),
    Column("±", 6, right=True, drop=1),
    Column("WHICH IS", 20, grows=3),
)
BAR = 40
_MUTED, _WARNING, _ERROR = "$foreground-muted", "$text-warning", "$text-error"


@dataclass(frozen=True, slots=True)
class MeasureChoice:
    """What is chosen in the panel."""

    chosen: frozenset[Path]
    reference: Variant
    text: str = ""
    chunks: int = 0

    def measured(self, variants: Sequence[Variant]) -> tuple[Variant, ...]:
        """Return the variants that are measured: what is chosen, but for the reference."""
        return tuple(one for one in variants if one.path in self.chosen and one.path != self.reference.path)


@dataclass(frozen=True, slots=True)
class MeasureWork:
    """How far the measuring is."""

    text: TextTaken | None = None
    logits: LogitsPlanned | None = None
    began: PassBegan | None = None
    loading: PassLoading | None = None
    pace: PassAdvanced | None = None
    records: Mapping[Path, MeasureRecord] = field(default_factory=dict)
    failed: Mapping[Path, Failure] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    ended: MeasureEnded | None = None
    failure: Failure | None = None
    stopping: bool = False
    over: bool = False

    def after(self, event: MeasureRunEvent | Failure | None) -> MeasureWork:
        """Return how far it is once an event has happened; None: nothing goes on any more."""
        if event is None:
            return replace(self, over=True)
        if isinstance(event, Failure):
            return replace(self, failure=event)
        if isinstance(event, TextTaken):
            return replace(self, text=event)
        if isinstance(event, LogitsPlanned):
            return replace(self, logits=event)
        if isinstance(event, PassBegan):
            return replace(self, began=event, loading=None, pace=None)
        if isinstance(event, PassLoading):
            return replace(self, loading=event)
        if isinstance(event, PassAdvanced):
            return replace(self, pace=event)
        if isinstance(event, VariantFailed):
            return replace(self, failed={**self.failed, event.variant.path: event.failure})
        if isinstance(event, VariantMeasured):
            problems = (*self.problems, f"not on record: {event.problem}") if event.problem else self.problems
            return replace(self, records={**self.records, event.variant.path: event.record}, problems=problems)
        return replace(self, ended=event)


def measure_rows(variants: Sequence[Variant], choice: MeasureChoice, work: MeasureWork | None) -> list[Row]:
    """Return one row per variant: whether it is chosen, then what it was found to lose."""
    return [_row(variant, choice, work) for variant in variants]


def _row(variant: Variant, choice: MeasureChoice, work: MeasureWork | None) -> Row:
    reference, path = variant.path == choice.reference.path, variant.path
    chosen = path in choice.chosen or reference
    head = (name(variant.quant, limit=40), Content(size(variant.size)))
    record = work.records.get(path) if work is not None else None
    if work is not None and reference and work.ended is not None:
        record = work.ended.reference
    if record is not None:
        told = measured_numbers(record)
        cells = (told.kld, told.kld_error, told.same_top, told.perplexity, told.perplexity_error)
        numbers = (*(Content(cell) for cell in cells), Content.styled(told.verdict, "bold"))
    else:
        numbers = (*_running(variant, work), _state(variant, choice, work))
    return Row(str(path), (*head, *numbers), mark="✓" if chosen and not reference else "◆" if reference else "")


def _running(variant: Variant, work: MeasureWork | None) -> tuple[Content, ...]:
    pace = work.pace if work is not None and not work.over else None
    if pace is None or pace.variant.path != variant.path:
        return (Content(),) * 5
    scores = pace.scores
    lost, same = scores.kl_divergence, scores.same_top
    cells = (
        kld_text(lost.mean) if lost else "", kld_text(lost.stderr) if lost else "",
        f"{100 * same.value:.1f}" if same else "", figure(scores.perplexity.value), figure(scores.perplexity.stderr),
    )  # fmt: skip
    return tuple(Content.styled(cell, _MUTED) for cell in cells)


def _state(variant: Variant, choice: MeasureChoice, work: MeasureWork | None) -> Content:
    reference = variant.path == choice.reference.path
    if work is not None and variant.path in work.failed:
        return Content.styled("not measured", _ERROR)
    began = work.began if work is not None and not work.over else None
    if began is not None and began.variant.path == variant.path:
        return Content.styled("measuring", "$text-accent")
    if reference:
        return Content.styled("the reference", _MUTED)
    if variant.path not in choice.chosen:
        return Content()
    if work is not None and work.over:
        return Content.styled("not measured", _MUTED)
    return Content.styled("waiting" if work is not None else "will be measured", _MUTED)


def choice_text(variants: Sequence[Variant], choice: MeasureChoice, asked: Failure | None) -> Content:
    """Return what would be measured, and what stands against it."""
    count = len(choice.measured(variants))
    what = "nothing is chosen" if not count else f"{count} variant{'s' if count > 1 else ''}"
    reference = Content("against ") + name(choice.reference.quant, "bold", 40)
    lines = [joined([Content.styled(what, "bold" if count else _WARNING), reference])]
    text = choice.text or f"{default_text(choice.reference)} (suits the model)"
    chunks = f"at most {choice.chunks} chunks" if choice.chunks else "the whole text"
    lines.append(joined([Content.styled("text ", _MUTED) + name(text, limit=100), chunks, "512 tokens a chunk"]))
    if not is_whole(choice.reference):
        lines.append(Content.styled("The reference is quantised itself: what it lost does not show.", _WARNING))
    if asked is not None:
        lines += [name(asked.message, _ERROR, 400), name(asked.hint, _MUTED, 400)]
    else:
        lines.append(Content.styled(f"One model is loaded at a time. KLD, mean in nats: {limits_text()}", _MUTED))
    return Content("\n").join(lines)


def work_lines(work: MeasureWork, here: Path | None) -> Content:
    """Return how far the measuring is, and what is to be said of the variant under the cursor and of all."""
    lines = [_progress(work)]
    failure = work.failure or (work.failed.get(here) if here is not None else None)
    if failure is None and work.failed:
        failure = next(iter(work.failed.values()))
    if failure is not None:
        at_shell = "with qtui measure: " if "--" in failure.hint else ""
        lines += [name(failure.message, _ERROR, 400), name(at_shell + failure.hint, _MUTED, 400)]
        if work.failure is not None and work.over:
            lines.append(key("esc", "back to choosing: there t, n and r change text, chunks, reference"))
    record = next(iter(work.records.values()), None)
    if record is not None:
        lines.append(
            name(f"{record.method}; llama.cpp {record.build}; ± standard error; TOP %: same top token", _MUTED, 300)
        )
    if work.over and work.records:
        lines.append(Content.styled(f"KLD, mean in nats: {limits_text()}", _MUTED))
    if work.text is not None:
        lines += [name(note, _MUTED, 400) for note in work.text.notes]
    lines += [name(problem, _WARNING, 400) for problem in work.problems]
    if work.ended is not None:
        lines += [name(work.ended.kept, _MUTED, 400)] if work.ended.kept else []
    return Content("\n").join(line for line in lines if line)


def _progress(work: MeasureWork) -> Content:
    if work.over:
        if work.failure is not None:
            return Content.styled("nothing was measured", _WARNING) if not work.records else Content()
        if work.ended is None or work.ended.stopped:
            return Content.styled("stopped; what is measured is kept, the same again goes on from there", _WARNING)
        return Content.styled("done", "$text-success") + "; Models shows it as KLD when this is closed"
    if work.stopping:
        return Content.styled("stopping…", _WARNING)
    if work.began is None:
        return Content.styled("reading the vocabularies, hashing the files…", _MUTED)
    began, pace = work.began, work.pace
    what = "the reference's logits" if began.reference else "against the reference"
    head = joined([f"model {began.number} of {began.passes}", name(began.variant.quant, "bold", 40), what])
    if pace is None:
        loaded = f"loading {work.loading.fraction * 100:.0f} %" if work.loading is not None else "loading…"
        first = f"{began.done} chunks were measured before" if began.done else ""
        return Content("\n").join([head, joined([loaded, first])])
    drawn = Content.styled(bar(pace.done / pace.chunks, BAR), "$text-accent")
    left = f"{duration(pace.left)} left" if pace.left is not None else ""
    return Content("\n").join([head, joined([drawn + f" chunk {pace.done} of {pace.chunks}", left])])
