"""Stop strings across tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qtui.services.engine.child.stops import Stops, unfinished


@given(st.lists(st.text("ab<", max_size=5), max_size=20), st.lists(st.text("ab<", max_size=4), max_size=3))
def test_any_cut_of_a_text_stops_at_the_same_place(pieces: list[str], strings: list[str]) -> None:
    text = "".join(pieces)
    places = [text.find(s) for s in strings if s and s in text]
    stops = Stops(strings)
    shown = "".join(stops.feed(piece) for piece in pieces) + stops.flush()
    assert stops.hit is bool(places)
    # the first string to be complete ends the text; one that begins earlier may not be complete yet
    if places:
        assert text.startswith(shown)
        assert not any(s in shown for s in strings if s)
        assert min(places) <= len(shown) <= max(places)
    else:
        assert shown == text


def test_what_may_still_become_a_stop_string_is_held_back() -> None:
    stops = Stops(["<|end|>"])
    assert [stops.feed(piece) for piece in ("yes", "<|", "en", "x", "<|end", "|> no")] == [
        "yes",
        "",
        "",
        "<|enx",
        "",
        "",
    ]
    assert stops.hit and stops.flush() == ""


def test_the_longest_beginning_counts() -> None:
    assert unfinished("abcab", ["abd", "bcabx"]) == 4
    assert unfinished("abc", ["xyz"]) == 0
