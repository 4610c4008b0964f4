from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.core.gguf.partial import NotFetchedError, PartialSource

WHOLE = bytes(range(200))


@given(
    st.lists(st.tuples(st.integers(0, 199), st.integers(0, 80)), max_size=12), st.integers(0, 199), st.integers(0, 250)
)
def test_what_was_put_is_read_and_nothing_else(pieces: list[tuple[int, int]], start: int, length: int) -> None:
    source = PartialSource(len(WHOLE))
    known = set()
    for offset, count in pieces:
        source.put(offset, WHOLE[offset : offset + count])
        known |= set(range(offset, min(offset + count, len(WHOLE))))
    wanted = range(start, min(start + length, len(WHOLE)))
    missing = [byte for byte in wanted if byte not in known]
    if missing:
        with pytest.raises(NotFetchedError) as caught:
            source.read(start, length)
        assert (caught.value.start, caught.value.end) == (missing[0], wanted.stop)
    else:
        assert source.read(start, length) == WHOLE[start : start + length]
    assert source.prefix == next(byte for byte in range(len(WHOLE) + 1) if byte not in known)


def test_what_is_known_stays_and_what_is_beyond_the_end_is_dropped() -> None:
    source = PartialSource(10)
    source.put(2, b"abc")
    source.put(0, b"XXXXXXXXXXXXXX")
    assert source.read(0, 99) == b"XXabcXXXXX"
