from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.core.library.filter import EVERYTHING, Compare, HasQuant, IsFit, LibraryRow, Quantity, Word, filter_rows
from qtui.core.library.filter_text import TERMS, parse_filter
from qtui.core.library.variant import Role
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit, Verdict
from qtui.core.text import GIB, clean_name
from tests.fakes import make_footprint, make_variant

QWEN = make_variant(
    "Qwen3-8B", "Q4_K_M", size=5 * GIB, bits_per_weight=4.9, architecture="qwen3", parameters=8 * 10**9,
    context_length=40960, source="HF cache", repository="Qwen/Qwen3-8B-GGUF",
)  # fmt: skip
DYNAMIC = make_variant("Qwen3 8B", "UD-Q4_K_XL", size=6 * GIB, bits_per_weight=5.1, architecture="qwen3")
GEMMA = make_variant("gemma-3", "IQ4_XS", size=8 * GIB, bits_per_weight=4.0, architecture="gemma3")
PROJECTOR = make_variant("gemma-3", "F16", role=Role.MMPROJ, bits_per_weight=None, parameters=None)
PARTIAL = make_variant("Llama-70B", "Q2_K", size=20 * GIB, complete=False, problem="2 of 3 shards here")
ROWS = (
    LibraryRow(QWEN, Verdict(Fit.FITS), make_footprint(QWEN, LoadPlan()), 41.0),
    LibraryRow(DYNAMIC, Verdict(Fit.TIGHT), make_footprint(DYNAMIC, LoadPlan())),
    LibraryRow(GEMMA, Verdict(Fit.FROM_DISK), make_footprint(GEMMA, LoadPlan(), total=9 * GIB), 10.0),
    LibraryRow(PROJECTOR),
    LibraryRow(PARTIAL, Verdict(Fit.TOO_BIG), here=False),
)
NAMES = {"qwen": QWEN, "dynamic": DYNAMIC, "gemma": GEMMA, "projector": PROJECTOR, "partial": PARTIAL}


def left(text: str) -> set[str]:
    """Return the names of the rows that a filter without problems leaves."""
    parsed = parse_filter(text)
    assert parsed.problems == ()
    found = {row.variant for row in filter_rows(ROWS, parsed.predicate)}
    return {name for name, variant in NAMES.items() if variant in found}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "qwen dynamic gemma projector partial"),
        ("   ", "qwen dynamic gemma projector partial"),
        ("QWEN3", "qwen dynamic"),
        ("qwen3-8b", "qwen"),
        ("qwen3 xl", "dynamic"),
        ('"qwen3 8b"', "dynamic"),
        ('"fits"', ""),
        ("fits", "qwen"),
        ("-fits", "dynamic gemma projector partial"),
        ("fit:tight,from-disk", "dynamic gemma"),
        ("fit:unknown", "projector"),
        ("quant:q4", "qwen dynamic"),
        ("quant:ud-q4", "dynamic"),
        ("quant:iq4,q2", "gemma partial"),
        ("-quant:q4 -quant:iq4", "projector partial"),
        (">4bpw", "qwen dynamic partial"),
        (">=4bpw", "qwen dynamic gemma partial"),
        ("<4.95BPW", "qwen gemma"),
        ("<8GiB", "qwen dynamic projector"),
        ("<=8G", "qwen dynamic gemma projector"),
        ("size>10", "partial"),
        (">5gb <6.1gib", "qwen dynamic"),
        ("needs<7", "qwen dynamic"),
        ("-needs<7", "gemma projector partial"),
        (">7B", "qwen gemma partial"),
        ("params>=8b params<8.1", "qwen"),
        ("params<500M", ""),
        ("ctx>=32k", "qwen"),
        ("ctx>40959", "qwen"),
        (">32k", "qwen"),
        ("rate>20", "qwen"),
        ("<20t/s", "gemma"),
        ("arch:qwen3", "qwen dynamic"),
        ("arch:qwen,gemma", "qwen dynamic gemma"),
        ("role:mmproj", "projector"),
        ("role:mm,model", "qwen dynamic gemma projector partial"),
        ("source:hf", "qwen"),
        ("repo:qwen/", "qwen"),
        ('model:"qwen3 8"', "dynamic"),
        ("here", "qwen dynamic gemma projector"),
        ("-here", "partial"),
        ("fits quant:q4 >4bpw <8GiB arch:qwen3 here role:model source:hf model:qwen", "qwen"),
        ("-", "qwen dynamic gemma projector partial"),
    ],
)
def test_terms(text: str, names: str) -> None:
    assert left(text) == set(names.split())


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("foo:bar", "no foo:"), ("quant:", "needs a value"), ("role:chat", "no such role"), ("fit:maybe", "no such"),
        (">", "needs a number"), ("<x", "needs a number"), (">8", "needs a unit"), (">8x", "not a size"),
        ("speed>3", "cannot be compared"), ("bpw>3GiB", "no unit gib"), ("ctx>3gib", "no unit"),
        ("<1e9gib", "needs a number"),
        ("-quant:,", "needs a value"), ("params>3t/s", "no unit"), ("size>3bpw", "not a size"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_named_and_the_rest_applies(term: str, said: str) -> None:
    parsed = parse_filter(f"arch:qwen3 {term} quant:q4")
    (problem,) = parsed.problems
    assert problem.term == term
    assert said in problem.message
    assert [row.variant for row in filter_rows(ROWS, parsed.predicate)] == [QWEN, DYNAMIC]


def test_only_problems_leave_everything() -> None:
    assert parse_filter("foo:bar >").predicate == EVERYTHING


@given(st.text(max_size=60))
def test_no_text_fails_and_terms_only_narrow(text: str) -> None:
    parsed = parse_filter(text)
    assert set(map(id, filter_rows(ROWS, parsed.predicate))) <= set(map(id, ROWS))
    for problem in parsed.problems:
        assert problem.term == clean_name(problem.term)


def test_a_paste_is_cut() -> None:
    assert parse_filter("x " * 10**6).problems == ()


def test_the_examples_can_be_typed() -> None:
    for term, _ in TERMS:
        assert parse_filter(term).problems == ()


def test_the_algebra() -> None:
    q4, small, fits = HasQuant("q4"), Compare(Quantity.SIZE, "<", 7 * GIB), IsFit(frozenset({Fit.FITS}))
    for row in ROWS:
        assert (q4 & small)(row) == (q4(row) and small(row))
        assert (q4 | small)(row) == (q4(row) or small(row))
        assert (~q4)(row) != q4(row)
        assert (EVERYTHING & fits)(row) == fits(row) == (fits & EVERYTHING)(row)
    assert q4 & small == HasQuant("q4") & Compare(Quantity.SIZE, "<", 7 * GIB)
    assert hash(q4 & small) == hash(q4 & small)


def test_unknown_is_not_zero() -> None:
    row = LibraryRow(PROJECTOR)
    for quantity in (Quantity.BPW, Quantity.PARAMETERS, Quantity.NEEDS, Quantity.RATE):
        assert quantity.of(row) is None
        assert not Compare(quantity, "<", 10**15)(row)
        assert not Compare(quantity, ">=", 0)(row)


def test_a_row_follows_its_variant() -> None:
    row = replace(LibraryRow(QWEN), variant=replace(GEMMA, path=Path("/Straße/x.gguf")))
    assert Word("strasse")(row)
    assert not Word("qwen")(row)
    assert row.label == "iq4_xs"
