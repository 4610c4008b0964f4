from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.hardware import Gpu, MemorySample
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.memory.verdict import Fit, Headroom, Margins, headroom, judge
from qtui.core.origin import Origin
from qtui.core.text import GIB

ROOM = Headroom(free_ram=10 * GIB, free_vram=(8 * GIB,), margin_ram=GIB, margin_vram=(GIB,))


def footprint(anonymous: int, mapped: int = 0, *vram: int, mode: LoadMode = LoadMode.MMAP) -> Footprint:
    pools = Pools(anonymous, mapped, vram)
    return Footprint(replace(LoadPlan(), load_mode=mode), (), (), pools, 0, 0, 0, Origin.DRY_RUN)


@pytest.mark.parametrize(
    ("needs", "fit", "pool", "short"),
    [
        (footprint(2 * GIB, 3 * GIB, 7 * GIB), Fit.FITS, "vram0", 0),
        (footprint(0, 9 * GIB), Fit.FITS, "ram", 0),
        (footprint(0, 9 * GIB + 1), Fit.TIGHT, "ram", 1),
        (footprint(1, 0, 8 * GIB), Fit.TIGHT, "vram0", GIB),
        (footprint(1, 0, 8 * GIB + 1), Fit.TOO_BIG, "vram0", GIB + 1),
        (footprint(2 * GIB, 20 * GIB), Fit.FROM_DISK, "ram", 13 * GIB),
        (footprint(2 * GIB, 20 * GIB, mode=LoadMode.NONE), Fit.TOO_BIG, "ram", 13 * GIB),
        (footprint(12 * GIB, 2 * GIB), Fit.TOO_BIG, "ram", 5 * GIB),
        (footprint(2 * GIB, 20 * GIB, 9 * GIB), Fit.TOO_BIG, "ram", 13 * GIB),
    ],
)
def test_verdicts_are_the_glossarys(needs: Footprint, fit: Fit, pool: str, short: int) -> None:
    verdict = judge(needs, ROOM)
    assert (verdict.fit, verdict.pool, verdict.short_by) == (fit, pool, short)
    assert verdict.reason


def test_what_is_read_from_disk_is_what_ram_has_no_room_for() -> None:
    """The card only eats its margin, and is further over it than RAM is."""
    room = Headroom(free_ram=9 * GIB, free_vram=(8 * GIB,), margin_ram=GIB, margin_vram=(4 * GIB,))
    verdict = judge(footprint(2 * GIB, 8 * GIB, 15 * GIB // 2), room)
    assert (verdict.fit, verdict.pool, verdict.short_by) == (Fit.FROM_DISK, "ram", 2 * GIB)
    assert verdict.reason.startswith("2.00 GiB of the mapped weights")


def test_what_is_not_known_gives_no_verdict() -> None:
    assert judge(None, ROOM).fit is Fit.UNKNOWN
    assert judge(footprint(1), Headroom(None)).fit is Fit.UNKNOWN
    assert judge(footprint(1, 0, 5), Headroom(GIB, (None,), 0, (0,))).pool == "vram0"
    assert judge(footprint(1, 0, 5), Headroom(GIB)).fit is Fit.UNKNOWN
    assert judge(footprint(1, 0, 0), Headroom(GIB)).fit is Fit.FITS  # a card that is not needed need not be known


def test_headroom_is_free_less_margin_and_what_a_replaced_session_gives_back() -> None:
    sample = MemorySample(0.0, 64 * GIB, 30 * GIB, 0, 0, gpus=(Gpu(0, "a", 12 * GIB, 8 * GIB), Gpu(1, "b", None, None)))
    room = headroom(sample, Margins(), (0, 1))
    assert (room.ram, room.vram) == (30 * GIB - 64 * GIB // 20, (7 * GIB, None))
    back = room.giving_back(Pools(2 * GIB, 5 * GIB, (3 * GIB,)))
    assert (back.free_ram, back.free_vram) == (32 * GIB, (11 * GIB, None))  # mapped pages were available before
    assert Headroom(1, (), 2).ram == 0
    assert headroom(sample, Margins(ram=5), ()).margin_ram == 5
    assert Margins().ram_bytes(8 * GIB) == GIB and Margins().ram_bytes(None) == GIB
