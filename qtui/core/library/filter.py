"""The filter over variants: words and terms, as a small algebra of predicates.

    fits quant:q4 >4bpw <8GiB arch:qwen3 role:model source:hf model:"qwen 3" here -embedding

All of them must hold. What is not known meets no comparison.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from qtui.core.library.variant import Role, Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.verdict import Fit, Verdict


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """A variant and what is known of it now."""

    variant: Variant
    verdict: Verdict | None = None
    footprint: Footprint | None = None
    rate: float | None = None
    """Tokens per second while generating."""
    here: bool = True
    """False: on the Hub only."""
    text: str = field(init=False, repr=False, compare=False)
    """All that a word is looked for in, in lower case."""
    label: str = field(init=False, repr=False, compare=False)
    """The quant in lower case, without the publisher's mark."""

    def __post_init__(self) -> None:
        """Join what a word may stand in, once: a keystroke looks through thousands of rows."""
        v = self.variant
        parts = (v.model, v.quant, v.architecture, v.source, v.repository, str(v.path), v.role.value)
        object.__setattr__(self, "text", "\n".join(parts).casefold())
        quant = v.quant.casefold()
        mark = next((mark for mark in ("ud-", "i1-", "smol-", "mix:") if quant.startswith(mark)), "")
        object.__setattr__(self, "label", quant[len(mark) :])


@dataclass(frozen=True, slots=True)
class Predicate:
    """A question that a row answers with yes or no. This one is met by every row; combine with `&`, `|`, `~`."""

    def __call__(self, row: LibraryRow) -> bool:
        """Tell whether the row meets it."""
        return True

    def __and__(self, other: Predicate) -> Predicate:
        """Return what is met by rows that meet both."""
        return other if type(self) is Predicate else self if type(other) is Predicate else All((self, other))

    def __or__(self, other: Predicate) -> Predicate:
        """Return what is met by rows that meet either."""
        return Either((self, other))

    def __invert__(self) -> Predicate:
        """Return what is met by rows that do not meet it."""
        return Not(self)


EVERYTHING = Predicate()


@dataclass(frozen=True, slots=True)
class All(Predicate):
    """Met by rows that meet every part."""

    parts: tuple[Predicate, ...]

    def __call__(self, row: LibraryRow) -> bool:
        """Ask the parts in order."""
        return all(part(row) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either(Predicate):
    """Met by rows that meet at least one part."""

    parts: tuple[Predicate, ...]

    def __call__(self, row: LibraryRow) -> bool:
        """Ask the parts in order."""
        return any(part(row) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """Met by rows that do not meet the part."""

    part: Predicate

    def __call__(self, row: LibraryRow) -> bool:
        """Ask the part."""
        return not self.part(row)


@dataclass(frozen=True, slots=True)
class Word(Predicate):
    """Met by rows in whose names, place or role the word stands."""

    word: str
    """In lower case (casefold)."""

    def __call__(self, row: LibraryRow) -> bool:
        """Look for the word."""
        return self.word in row.text


@dataclass(frozen=True, slots=True)
class HasQuant(Predicate):
    """Met by rows whose label begins so, the publisher's mark aside: `q4` meets `Q4_K_M` and `UD-Q4_K_XL`."""

    prefix: str

    def __call__(self, row: LibraryRow) -> bool:
        """Compare with the label, and with the whole of it where a mark is asked for."""
        return row.label.startswith(self.prefix) or row.variant.quant.casefold().startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class Has(Predicate):
    """Met by rows in one of whose texts the value stands: `architecture`, `model`, `source` or `repository`."""

    name: str
    value: str

    def __call__(self, row: LibraryRow) -> bool:
        """Look for the value."""
        return self.value in str(getattr(row.variant, self.name)).casefold()


@dataclass(frozen=True, slots=True)
class IsRole(Predicate):
    """Met by rows of these roles."""

    roles: frozenset[Role]

    def __call__(self, row: LibraryRow) -> bool:
        """Look at the role."""
        return row.variant.role in self.roles


@dataclass(frozen=True, slots=True)
class IsFit(Predicate):
    """Met by rows with one of these verdicts."""

    fits: frozenset[Fit]

    def __call__(self, row: LibraryRow) -> bool:
        """Look at the verdict; none yet is `unknown`."""
        return (row.verdict.fit if row.verdict else Fit.UNKNOWN) in self.fits


@dataclass(frozen=True, slots=True)
class IsHere(Predicate):
    """Met by rows whose files are all on this machine."""

    def __call__(self, row: LibraryRow) -> bool:
        """Look at the files."""
        return row.here and row.variant.complete


class Quantity(StrEnum):
    """What a row can be compared by; the values are the names in a filter."""

    SIZE = "size"
    """Bytes on disk."""
    NEEDS = "needs"
    """Bytes that must stay resident."""
    BPW = "bpw"
    """Bits per weight."""
    PARAMETERS = "params"
    CONTEXT = "ctx"
    """Tokens that the model was trained to."""
    RATE = "rate"
    """Tokens per second."""

    def of(self, row: LibraryRow) -> float | None:
        """Return a row's value, None when it is not known."""
        return _VALUES[self](row)


_VALUES: dict[Quantity, Callable[[LibraryRow], float | None]] = {
    Quantity.SIZE: lambda row: row.variant.size,
    Quantity.NEEDS: lambda row: row.footprint.total if row.footprint else None,
    Quantity.BPW: lambda row: row.variant.bits_per_weight,
    Quantity.PARAMETERS: lambda row: row.variant.parameters,
    Quantity.CONTEXT: lambda row: row.variant.context_length,
    Quantity.RATE: lambda row: row.rate,
}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compare(Predicate):
    """Met by rows whose quantity is known and stands so to a value."""

    quantity: Quantity
    sign: str
    """`<`, `<=`, `>` or `>=`."""
    value: float

    def __call__(self, row: LibraryRow) -> bool:
        """Compare."""
        known = self.quantity.of(row)
        return known is not None and _OPERATORS[self.sign](known, self.value)


def filter_rows(rows: Iterable[LibraryRow], predicate: Predicate) -> list[LibraryRow]:
    """Return the rows that meet the predicate, in their order."""
    return [row for row in rows if predicate(row)]
