"""Copies in Models: found out in the background, while nothing computes."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from qtui.core.library.variant import FilePrint, Variant
from qtui.core.text import GIB
from qtui.ui import copying
from qtui.ui.copying import copies_found
from tests.fakes import FakeLibrary, make_variant
from tests.ui.stage import Stage, sees

SAME = (FilePrint(GIB, "h"),)
OLD = make_variant("Alpha", "Q4_K_M", size=GIB, prints=SAME, releases=GIB, written=1.0, folder=Path("/old"))
NEW = make_variant("Alpha", "Q4_K_M", size=GIB, prints=SAME, releases=GIB, written=2.0, folder=Path("/new"))


async def test_a_copy_says_what_it_is_one_of_and_what_deleting_it_frees() -> None:
    stage = Stage(variants=(NEW, OLD))
    async with stage.app().run_test(size=(120, 30)) as pilot:
        await sees(pilot, "a copy: deleting it frees 1.00 GiB; kept is /old/")
    assert sorted(stage.library.hashed) == [NEW.path, OLD.path]


class Quiet:
    """Is quiet as often as it is told, then disturbed once, then quiet."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self) -> bool:
        self.times -= 1
        return self.times != 0


async def found(library: FakeLibrary, quiet: Quiet, *variants: Variant) -> list[list[str]]:
    async with aclosing(copies_found(library, variants, quiet)) as copies:
        return [sorted(str(path.parent) for path, v in each.items() if v.duplicate_of) async for each in copies]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "REST_S", 0)


async def test_what_was_known_is_not_read_again_after_a_disturbance() -> None:
    library = FakeLibrary(OLD, NEW)
    told = await found(library, Quiet(4), OLD, NEW)
    assert told[-1] == ["/new"]
    assert len(library.hashed) == 2


async def test_a_file_that_was_disturbed_is_read_anew() -> None:
    library = FakeLibrary(OLD, NEW)
    assert (await found(library, Quiet(2), OLD, NEW))[-1] == ["/new"]
    assert len(library.hashed) == 3
