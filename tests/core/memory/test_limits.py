from __future__ import annotations

from dataclasses import replace

from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.limits import limit_notes
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.memory.verdict import Headroom, Verdict, judge
from qtui.core.origin import Origin
from qtui.core.text import GIB

PLAN = LoadPlan(load_mode=LoadMode.NONE)


def needing(gib: int) -> Footprint:
    return Footprint(PLAN, (), (), Pools(gib * GIB), 0, 0, 0, Origin.COMPUTED)


def notes(footprint: Footprint, room: Headroom) -> tuple[str, ...]:
    return limit_notes(footprint, room, judge(footprint, room))


def test_swap_and_a_cgroup_are_named_where_ram_is_short() -> None:
    room = Headroom(4 * GIB, free_swap=8 * GIB, cgroup_limit=6 * GIB)
    short = notes(needing(8), room)
    assert any("4.00 GiB to swap" in note for note in short) and any("cgroup allows 6.00 GiB" in note for note in short)
    assert notes(needing(2), room) == ()
    assert not any("swap" in note for note in notes(needing(40), room))
    assert not any("cgroup" in note for note in notes(needing(8), replace(room, simulated=True)))
    assert limit_notes(None, room, Verdict(judge(None, room).fit)) == ()
