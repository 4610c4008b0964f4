"""A home with the folders of every program: what is found is what its recipe says, to the byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from qtui.core.library.copies import mark_copies
from qtui.core.library.hashing import CopiesMarked, settle_copies
from qtui.services.library.library import LocalLibrary
from tests.builders.library_tree import make_library
from tests.services.library.tree import Opened, scanned


@pytest.mark.timeout(600)  # every copy is hashed and written down: half a minute alone, more beside other work
@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.slow)])
async def test_counts_and_bytes_to_reclaim_are_those_of_the_recipe(private_home: Path, count: int) -> None:
    home, recipe = make_library(private_home, count)
    library = LocalLibrary([home.own])
    rows = await scanned(library=library)
    assert library.problems == ()
    assert len(rows) == recipe.rows == count
    assert len({row.path for row in rows}) == count
    assert sum(len(row.paths) for row in rows) == recipe.names
    assert Counter(row.owner.value for row in rows) == recipe.by_owner
    problems = Counter(row.problem.partition(":")[0] for row in rows)
    assert problems == {
        "": count - recipe.half - recipe.partial - recipe.truncated - recipe.alien,
        "2 of 3 shards here": recipe.half,
        "partial": recipe.partial,
        "truncated": recipe.truncated,
        "not a GGUF file": recipe.alien,
    }
    # Before anything is hashed all copies are in doubt, and some sets of shards that differ only behind their headers.
    assert sum(row.possible_duplicate_of is not None for row in mark_copies(rows)) >= recipe.copies
    events = [event async for event in settle_copies(library, rows)]
    last = events[-1]
    assert isinstance(last, CopiesMarked)
    copies = [row for row in last.variants if row.duplicate_of is not None]
    assert len(copies) == recipe.copies
    assert all(not row.possible_duplicate_of for row in last.variants)
    assert sum(row.reclaimable for row in last.variants) == recipe.reclaimable
    kept = {row.path: row for row in last.variants}
    for copy in copies:
        assert copy.duplicate_of is not None
        keeper = kept[copy.duplicate_of]
        assert keeper.duplicate_of is None
        assert keeper.owner.manages or (keeper.written is not None and copy.written is not None)
        assert keeper.written is not None
        assert copy.written is None or keeper.written < copy.written


async def test_a_second_scan_opens_nothing_and_knows_every_hash(private_home: Path) -> None:
    home, recipe = make_library(private_home, 400)
    library = LocalLibrary([home.own])
    rows = await scanned(library=library)
    assert [event async for event in settle_copies(library, rows)]
    opened = Opened()
    again = await scanned(library=LocalLibrary([home.own], open_file=opened))
    assert opened.paths == []
    marked = mark_copies(again)
    assert sum(row.duplicate_of is not None for row in marked) == recipe.copies
    assert sum(row.reclaimable for row in marked) == recipe.reclaimable
