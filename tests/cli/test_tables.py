"""Plain tables."""

from __future__ import annotations

from qtui.cli.tables import Table, cell_width, cut, digits_for, gib_of
from qtui.core.origin import Origin
from qtui.core.text import GIB


def test_columns_are_aligned() -> None:
    table = Table(("NAME", ">SIZE"))
    table.add("one", "1.00")
    table.add("seventeen", "12.34")
    assert table.lines() == ["NAME        SIZE", "one         1.00", "seventeen  12.34"]


def test_the_flexible_column_gives_way() -> None:
    table = Table(("NAME", ">SIZE"))
    table.add("a-very-long-name-of-a-model", "12.34")
    assert table.lines(20) == ["NAME            SIZE", "a-v…f-a-model  12.34"]
    assert all(cell_width(line) <= 20 for line in table.lines(20))


def test_a_table_that_is_too_wide_all_the_same_keeps_what_names_its_rows() -> None:
    table = Table(("NAME", "ONE", "TWO"))
    table.add("qtui-demo Q8_0", "x" * 30, "y" * 30)
    assert table.lines(60)[1].startswith("qtui-demo Q8_0  xxx")
    table.add("a" * 40 + "Q4_K_M", "x", "y")
    assert "Q4_K_M  x" in table.lines(60)[2] and "…" in table.lines(60)[2]


def test_wide_characters_take_two_columns() -> None:
    table = Table(("NAME", "X"))
    table.add("漢字", "x")
    table.add("abcd", "x")
    assert table.lines()[1:] == ["漢字  x", "abcd  x"]
    assert cut("漢字漢字", 5) == "漢字…"


def test_a_cell_is_one_line() -> None:
    table = Table(("A",))
    table.add("x\ny\x1b")
    assert table.lines()[1] == "x\N{REPLACEMENT CHARACTER}y\N{REPLACEMENT CHARACTER}"


def test_sizes_have_the_sign_of_their_origin() -> None:
    assert gib_of(3 * GIB) == "3.00"
    assert gib_of(3 * GIB, Origin.COMPUTED) == "~3.00"
    assert gib_of(None) == "?"


def test_small_columns_have_more_digits() -> None:
    assert digits_for(2 * GIB, 5) == 2
    assert digits_for(5 << 20, None) == 4
    assert digits_for() == 4
