"""The table of models: what is here, what each needs, and whether it fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textual.content import Content

from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadPlan
from qtui.core.memory.verdict import Fit, Verdict
from qtui.core.text import clean_name, count, rate
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import gib, joined, name

COLUMNS = (
    Column("VARIANT", 14, grows=3),
    Column("SIZE GiB", 8, right=True),
    Column("BPW", 5, right=True, drop=2),
    Column("NEEDS", 7, right=True),
    Column("FIT", 10, grows=1),
    Column("T/S", 5, right=True, drop=1),
    Column("WHERE", 12, grows=3, drop=3),
)
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

    def mark(self, path: Path) -> str:
        """Return the sides that a variant stands on: ``, `A`, `B` or `AB`."""
        return "".join(side for side, variant in sorted(self.sides.items()) if variant.path == path)

    def is_loaded(self, path: Path) -> bool:
        """Tell whether a session of this variant runs in the Arena."""
        return any(self.sides[side].path == path for side in self.loaded if side in self.sides)


def matches(variant: Variant, words: Iterable[str]) -> bool:
    """Tell whether every word stands somewhere in what is known of a variant."""
    text = " ".join(
        (variant.model, variant.quant, variant.architecture, variant.source, str(variant.path), variant.role.value)
    ).lower()
    return all(word in text for word in words)


def rows(
    variants: Iterable[Variant], weighings: Mapping[Path, Weighing], standing: Standing, words: Iterable[str] = ()
) -> tuple[Row, ...]:
    """Return the rows, grouped by model, largest variant first; what does not chat stands under *other*."""
    wanted = tuple(word.lower() for word in words)
    models: dict[str, list[Variant]] = {}
    other: list[Variant] = []
    for variant in variants:
        if matches(variant, wanted):
            if variant.role is Role.MODEL:
                models.setdefault(variant.model, []).append(variant)
            else:
                other.append(variant)
    result: list[Row] = []
    for model in sorted(models, key=lambda m: (m.casefold(), m)):
        members = sorted(models[model], key=lambda v: (-v.size, str(v.path)))
        result.append(Row(f"model:{model}", heading=heading(members)))
        result.extend(variant_row(v, weighings.get(v.path), standing) for v in members)
    if other:
        note = Content.styled(" files that do not chat", "$foreground-muted")
        result.append(Row("other:", heading=Content.styled("other", "bold") + note))
        other.sort(key=lambda v: (v.role.value, v.model.casefold(), str(v.path)))
        result.extend(variant_row(v, weighings.get(v.path), standing) for v in other)
    return tuple(result)


def heading(members: list[Variant]) -> Content:
    """Return a model's head row: name, architecture, parameters, how many variants are here."""
    first = members[0]
    facts = [clean_name(first.architecture, 40), count(first.parameters) if first.parameters else ""]
    facts.append(f"{len(members)} here" if len(members) > 1 else "")
    return name(first.model, "bold") + Content.styled("  " + "  ".join(f for f in facts if f), "$foreground-muted")


def variant_row(variant: Variant, weighing: Weighing | None, standing: Standing) -> Row:
    """Return one variant's row."""
    mark = standing.mark(variant.path)
    label = name(variant.quant)
    if variant.role is not Role.MODEL:
        label = joined([name(variant.model), Content.styled(clean_name(variant.quant), "$foreground-muted")], " ")
    where = name(variant.source, "$foreground-muted")
    size = Content(gib(variant.size))
    bpw = Content("?" if variant.bits_per_weight is None else f"{variant.bits_per_weight:.2f}")
    if variant.problem or not variant.complete:
        problem = name(variant.problem or "incomplete", "$text-error")
        return Row(str(variant.path), (label, size, bpw, problem, None, None, where), mark=mark)
    if not variant.loadable:
        role = Content.styled(ROLE_NAMES.get(variant.role, variant.role.value), "$foreground-muted")
        return Row(str(variant.path), (label, size, bpw, role, None, None, where), mark=mark)
    measured = standing.rates.get(variant.path)
    speed = Content(rate(measured)) if measured is not None else Content.styled("?", "$foreground-muted")
    fit = fit_word(weighing, loaded=standing.is_loaded(variant.path))
    return Row(str(variant.path), (label, size, bpw, needs(weighing), fit, speed, where), mark=mark)


def needs(weighing: Weighing | None) -> Content:
    """Return what it needs with the sign of its origin; `?` while unknown."""
    if weighing is None or weighing.footprint is None:
        return Content.styled("?", "$foreground-muted")
    return Content(weighing.footprint.origin.sign + gib(weighing.footprint.total))


def fit_word(weighing: Weighing | None, *, loaded: bool = False) -> Content:
    """Return the verdict in one or two words; colour repeats what the words say."""
    if loaded:
        return Content.styled("loaded", "$text-accent")
    if weighing is None:
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


def plan_line(plan: LoadPlan) -> Content:
    """Return the current plan in short."""
    layers = {ALL_LAYERS: "all", AUTO: "auto"}.get(plan.n_gpu_layers, str(plan.n_gpu_layers))
    cache = plan.cache_type_k if plan.cache_type_k == plan.cache_type_v else f"{plan.cache_type_k}/{plan.cache_type_v}"
    context = str(plan.ctx_size) if plan.ctx_size else "up to 8192"
    facts = (f"ctx {context}", f"KV {cache.upper()}", f"GPU layers {layers}", f"load {plan.load_mode.value}")
    return Content.assemble(("plan: ", "$foreground-muted"), "  ".join(facts))


def found_line(variants: Iterable[Variant], *, scanning: bool, shown: int, words: str, problem: str = "") -> Content:
    """Return how much is here, whether the search still runs, and what the filter leaves."""
    everything = tuple(variants)
    models = len({v.model for v in everything if v.role is Role.MODEL})
    files = f"{len(everything)} {'file' if len(everything) == 1 else 'files'}, {models} {_plural(models, 'model')}"
    parts: list[Content | str] = [f"{shown} of {files}" if words else files]
    if words:
        parts.append(name(f"/ {words}", "$text-accent", 40))
    if scanning:
        parts.append(Content.styled("looking…", "$text-accent"))
    if problem:
        parts.append(name(problem, "$text-error"))
    return joined(parts)


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
