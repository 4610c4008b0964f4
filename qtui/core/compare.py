"""Compare variants: what differs in size, memory, speed, quality and make, each against the first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtui.core.advice.loss import Loss, Losses
from qtui.core.duel.tally import ITSELF, Tally, Votes
from qtui.core.errors import QtuiError
from qtui.core.gguf.facts import Facts
from qtui.core.library.variant import Variant
from qtui.core.memory.fit.search import largest_context
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.ports import Library
from qtui.core.text import clean_name

UNKNOWN_TRAINED = 1 << 17
"""Searched up to where a header does not tell what it was trained to."""
NO_QUALITY = "no measured or published figure is known here"

Rate = Callable[[Variant, LoadPlan], Awaitable[float | None]]
"""Tells the measured generation rate of a variant under a resolved plan, tokens per second; None: none is kept."""
Dated = Callable[[Variant], float | None]
"""Tells when a variant's file was written, in seconds since the epoch; None where it cannot be looked at."""


async def no_rate(_variant: Variant, _plan: LoadPlan) -> float | None:
    """Tell no rate: nothing is kept."""
    return None


def no_date(_variant: Variant) -> float | None:
    """Tell no date."""
    return None


@dataclass(frozen=True, slots=True)
class Column:
    """All that is known of one variant. None: unknown."""

    variant: Variant
    facts: Facts | None
    facts_problem: str
    """Why there are no facts; empty when there are."""
    weighing: Weighing
    largest_context: int | None
    """That fits, all else as planned; computed. 0: none does."""
    rate: float | None
    """Tokens per second, measured."""
    date: float | None
    """When the file was written, seconds since the epoch."""
    loss: Loss | None = None
    """What it loses by the best that is known; None: nobody was asked."""
    tally: Tally = Tally()
    """The votes on it against the others."""

    @property
    def pools(self) -> tuple[int | None, ...]:
        """Return what RAM and each card must hold; one None where the footprint is not known."""
        footprint = self.weighing.footprint
        return (None,) if footprint is None else (footprint.pools.ram, *footprint.pools.vram)

    @property
    def bits_per_weight(self) -> float | None:
        """Return the real bits per weight: of the header, else as the library told."""
        own = self.facts.bits_per_weight if self.facts is not None else None
        return own if own is not None else self.variant.bits_per_weight

    @property
    def mix(self) -> Mapping[str, float]:
        """Return the share of the bytes that each tensor type has, the largest first; 0 to 1."""
        rows = self.facts.mix if self.facts is not None else ()
        total = sum(row.bytes or 0 for row in rows)
        return {row.name: (row.bytes or 0) / total for row in rows} if total else {}

    @property
    def imatrix(self) -> str | None:
        """Return what the importance matrix was, in words; None where the header notes none."""
        noted = self.facts.imatrix if self.facts is not None else {}
        if not noted:
            return None
        told = [str(noted[key]) for key in ("dataset", "file") if noted.get(key)][:1]
        chunks = noted.get("chunks_count")
        return clean_name(", ".join([*told, *([f"{chunks} chunks"] if chunks else [])]) or "noted")


@dataclass(frozen=True, slots=True)
class Difference:
    """How a number differs from the first variant's."""

    absolute: float
    percent: float | None
    """None where the first is 0."""

    def as_json(self) -> dict[str, Any]:
        """Return `{"absolute", "percent"}`."""
        percent = None if self.percent is None else round(self.percent, 3)
        return {"absolute": self.absolute, "percent": percent}


def difference(first: float | None, other: float | None) -> Difference | None:
    """Return by how much `other` differs from `first`; None where either is unknown."""
    if first is None or other is None:
        return None
    return Difference(other - first, 100 * (other - first) / first if first else None)


async def compare(
    guard: Guard,
    library: Library,
    variants: Sequence[Variant],
    plan: Callable[[Variant], LoadPlan],
    *,
    rate: Rate = no_rate,
    dated: Dated = no_date,
    losses: Losses | None = None,
    votes: Votes | None = None,
) -> tuple[Column, ...]:
    """Gather what is known of each variant under its plan, which is not resolved."""
    columns = [await _column(guard, library, variant, plan(variant), rate=rate, dated=dated) for variant in variants]
    if losses is not None:
        found = await losses.of(variants)
        columns = [replace(each, loss=found[each.variant.path]) for each in columns]
    if votes is not None:
        tallies = await votes.of(variants)
        columns = [replace(each, tally=tallies[each.variant.path]) for each in columns]
    return tuple(columns)


async def _column(
    guard: Guard, library: Library, variant: Variant, plan: LoadPlan, *, rate: Rate, dated: Dated
) -> Column:
    facts: Facts | None = None
    problem = ""
    try:
        facts = await library.facts(variant)
    except QtuiError as error:
        problem = error.message
    weighing = await guard.weigh(variant, plan, fresh=False)
    highest = variant.context_length or UNKNOWN_TRAINED
    scale = await guard.scale(variant, weighing.plan, weighing.headroom)
    largest = (largest_context(scale, weighing.plan, highest) or 0) if scale is not None else None
    return Column(variant, facts, problem, weighing, largest, await rate(variant, weighing.plan), dated(variant))


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that is compared."""

    key: str
    value: Callable[[Column], float | None]
    unit: str
    """`bytes`, `bits`, `tokens` or `tokens/s`."""
    origin: Callable[[Column], Origin]


def measures(columns: Sequence[Column]) -> tuple[Measure, ...]:
    """Return the numbers that are compared, one per pool that any variant uses."""
    cards = max((len(column.pools) - 1 for column in columns), default=0)
    pools = [("ram", 0), *((f"vram{card}", card + 1) for card in range(cards))]
    return (
        Measure("size", lambda column: column.variant.size, "bytes", _measured),
        Measure("bits_per_weight", lambda column: column.bits_per_weight, "bits", _measured),
        Measure("total", _total, "bytes", _needs),
        *(Measure(pool, _pool(index), "bytes", _needs) for pool, index in pools if cards or pool != "ram"),
        Measure("largest_context", lambda column: column.largest_context, "tokens", lambda column: Origin.COMPUTED),
        Measure("generation_rate", lambda column: column.rate, "tokens/s", _measured),
    )


def _measured(_column: Column) -> Origin:
    return Origin.MEASURED


def _needs(column: Column) -> Origin:
    footprint = column.weighing.footprint
    return footprint.origin if footprint is not None else Origin.UNKNOWN


def _total(column: Column) -> float | None:
    footprint = column.weighing.footprint
    return footprint.total if footprint is not None else None


def _pool(index: int) -> Callable[[Column], float | None]:
    return lambda column: column.pools[index] if index < len(column.pools) else None


def compare_report(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the object of `qtui compare --json`; `difference` is to the first variant."""
    compared = measures(columns)
    return {
        "variants": [
            {
                **_column_report(column),
                "votes": _votes_report(columns[0], column),
                "difference": {
                    measure.key: found.as_json() if (found := difference(*_pair(measure, columns[0], column))) else None
                    for measure in compared
                },
            }
            for column in columns
        ],
        "simulated": columns[0].weighing.headroom.simulated,
    }


def _pair(measure: Measure, first: Column, other: Column) -> tuple[float | None, float | None]:
    return measure.value(first), measure.value(other)


def _column_report(column: Column) -> dict[str, Any]:
    variant, weighing = column.variant, column.weighing
    footprint, verdict = weighing.footprint, weighing.verdict
    return {
        "file": variant.file,
        "model": variant.model,
        "quant": variant.quant,
        "size": variant.size,
        "bits_per_weight": column.bits_per_weight,
        "plan": weighing.plan.as_json(),
        "total": footprint.total if footprint is not None else None,
        "pools": footprint.pools.as_json() if footprint is not None else {},
        "origin": _needs(column).value,
        "verdict": verdict.fit.value,
        "pool": verdict.pool,
        "short_by": verdict.short_by if footprint is not None else None,
        "reason": verdict.reason,
        "largest_context": column.largest_context,
        "context_length": variant.context_length,
        "generation_rate": column.rate,
        "quality": _quality_report(column.loss),
        "tensor_types": {name: round(share, 6) for name, share in column.mix.items()},
        "imatrix": dict(column.facts.imatrix) if column.facts is not None else {},
        "date": column.date,
        "warnings": [column.facts_problem] if column.facts_problem else [],
    }


def _votes_report(first: Column, column: Column) -> dict[str, Any]:
    return {"value": None, "reason": ITSELF} if column is first else column.tally.as_json(first.variant.path)


def _quality_report(loss: Loss | None) -> dict[str, Any]:
    if loss is None:
        return {"value": None, "reason": NO_QUALITY}
    return {"value": loss.kl_divergence, "reason": loss.sentence, **loss.as_json()}
