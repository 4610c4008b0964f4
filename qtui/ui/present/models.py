"""The table of models: what is here, what each needs, and whether it fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from textual.content import Content

from qtui.core.advice.loss import Loss
from qtui.core.library.filter_text import TermProblem
from qtui.core.library.order import SortKey
from qtui.core.library.variant import Model, Role, Variant
from qtui.core.memory.changes import spare
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit, Verdict
from qtui.core.origin import Origin
from qtui.core.text import clean_name, count, rate
from qtui.ui.present.table import Cells, Column
from qtui.ui.present.words import gib, joined, name

COLUMNS = (
    Column("VARIANT", 14, grows=3),
    Column("SIZE GiB", 8, right=True),
    Column("BPW", 5, right=True, drop=3),
    Column("NEEDS", 7, right=True),
    Column("FIT", 10),
    Column("T/S", 5, right=True, drop=1),
    Column("KLD", 7, right=True, drop=7, at_least=88),
    Column("SPARE", 6, right=True, drop=6, at_least=120),
    Column("TRAINED", 8, right=True, drop=5, at_least=100),
    Column("WHERE", 10, grows=3, drop=4),
)
MEASURED = "KLD"
"""The column that takes the place of others on a narrow screen once something was measured."""
SORTED = {
    SortKey.NAME: "VARIANT", SortKey.SIZE: "SIZE GiB", SortKey.BPW: "BPW", SortKey.NEEDS: "NEEDS", SortKey.RATE: "T/S",
}  # fmt: skip
"""The column that shows what rows are sorted by."""
MARK_WIDTH = 5
"""Cells before the first column: the cursor and the sides."""

ROLE_NAMES = {
    Role.EMBEDDING: "embedding model",
    Role.MMPROJ: "projector",
    Role.IMATRIX: "importance matrix",
    Role.ADAPTER: "adapter",
    Role.DRAFT: "draft model",
    Role.VOCAB: "vocabulary only",
    Role.RAWPART: "raw part",
    Role.UNKNOWN: "unknown role",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the Arena does with the variants: which stands on which side, which are loaded, how fast they answered."""

    sides: Mapping[str, Variant] = field(default_factory=dict)
    loaded: frozenset[str] = frozenset()
    """Sides that hold a running session."""
    rates: Mapping[Path, float] = field(default_factory=dict)
    """Tokens per second, measured in this run of qtui."""
    plans: Mapping[str, LoadPlan] = field(default_factory=dict)
    """What each side was loaded under."""
    hidden: frozenset[Path] = frozenset()
    """Variants of an open blind round: how fast they are is not told."""

    def covered(self) -> Standing:
        """Return what may be seen while a blind round is open: of no row whether it is on a side, loaded, how fast."""
        return Standing(hidden=frozenset(variant.path for variant in self.sides.values()))

    def pace(self, path: Path, known: Speed | None) -> Speed | None:
        """Return how fast a variant is, where it may be told: as it is on record, else as this run has measured it."""
        if path in self.hidden:
            return None
        own = self.rates.get(path)
        on_record = known is not None and known.origin is Origin.MEASURED
        return known if own is None or on_record else Speed(own, Origin.MEASURED)

    def mark(self, path: Path) -> str:
        """Return the sides that a variant stands on: ``, `A`, `B` or `AB`."""
        return "".join(side for side, variant in sorted(self.sides.items()) if variant.path == path)

    def is_loaded(self, path: Path) -> bool:
        """Tell whether a session of this variant runs in the Arena."""
        return any(self.sides[side].path == path for side in self.loaded if side in self.sides)

    def plan_of(self, path: Path) -> LoadPlan | None:
        """Return what a session of this variant was started under, None when none runs."""
        return next(
            (self.plans[side] for side in sorted(self.loaded & self.plans.keys())
             if side in self.sides and self.sides[side].path == path),
            None,
        )  # fmt: skip


def sorted_columns(key: SortKey, *, measured: bool = False) -> tuple[Column, ...]:
    """Return the columns, the one that rows are sorted by marked with `v` for downwards.

    What was `measured` here is shown on a narrow screen too, where it stands before where files lie.
    """
    found = {column.title: column for column in COLUMNS}
    if measured:
        found[MEASURED] = replace(found[MEASURED], drop=2, at_least=0)
    lead = found[SORTED[key]]
    found[lead.title] = replace(lead, title=f"{lead.title.split()[0]} v", lead=True)
    return tuple(found.values())


def heading(model: Model) -> Content:
    """Return a model's head row: name, architecture, parameters, how many variants are here."""
    facts = [clean_name(model.architecture, 40), count(model.parameters) if model.parameters else ""]
    facts.append(f"{len(model.variants)} here" if len(model.variants) > 1 else "")
    return name(model.name, "bold") + Content.styled("  " + "  ".join(f for f in facts if f), "$foreground-muted")


def other_heading() -> Content:
    """Return the head row of what is no chat model."""
    return Content.styled("other", "bold") + Content.styled("  files that do not chat", "$foreground-muted")


def variant_cells(
    variant: Variant, weighing: Weighing | None, standing: Standing, preset: str = "", pace: Speed | None = None,
    *, loss: Loss | None = None,
) -> Cells:  # fmt: skip
    """Return the cells of one variant's row; `preset` is one that it has of its own."""
    label = name(variant.quant)
    if variant.role is not Role.MODEL:
        label = joined([name(variant.model), Content.styled(clean_name(variant.quant), "$foreground-muted")], " ")
    elif preset:
        label = joined([label, Content.styled(f"preset: {clean_name(preset, 60)}", "$text-accent")], "  ")
    where = name(_folder(variant.source), "$foreground-muted")
    size = Content(gib(variant.size))
    bpw = Content("?" if variant.bits_per_weight is None else f"{variant.bits_per_weight:.2f}")
    trained = Content(str(variant.context_length or "?"))
    if not variant.loadable:
        why = Content.styled(role_name(variant), "$foreground-muted")
        if variant.problem or not variant.complete:
            why = name(variant.problem or "incomplete", "$text-error")
        return (label, size, bpw, why, None, None, None, None, None, where)
    fit = fit_word(weighing, loaded=standing.is_loaded(variant.path))
    speed: Content | None = paced(standing.pace(variant.path, pace))
    if variant.role is not Role.MODEL:
        fit, speed = joined([fit, _muted(role_name(variant).removesuffix(" model"))]), None
    lost = loss_cell(loss)
    return (label, size, bpw, needs(weighing), fit, speed, lost, spare_cell(weighing), trained, where)


def loss_cell(loss: Loss | None) -> Content:
    """Return a KL divergence with the sign of its origin; `?` while it is not known."""
    if loss is None:
        return _muted("?")
    return Content.styled(loss.cell, "" if loss.kl_divergence is not None else "$foreground-muted")


def _folder(source: str) -> str:
    """Return a place as a narrow column shows it: of a long path its last folder, which tells more than its first."""
    head, slash, last = source.rstrip("/").rpartition("/")
    return f"…/{last}" if slash and last and "/" in head.removeprefix("~") else source


def role_name(variant: Variant) -> str:
    """Return what a file is for."""
    return ROLE_NAMES.get(variant.role, variant.role.value)


def spare_cell(weighing: Weighing | None) -> Content:
    """Return how many GiB of headroom are left in the worst pool once it is loaded."""
    left = spare(weighing) if weighing else None
    return _muted("?") if left is None else Content(gib(left[1])) if left[1] >= 0 else _muted("none")


def _muted(text: str) -> Content:
    return Content.styled(text, "$foreground-muted")


def needs(weighing: Weighing | None) -> Content:
    """Return what it needs with the sign of its origin; `?` while unknown."""
    if weighing is None or weighing.footprint is None:
        return Content.styled("?", "$foreground-muted")
    return Content(weighing.footprint.origin.sign + gib(weighing.footprint.total))


def paced(speed: Speed | None) -> Content:
    """Return a rate with the sign of its origin; `?` while unknown."""
    if speed is None or speed.rate is None:
        return _muted("?")
    return Content(speed.origin.sign + rate(speed.rate))


def fit_word(weighing: Weighing | None, *, loaded: bool = False) -> Content:
    """Return the verdict in one or two words; colour repeats what the words say."""
    if loaded:
        return Content.styled("loaded", "$text-accent")
    if weighing is None or (weighing.footprint is None and weighing.error is None):
        return Content.styled("asking…", "$foreground-muted")
    if weighing.error is not None:
        return Content.styled("refused" if weighing.error.kind == "plan_refused" else "?", "$text-error")
    return verdict_word(weighing.verdict)


def verdict_word(verdict: Verdict) -> Content:
    """Return a verdict in one or two words."""
    match verdict.fit:
        case Fit.FITS:
            return Content.styled("fits", "$text-success")
        case Fit.TIGHT:
            return Content.styled("tight", "$text-warning")
        case Fit.PARTIAL:
            return Content.styled("partial", "$text-warning")
        case Fit.FROM_DISK:
            return Content.styled("from disk", "$text-warning")
        case Fit.TOO_BIG:
            return Content.styled(f"over {gib(verdict.short_by)}", "$text-error")
        case _:
            return Content.styled("?", "$foreground-muted")


def found_line(
    files: int,
    models: int,
    *,
    scanning: bool,
    shown: int | None = None,
    sort: SortKey = SortKey.NAME,
    problem: str = "",
) -> Content:
    """Return how much is here, what a filter leaves of it (None: there is none), how it is sorted, what goes on."""
    here = f"{files} {_plural(files, 'file')}, {models} {_plural(models, 'model')}"
    parts: list[Content | str] = [here if shown is None else f"{shown} of {here}"]
    if sort is not SortKey.NAME:
        parts.append(f"by {sort.value}")
    if scanning:
        parts.append(Content.styled("looking…", "$text-accent"))
    if problem:
        parts.append(name(problem, "$text-error"))
    return joined(parts)


def problem_line(problems: Iterable[TermProblem]) -> Content:
    """Return what of a filter is left out, and why."""
    parts = (Content.assemble((problem.term, "bold"), f" {problem.message}") for problem in problems)
    return Content.styled("left out: ", "$text-warning") + joined(parts, "; ")


def empty_text(places: Iterable[tuple[str, Path]], *, scanning: bool, problem: str) -> Content:
    """Return what stands in place of the table: where was looked, and the ways on."""
    looked = [name(f"    {path}  ({label})") for label, path in places]
    if scanning:
        return Content("\n").join([Content("Looking for models in"), *looked])
    lines = [Content.styled("No models here yet.", "bold"), Content("Looked in"), *looked, Content("")]
    if problem:
        lines += [name(problem, "$text-error"), Content("")]
    lines += [
        Content.assemble(("Three ways on", "bold")),
        Content.assemble("    ", ("qtui demo", "$text-accent"), "               the small model that comes with qtui"),
        Content.assemble("    ", ("qtui --models-dir DIR", "$text-accent"), "   look in a folder of yours"),
        Content.assemble("    ", ("R", "$text-accent"), "                       look again, once files are there"),
    ]
    return Content("\n").join(lines)


def _plural(number: int, noun: str) -> str:
    return noun if number == 1 else noun + "s"
