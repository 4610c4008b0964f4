from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.core.text import GIB, clean, clean_name, count, duration, gib, parse_size, rate, size

HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\u202eabc\u2066\ufeff\u2028\U000e0041\ud800\x7f\x00"


def test_clean_leaves_no_character_that_a_terminal_acts_on() -> None:
    text = clean(HOSTILE)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
    assert "\u202e" not in text and "\u2028" not in text and "\ufeff" not in text
    assert "abc" in text and "[2J" in text


def test_clean_keeps_what_prose_needs() -> None:
    assert clean("a\tb\r\nc — né 日本 👩\u200d🔬") == "a\tb\nc — né 日本 👩\u200d🔬"


def test_a_lone_carriage_return_cannot_overwrite_a_line() -> None:
    assert "\r" not in clean("safe\rEVIL")


@given(st.text())
def test_cleaned_names_are_one_short_printable_line(text: str) -> None:
    name = clean_name(text, 50)
    assert len(name) <= 50
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)


@given(st.text(alphabet=st.characters(codec=None)))
def test_clean_is_idempotent_and_encodable(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode("utf-8")


def test_names_hide_nothing() -> None:
    assert clean_name("Qwen\u200b3\nx") == "Qwen\N{REPLACEMENT CHARACTER}3\N{REPLACEMENT CHARACTER}x"
    assert clean_name("x" * 300) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12GiB", 12 * GIB), ("12G", 12 * GIB), ("12GB", 12 * 10**9), ("512M", 512 << 20), ("4096", 4096),
        ("1.5g", 3 * GIB // 2), (" 8 GiB ", 8 * GIB), ("7B", 7), ("2TB", 2 * 10**12),
    ],
)  # fmt: skip
def test_sizes_are_parsed(text: str, value: int) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "GiB", "12X", "-1G", "1e9", "12iB", "nan", "12 G i B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


def test_numbers_read_well_and_unknown_is_never_zero() -> None:
    assert (gib(None), size(None), count(None), rate(None), duration(None)) == ("?",) * 5
    assert gib(5_025_005_568) == "4.68"
    assert (
        size(0) == "0 B" and size(1536) == "1.50 KiB" and size(8 * GIB) == "8.00 GiB" and size(300 << 20) == "300 MiB"
    )
    assert count(8_200_000_000) == "8.2B" and count(260_000) == "260K" and count(1_000_000_000) == "1B"
    assert rate(41.23) == "41.2" and rate(412.3) == "412"
    assert duration(0.314) == "0.31 s" and duration(200) == "3 min 20 s" and duration(7500) == "2 h 05 min"
