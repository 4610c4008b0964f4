"""Making a quant in words: what each type would be, what stands against it, how far it is, what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from textual.content import Content

from qtui.core.errors import Failure
from qtui.core.gguf.names import split_part
from qtui.core.measure.events import PassAdvanced
from qtui.core.measure.records import MeasureRecord
from qtui.core.measure.words import measured_numbers, progress_words
from qtui.core.quantise.gathering import Gathered, GatherStarted
from qtui.core.quantise.messages import QuantisePlanned
from qtui.core.quantise.obstacles import assurances
from qtui.core.quantise.recipe import Recipe
from qtui.core.quantise.run import Advanced, Foretold, Made, Phase, Swept
from qtui.core.quantise.types import OFFERED, MatrixUse, made_type
from qtui.core.rate import left_text
from qtui.core.text import clean_name, duration, size
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import bar, joined, key, name

MARK_WIDTH = 2
COLUMNS = (
    Column("TYPE", 9),
    Column("SIZE", 9, right=True),
    Column("BPW", 5, right=True),
    Column("MATRIX", 6),
    Column("FOR", 20, grows=1),
)
BAR = 40
PATH = 66
"""Characters of a path: its end tells most."""
_USES = {MatrixUse.UNUSED: "–", MatrixUse.LITTLE: "little", MatrixUse.HELPS: "helps", MatrixUse.NEEDED: "helps"}
_MUTED, _WARNING, _ERROR = "$foreground-muted", "$text-warning", "$text-error"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen in the panel."""

    target: Path
    recipe: Recipe
    text: str = ""
    """Gather a matrix over this text first."""
    asked: bool = False
    """Whether the file that is there may be replaced."""


@dataclass(frozen=True, slots=True)
class Work:
    """How far the work is."""

    told: Foretold | None = None
    step: Advanced | None = None
    gathered: Gathered | None = None
    notes: tuple[str, ...] = ()
    made: Made | None = None
    failure: Failure | None = None
    stopped: bool = False
    measurable: bool = False
    """What was made can be measured."""
    measuring: bool = False
    pace: PassAdvanced | None = None
    """How far the measuring is."""
    measured: MeasureRecord | None = None
    unmeasured: Failure | None = None

    @property
    def over(self) -> bool:
        """Tell whether nothing is being made any more."""
        return self.made is not None or self.failure is not None or self.stopped


def default_target(folder: Path, source: PurePath, kind: str) -> Path:
    """Return a name for a result: the source's, with the type in place of its own."""
    part = split_part(source.name)
    stem = part.stem if part else source.name.removesuffix(".gguf")
    head, dash, tail = stem.rpartition("-")
    known = {made.name for made in OFFERED}
    if dash and tail.upper() in known:
        stem = head
    return folder / f"{stem}-{kind}.gguf"


def type_rows(told: Mapping[str, Foretold], *, matrix: bool) -> list[Row]:
    """Return one row per type; `matrix`: one is given, or will be gathered."""
    return [Row(made.name, _cells(told.get(made.name), made.name, matrix=matrix)) for made in OFFERED]


def _cells(told: Foretold | None, kind: str, *, matrix: bool) -> tuple[Content | None, ...]:
    made = made_type(kind)
    planned = told.planned if told is not None else None
    if told is None or planned is None or planned.problem:
        dim = _MUTED if told is None else _ERROR
        return (
            Content(kind),
            Content.styled("…" if told is None else "–", dim),
            Content(),
            Content(),
            Content(made.about),
        )
    needed = planned.needs_matrix
    use = (
        Content.styled("needed", _MUTED if matrix else _WARNING)
        if needed
        else Content.styled(_USES[made.matrix], _MUTED)
    )
    refused = told.failure is not None and not (needed and matrix)
    style = _MUTED if refused else ""
    bits = planned.bits_per_weight
    return (
        Content.styled(kind, style),
        Content.styled(size(planned.size), style),
        Content.styled("?" if bits is None else f"{bits:.2f}", style),
        use,
        Content.styled(made.about, style),
    )


def about_text(told: Foretold | None, choice: Choice) -> Content:
    """Return what is to be said of the type under the cursor, under what is chosen."""
    lines = [joined([Content.styled("into ", _MUTED) + name(tail(str(choice.target)), limit=PATH)])]
    lines.append(_chosen(choice))
    if told is None:
        lines.append(Content.styled("asking llama.cpp…", _MUTED))
        return Content("\n").join(lines)
    planned = told.planned
    if not planned.problem:
        lines.append(_size_line(told))
        lines.append(name(_mix(planned), _MUTED, 400))
    failure = waived(told, choice)
    if failure is not None:
        lines += [name(failure.message, _ERROR, 400), _hint(failure, planned)]
    lines += _remarks(told)
    made = made_type(planned.recipe.kind)
    if failure is None and made.matrix is MatrixUse.HELPS and not planned.recipe.imatrix and not choice.text:
        lines.append(Content("below 4 bits a matrix is worth its time: ") + key("t", "gathers one"))
    if choice.asked:
        lines.append(
            Content.styled(f"{clean_name(choice.target.name)} is there already: enter again replaces it", _ERROR)
        )
    return Content("\n").join([line for line in lines if line])


def _hint(failure: Failure, planned: QuantisePlanned) -> Content:
    """Return what to do about it: here by a key, where there is one."""
    if planned.problem or (planned.matrix is not None and planned.matrix.problem):
        return name(failure.hint, _MUTED, 400)
    if planned.requantised and not planned.recipe.allow_requantize:
        return key("r", "takes it all the same, and the file will say so")
    if planned.needs_matrix and planned.matrix is None:
        return joined([key("t", "gathers one over a text"), key("m", "names one")])
    return name(failure.hint, _MUTED, 400)


def tail(path: str) -> str:
    """Return a path that is cut in front when it is long."""
    return path if len(path) <= PATH else "…" + path[1 - PATH :]


def waived(told: Foretold, choice: Choice) -> Failure | None:
    """Return what stands against a type; that it needs a matrix does not when one will be gathered."""
    if told.failure is not None and told.planned.needs_matrix and choice.text and not told.planned.recipe.imatrix:
        return None
    return told.failure


def _chosen(choice: Choice) -> Content:
    recipe = choice.recipe
    if choice.text:
        matrix = Content("gathered over ") + name(choice.text, limit=60)
    else:
        matrix = name(recipe.imatrix, limit=60) if recipe.imatrix else Content("none")
    parts = [Content.styled("matrix ", _MUTED) + matrix]
    if recipe.pure:
        parts.append(Content.styled("pure", _WARNING))
    if recipe.allow_requantize:
        parts.append(Content.styled("requantising allowed", _WARNING))
    if recipe.tensor_type:
        parts.append(name(" ".join(f"{pattern}={kind}" for pattern, kind in recipe.tensor_type), limit=80))
    return joined(parts)


def _size_line(told: Foretold) -> Content:
    planned = told.planned
    bits = planned.bits_per_weight
    exact = f"{planned.size} bytes" + (f", {bits:.2f} bits per weight" if bits else "")
    free = f"{size(told.free)} free" if told.free is not None else ""
    return joined([Content.styled(size(planned.size), "bold"), exact, free])


def _remarks(told: Foretold) -> list[Content]:
    fine = [name(one, _MUTED, 400) for one in ([] if told.planned.problem else assurances(told.planned))]
    return [*fine, *(name(remark, _WARNING, 400) for remark in told.remarks)]


def _mix(planned: QuantisePlanned) -> str:
    return "tensors " + ", ".join(f"{share.tensors} {share.kind}" for share in planned.mix)


def work_text(work: Work, choice: Choice) -> Content:
    """Return how far the work is, and what came of it."""
    told, lines = work.told, [Content.styled("into ", _MUTED) + name(tail(str(choice.target)), limit=PATH), Content()]
    if told is not None:
        lines += [_size_line(told), name(_mix(told.planned), _MUTED, 400)]
        lines += _remarks(told)
    lines += [name(note, _MUTED, 400) for note in work.notes]
    if work.gathered is not None:
        lines.append(_gathered_line(work.gathered))
    lines.append(Content())
    if work.made is not None:
        lines += [*_made_lines(work.made), Content(), *_measured_lines(work)]
    elif work.failure is not None:
        lines += [name(work.failure.message, _ERROR, 400), name(work.failure.hint, _MUTED, 400)]
    elif work.stopped:
        lines.append(Content.styled("stopped; nothing of the result is left", _WARNING))
    elif work.step is None:
        lines.append(Content.styled("loading the model…" if choice.text else "asking llama.cpp…", _MUTED))
    else:
        lines += _step_lines(work.step)
    return Content("\n").join(lines)


def _step_lines(step: Advanced) -> list[Content]:
    gathering = step.phase is Phase.GATHERING
    head = Content("gathering the matrix" if gathering else f"making {step.total} tensors")
    drawn = Content.styled(bar(step.fraction, BAR), "$text-accent") + f" {step.fraction * 100:.0f} %"
    where = f"chunk {step.done} of {step.total}" if gathering else f"tensor {step.done + 1} of {step.total}"
    left = f"{left_text(step.left)} left" if step.left is not None else ""
    return [head, drawn, joined([where, left, name(step.what, _MUTED, 60)])]


def _gathered_line(gathered: Gathered) -> Content:
    text = f"matrix of {gathered.entries} tensors from {gathered.chunks} chunks in {duration(gathered.elapsed)}"
    if not gathered.experts:
        return Content(text)
    share = gathered.experts_seen * 100 / gathered.experts
    style = _WARNING if gathered.experts_seen < gathered.experts else "$text-success"
    return joined(
        [text, Content.styled(f"{gathered.experts_seen} of {gathered.experts} experts seen ({share:.1f} %)", style)]
    )


def _made_lines(made: Made) -> list[Content]:
    result = made.result
    exact = result.size == made.foretold.planned.size
    told = Content.styled("as predicted", "$text-success") if exact else Content.styled("not as predicted", _ERROR)
    return [
        Content.styled("made ", "$text-success") + name(PurePath(result.files[0]).name, limit=PATH),
        joined([f"{result.size} bytes", told, f"in {duration(result.elapsed)}"]),
        Content.styled("Models looks again when this is closed.", _MUTED),
    ]


def _measured_lines(work: Work) -> list[Content]:
    if work.measured is not None:
        numbers = measured_numbers(work.measured)
        told = (
            f"KLD {numbers.kld} ± {numbers.kld_error}, perplexity {numbers.perplexity}, same top {numbers.same_top} %"
        )
        return [joined([told, Content.styled(numbers.verdict, "bold")]), name(work.measured.method, _MUTED)]
    if work.unmeasured is not None:
        return [name(work.unmeasured.message, _ERROR, 400), name(work.unmeasured.hint, _MUTED, 400)]
    if work.measuring:
        pace = work.pace
        if pace is None:
            return [Content.styled("loading, to measure it…", _MUTED)]
        what = "the source's logits" if pace.reference else "against its source"
        drawn = Content.styled(bar(pace.done / pace.chunks, BAR), "$text-accent")
        return [Content(f"measuring, {what}"), drawn, name(progress_words(pace), limit=200)]
    return [key("M", "measures it against its source: the frontier has its point then")] if work.measurable else []


def tensor_types(recipe: Recipe) -> str:
    """Return the overrides of a recipe as they are typed."""
    return " ".join(f"{pattern}={kind.lower()}" for pattern, kind in recipe.tensor_type)


def notes_of(event: Swept | GatherStarted) -> list[str]:
    """Return what was found before the work began."""
    if isinstance(event, Swept):
        return [f"removed what a killed run had left: {one.path.name} ({size(one.size)})" for one in event.leftovers]
    notes = [event.note] if event.note else []
    return [*notes, *([f"{event.resumed} of {event.chunks} chunks were gathered before"] if event.resumed else [])]
