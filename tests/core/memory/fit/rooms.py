"""What the tests of the search share: the closed form of shipped headers on machines of given sizes."""

from __future__ import annotations

from dataclasses import replace

from qtui.core.memory.closed_form.formula import Bound
from qtui.core.memory.fit.scale import Scale
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.memory.verdict import Headroom
from qtui.core.text import GIB
from tests.core.memory.closed_form.headers import AVX512, header_table, with_cards

PLAN = LoadPlan(ctx_size=8192, load_mode=LoadMode.MMAP, threads=4, threads_batch=4)


def bound(name: str, *cards: int) -> Bound:
    return Bound(header_table(name), with_cards(*cards) if cards else AVX512, title=name)


def scale_of(name: str, ram: int, *cards: int) -> Scale:
    """A variant on a machine with this much headroom; GiB."""
    room = Headroom((ram + 1) * GIB, tuple((card + 1) * GIB for card in cards), GIB, (GIB,) * len(cards))
    return Scale(bound(name, *cards), room)


def asked(scale: Scale, ctx: int, **more: object) -> LoadPlan:
    """The default plan, resolved."""
    layers = scale.probe.layers + 1 if scale.probe.cards else 0
    values: dict[str, object] = {"ctx_size": ctx, "n_gpu_layers": layers, **more}
    return replace(PLAN, **values)  # type: ignore[arg-type]
