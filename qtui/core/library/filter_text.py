"""Reads a filter as it is typed: every keystroke gives a filter, and what cannot be understood is named."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qtui.core.library.filter import (
    EVERYTHING,
    All,
    Compare,
    Has,
    HasQuant,
    IsFit,
    IsHere,
    IsRole,
    Predicate,
    Quantity,
    Word,
)
from qtui.core.library.variant import Role
from qtui.core.memory.verdict import Fit
from qtui.core.text import GIB, clean_name, parse_size

MAX_LENGTH = 1000
TERMS = (
    ("WORD", "rows that hold it in a name, place or role; in quotes with spaces"),
    ("fits", "rows whose verdict is fits; fit:tight, fit:partial, fit:from_disk, fit:too_big for the others"),
    ("quant:q4", "rows whose quant begins so; quant:q4,q5 for either"),
    (">4bpw", "more bits per weight; also <, <=, >="),
    ("<8GiB", "smaller on disk; needs<8GiB: needs less memory; <9B: fewer parameters; ctx>=32k; rate>20"),
    ("arch:qwen3", "architecture; also model:, source:, repo:, role:"),
    ("here", "all its files are on this machine"),
    ("-TERM", "rows that do not meet it"),
)
"""What can be typed, for help and documentation."""

_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_COMPARISON = re.compile(r"([a-z]*)([<>]=?)(.*)", re.DOTALL)
_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{0,9})?)([a-z/]*)")
_TEXTS = {"arch": "architecture", "model": "model", "source": "source", "repo": "repository"}
_THOUSANDS = {"": 10**9, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


@dataclass(frozen=True, slots=True)
class TermProblem:
    """A term that cannot be understood; the filter goes without it."""

    term: str
    """As it was typed, clean."""
    message: str


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """A filter as it was typed."""

    predicate: Predicate
    problems: tuple[TermProblem, ...] = ()


def parse_filter(text: str) -> ParsedFilter:
    """Read a filter; never fails. Only the first 1000 characters count, as nobody types more."""
    parts: list[Predicate] = []
    problems: list[TermProblem] = []
    for match in _TOKEN.finditer(text[:MAX_LENGTH]):
        token = match[0]
        negated = token.startswith("-") and len(token) > 1
        try:
            part = _term(token[1:] if negated else token)
        except ValueError as error:
            problems.append(TermProblem(clean_name(token, 60), str(error)))
            continue
        parts.append(~part if negated else part)
    if not parts:
        return ParsedFilter(EVERYTHING, tuple(problems))
    return ParsedFilter(parts[0] if len(parts) == 1 else All(tuple(parts)), tuple(problems))


def _term(token: str) -> Predicate:
    """Return one term without its sign.

    Raises:
        ValueError: it looks like a term and cannot be understood; the message says why.
    """
    if token.startswith('"'):
        return Word(token.replace('"', "").casefold())
    term = token.replace('"', "").casefold()
    if term == "fits":
        return IsFit(frozenset({Fit.FITS}))
    if term == "here":
        return IsHere()
    if match := _COMPARISON.fullmatch(term):
        return _comparison(*match.groups())
    key, colon, value = term.partition(":")
    if not colon or not key.isalpha():
        return Word(term)
    return _keyed(key, value)


def _keyed(key: str, text: str) -> Predicate:
    values = [value for value in text.split(",") if value]
    if key not in (*_TEXTS, "quant", "role", "fit"):
        raise ValueError(f"there is no {key}: here; there are {', '.join((*_TEXTS, 'quant', 'role', 'fit'))}")
    if not values:
        raise ValueError(f"{key}: needs a value")
    if key == "role":
        return IsRole(frozenset(role for value in values for role in _roles(value)))
    if key == "fit":
        return IsFit(frozenset(_fit(value) for value in values))
    choices: list[Predicate] = [HasQuant(value) if key == "quant" else Has(_TEXTS[key], value) for value in values]
    result = choices[0]
    for choice in choices[1:]:
        result = result | choice
    return result


def _roles(value: str) -> list[Role]:
    found = [role for role in Role if role.value.startswith(value)]
    if not found:
        raise ValueError(f"there is no such role; there are {', '.join(Role)}")
    return found


def _fit(value: str) -> Fit:
    try:
        return Fit(value.replace("-", "_"))
    except ValueError:
        raise ValueError(f"there is no such verdict; there are {', '.join(Fit)}") from None


def _comparison(name: str, sign: str, text: str) -> Compare:
    if name and name not in list(Quantity):
        raise ValueError(f"{name} cannot be compared; these can: {', '.join(Quantity)}")
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{sign} needs a number, such as {sign}8GiB, {sign}4bpw or {sign}9B")
    number, unit = match.groups()
    quantity = Quantity(name) if name else _quantity(unit)
    return Compare(quantity, sign, _value(quantity, number, unit))


def _quantity(unit: str) -> Quantity:
    """Return what a number without a name counts, by its unit."""
    if unit == "bpw":
        return Quantity.BPW
    if unit == "b":
        return Quantity.PARAMETERS
    if unit in ("t/s", "tps"):
        return Quantity.RATE
    if unit == "k":
        return Quantity.CONTEXT
    if not unit:
        raise ValueError("needs a unit: GiB, bpw, B (parameters), k (context) or t/s")
    return Quantity.SIZE


def _value(quantity: Quantity, number: str, unit: str) -> float:
    if quantity in (Quantity.SIZE, Quantity.NEEDS):
        # A bare number is GiB, the unit that every size on screen has.
        return float(number) * GIB if not unit else parse_size(f"{number.rstrip('.')}{unit}")
    if quantity is Quantity.PARAMETERS and unit in _THOUSANDS:
        return float(number) * _THOUSANDS[unit]
    if quantity is Quantity.CONTEXT and unit in ("", "k"):
        return float(number) * (1024 if unit else 1)
    known = {Quantity.BPW: ("", "bpw"), Quantity.RATE: ("", "t/s", "tps")}
    if unit in known.get(quantity, ()):
        return float(number)
    raise ValueError(f"{quantity} has no unit {unit}")
