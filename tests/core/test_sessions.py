from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.hardware import Gpu, ProcessMemory
from qtui.core.sessions import (
    LARGEST,
    SessionRecord,
    SessionSeen,
    SessionState,
    apart,
    measured_total,
    plausible,
    session_vram,
)
from qtui.core.text import GIB

RECORD = SessionRecord("s1", 5, 1, 4, "Tiny Q8_0", "/m/tiny.gguf", estimated_ram=2 * GIB, estimated_vram=4 * GIB)
SEEN = SessionSeen(RECORD, ProcessMemory(anonymous=GIB, file_backed=GIB))


def card(*processes: tuple[int, int | None]) -> Gpu:
    return Gpu(0, "A card", 12 * GIB, GIB, processes=processes)


def test_memory_against_the_estimate() -> None:
    cards = (card((5, 3 * GIB), (9, GIB)), card((5, GIB)))
    assert session_vram(SEEN, cards) == 4 * GIB
    assert measured_total(SEEN, cards) == RECORD.estimate == RECORD.expected == 6 * GIB
    assert apart(SEEN, cards) is None  # no full prompt was read: less is in use than was planned
    read = replace(SEEN, record=replace(RECORD, full_prompt=True))
    assert apart(read, cards) == 0.0
    swapped = replace(read, memory=replace(SEEN.memory, swapped=3 * GIB))
    assert apart(swapped, cards) == 0.5
    reclaimable = replace(read.record, estimated_reclaimable=2 * GIB)
    assert reclaimable.expected == 8 * GIB
    assert apart(replace(read, record=reclaimable), cards) == -0.25
    assert apart(read, (card(),)) is None
    assert apart(replace(read, record=replace(read.record, estimated_ram=None)), cards) is None


def test_memory_of_a_card_that_is_not_told_is_unknown_unless_there_is_none() -> None:
    assert session_vram(SEEN, ()) == 0
    assert session_vram(SEEN, (card(),)) is None
    assert session_vram(SEEN, (card((5, None)),)) is None
    assert session_vram(replace(SEEN, record=replace(RECORD, estimated_vram=0)), (card(),)) == 0
    assert measured_total(SEEN, (card(),)) is None
    assert measured_total(SessionSeen(RECORD), ()) is None


def test_an_estimate_is_whole_or_none() -> None:
    assert replace(RECORD, estimated_vram=None).estimate is None


@pytest.mark.parametrize(
    ("changes", "word", "rate"),
    [
        ({}, "loading", 0.0),
        ({"progress": 0.434}, "loading 43 %", 0.0),
        ({"state": SessionState.READY}, "ready", 0.0),
        ({"state": SessionState.ANSWERING, "progress": 0.0}, "reading 0 %", 0.0),
        ({"state": SessionState.ANSWERING}, "answering", 7.0),
    ],
)
def test_what_it_does(changes: dict[str, object], word: str, rate: float) -> None:
    record = replace(RECORD, rate=7.0, **changes)  # type: ignore[arg-type]
    assert (record.doing, record.rate_now) == (word, rate)


@pytest.mark.parametrize(("size", "known"), [(8192, 8192), (0, None), (True, None), ("8192", None), (1 << 61, None)])
def test_the_context_of_a_plan(size: object, known: int | None) -> None:
    assert replace(RECORD, plan={"ctx_size": size}).context_size == known


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 1e300])
def test_numbers_that_cannot_be_are_unknown(number: float) -> None:
    record = plausible(replace(RECORD, since=number, rate=number, progress=number))
    assert (record.since, record.rate, record.progress) == (0.0, None, 0.0)
    bad = -1 if number < 0 else LARGEST + 1
    record = plausible(replace(RECORD, estimated_ram=bad, estimated_vram=bad, context_used=bad))
    assert (record.estimated_ram, record.estimated_vram, record.context_used) == (None, None, None)
    assert plausible(RECORD) == RECORD


def test_names_are_clean() -> None:
    record = plausible(replace(RECORD, title="\x1b[2Ja\nb", engine="\x9b1m"))
    assert not set("\x1b\n\x9b") & set(record.title + record.engine)
