"""A comparison as rows of text, the same in the terminal and in the app."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtui.core.compare import Column, Measure, difference, measures
from qtui.core.text import GIB, rate

NAMES = {
    "size": "size, GiB", "bits_per_weight": "bits per weight", "total": "needs, GiB", "ram": "  RAM",
    "largest_context": "largest context", "generation_rate": "tokens/s",
}  # fmt: skip
MIX_SHOWN = 4


@dataclass(frozen=True, slots=True)
class CompareRow:
    """One row: a label, and a cell per variant."""

    label: str
    cells: tuple[str, ...]
    change: bool = False
    """The differences to the first variant of the row above."""


def heads(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return what tells the variants apart: the quant, with the model where there are several.

    Of quants that are there twice it is where they lie, or the name of the file.
    """
    variants = [column.variant for column in columns]
    several = len({variant.model for variant in variants}) > 1
    names = [variant.title if several else variant.quant for variant in variants]
    twice = {name for name in names if names.count(name) > 1}
    for words in ([variant.source for variant in variants], [variant.path.name for variant in variants]):
        told = [f"{name}, {word}" if name in twice else name for name, word in zip(names, words, strict=True)]
        if len(set(told)) == len(told):
            break
    return tuple(told)


def compare_rows(columns: Sequence[Column]) -> tuple[CompareRow, ...]:
    """Return the rows of a comparison; the differences of a number follow it."""
    rows = []
    for measure in measures(columns):
        label = NAMES.get(measure.key, "  " + measure.key.replace("vram", "GPU"))
        values = (_text(measure, measure.origin(column).sign, measure.value(column)) for column in columns)
        rows.append(CompareRow(label, tuple(values)))
        changes = _changes(measure, columns)
        if any(changes):
            rows.append(CompareRow("", changes, change=True))
    rows += [
        CompareRow("verdict", tuple(column.weighing.verdict.fit.value.replace("_", " ") for column in columns)),
        CompareRow("KL divergence", tuple(column.loss.cell if column.loss else "?" for column in columns)),
        CompareRow("  counts as", tuple(_band(column) for column in columns)),
        CompareRow("votes won/lost", tuple(_votes(columns[0], column) for column in columns)),
    ]
    rows += [CompareRow(f"  {name}", tuple(_share(column, name) for column in columns)) for name in _types(columns)]
    rows.append(CompareRow("imatrix", tuple(column.imatrix or "not noted" for column in columns)))
    rows.append(CompareRow("date", tuple(_date(column.date) for column in columns)))
    return tuple(rows)


def compare_notes(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return what a comparison has to say besides: under which plan, and what is wrong with a variant."""
    plan = columns[0].weighing.plan
    cache = "/".join(dict.fromkeys((plan.cache_type_k, plan.cache_type_v)))
    notes = [f"needs: at ctx {plan.ctx_size}, KV {cache}; ~ computed"]
    for head, column in zip(heads(columns), columns, strict=True):
        verdict = column.weighing.verdict
        reason = verdict.reason.replace("vram", "GPU").replace(" ram", " RAM")
        refused = reason if column.weighing.footprint is None or verdict.short_by else ""
        lost = column.loss.sentence if column.loss is not None else ""
        notes += [f"{head}: {text}" for text in (column.facts_problem, refused, lost) if text]
    notes += _vote_notes(columns)
    sources = (column.loss.source for column in columns if column.loss is not None)
    notes += dict.fromkeys(f"° {source.line}" for source in sources if source is not None)
    return tuple(notes)


def _votes(first: Column, column: Column) -> str:
    """Return `won/lost` against the first, with the ties; `?` where there are no votes."""
    if column is first:
        return "–"
    ballot = column.tally.against(first.variant.path)
    if ballot is None:
        return "?"
    ties = f", {ballot.ties} tie{'' if ballot.ties == 1 else 's'}" if ballot.ties else ""
    return f"{ballot.a}/{ballot.b}{ties}"


def _vote_notes(columns: Sequence[Column]) -> list[str]:
    """Return what follows from the votes on each variant and the first, and why there are none on the rest."""
    titles, first = heads(columns), columns[0]
    notes = []
    for title, column in zip(titles[1:], columns[1:], strict=True):
        ballot = column.tally.against(first.variant.path)
        said = column.tally.missing if ballot is None else ballot.sentence((title, titles[0]))
        notes.append(f"votes: {said}" if ballot is None else f"votes on {title} and {titles[0]}: {said}")
    return list(dict.fromkeys(notes))


def _band(column: Column) -> str:
    band = column.loss.band if column.loss is not None else None
    return band.value if band is not None else "?"


def _changes(measure: Measure, columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the difference of each column to the first, absolute and in percent; empty where there is none."""
    cells = [""]
    first = measure.value(columns[0])
    for column in columns[1:]:
        found = difference(first, measure.value(column))
        if found is None or not found.absolute:
            cells.append("")
        else:
            percent = "" if found.percent is None else f", {_percent(found.percent)}"
            cells.append(f"{_FORMATS[measure.unit](found.absolute, '+')}{percent}")
    return tuple(cells)


def _percent(value: float) -> str:
    """Return a change with two digits that matter, `+0.4 %`, or in whole percent."""
    return f"{value:+.{1 if abs(value) < 9.95 else 0}f} %"


def _text(measure: Measure, sign: str, value: float | None) -> str:
    return "?" if value is None else (sign if value else "") + _FORMATS[measure.unit](value, "")


_FORMATS: dict[str, Callable[[float, str], str]] = {
    "bytes": lambda value, sign: f"{value / GIB:{sign}.{2 if abs(value) >= GIB / 10 else 4}f}",
    "bits": lambda value, sign: f"{value:{sign}.3f}",
    "tokens": lambda value, sign: f"{value:{sign}.0f}" if value else "none",
    "tokens/s": lambda value, sign: f"{value:{sign}.1f}" if sign else rate(value),
}


def _types(columns: Sequence[Column]) -> list[str]:
    """Return the tensor types worth a row: the largest of any variant."""
    shares: dict[str, float] = {}
    for column in columns:
        for name, share in column.mix.items():
            shares[name] = max(share, shares.get(name, 0))
    return sorted(shares, key=lambda name: -shares[name])[: MIX_SHOWN + len(columns)]


def _share(column: Column, name: str) -> str:
    share = 100 * column.mix.get(name, 0)
    return "?" if not column.mix else "<1 %" if 0 < share < 0.5 else f"{share:.0f} %"


def _date(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")
