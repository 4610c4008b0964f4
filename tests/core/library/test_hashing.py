"""The run that settles which rows are copies."""

from __future__ import annotations

from contextlib import aclosing

from qtui.core.errors import BadFileError
from qtui.core.library.hashing import CopiesMarked, HashFailed, HashProgressed, settle_copies
from qtui.core.library.variant import FilePrint, Variant
from tests.fakes import FakeLibrary, make_variant


def row(name: str, sha256: str = "", size: int = 100) -> Variant:
    return make_variant(name, size=size, releases=size, prints=(FilePrint(size, "h", sha256),))


async def test_candidates_are_hashed_and_marked_one_by_one() -> None:
    rows = [row("a"), row("b"), row("alone", size=7)]
    library = FakeLibrary(*rows)
    async with aclosing(settle_copies(library, rows)) as events:
        seen = [event async for event in events]
    assert library.hashed == [rows[0].path, rows[1].path]
    marks = [event.variants for event in seen if isinstance(event, CopiesMarked)]
    assert [[v.duplicate_of is not None for v in each] for each in marks] == [
        [False] * 3, [False] * 3, [False, True, False],
    ]  # fmt: skip
    assert [(e.done, e.total) for e in seen if isinstance(e, HashProgressed)] == [
        (0, 200), (100, 200), (100, 200), (200, 200),
    ]  # fmt: skip


async def test_a_file_that_cannot_be_read_stays_a_possible_copy() -> None:
    rows = [row("a", "f" * 64), row("b")]
    library = FakeLibrary(*rows)
    library.errors[str(rows[1].path)] = BadFileError("b: may not be read")
    seen = [event async for event in settle_copies(library, rows)]
    assert HashFailed(rows[1], "b: may not be read") in [
        HashFailed(rows[1], event.reason) for event in seen if isinstance(event, HashFailed)
    ]
    last = seen[-1]
    assert isinstance(last, CopiesMarked)
    assert last.variants[1].possible_duplicate_of == rows[0].path


async def test_every_file_is_hashed_when_that_is_asked() -> None:
    rows = [row("a"), row("b", size=50)]
    library = FakeLibrary(*rows)
    assert [event async for event in settle_copies(library, rows, every=True)]
    assert library.hashed == [rows[1].path, rows[0].path]
