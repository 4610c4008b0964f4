"""Verdict: whether a footprint fits what is free now, and by how much it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from qtui.core.hardware import Device, MemorySample
from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.text import GIB, size


class Fit(StrEnum):
    """The verdicts, as the glossary defines them."""

    FITS = "fits"
    TIGHT = "tight"
    PARTIAL = "partial"
    FROM_DISK = "from_disk"
    TOO_BIG = "too_big"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Margins:
    """What is kept free; None: the default of each pool."""

    ram: int | None = None
    """Default: the larger of 1 GiB and 5 % of the machine's RAM."""
    gpu: int = GIB

    def ram_bytes(self, ram_total: int | None) -> int:
        """Return the RAM margin in bytes."""
        return self.ram if self.ram is not None else max(GIB, (ram_total or 0) // 20)


@dataclass(frozen=True, slots=True)
class Headroom:
    """Free memory, the margin kept of it, and what remains; bytes per pool, None where unknown."""

    free_ram: int | None
    free_vram: tuple[int | None, ...] = ()
    margin_ram: int = 0
    margin_vram: tuple[int, ...] = ()
    simulated: bool = False
    """The user named the free memory (`--ram`, `--vram`)."""
    free_swap: int | None = None
    """What the system could still move there; never counted as free."""
    cgroup_limit: int | None = None
    """Where a cgroup allows less than the machine has."""

    @property
    def ram(self) -> int | None:
        """Return free RAM less the margin, never below 0."""
        return None if self.free_ram is None else max(0, self.free_ram - self.margin_ram)

    @property
    def vram(self) -> tuple[int | None, ...]:
        """Return free VRAM less the margin per card, never below 0."""
        return tuple(
            None if free is None else max(0, free - margin)
            for free, margin in zip(self.free_vram, self.margin_vram, strict=True)
        )

    def giving_back(self, pools: Pools) -> Headroom:
        """Return the headroom once sessions that hold `pools` have ended. Mapped pages count as available already."""
        return self._moved(pools.ram_anonymous, pools.vram)

    def beside(self, pools: Pools) -> Headroom:
        """Return the headroom beside something that needs `pools` to stay resident too."""
        return self._moved(-pools.ram, tuple(-card for card in pools.vram))

    def _moved(self, ram: int, vram: tuple[int, ...]) -> Headroom:
        cards = zip(self.free_vram, vram + (0,) * len(self.free_vram), strict=False)
        return replace(
            self,
            free_ram=None if self.free_ram is None else max(0, self.free_ram + ram),
            free_vram=tuple(None if free is None else max(0, free + card) for free, card in cards),
        )


def headroom(sample: MemorySample, margins: Margins, gpu_indices: tuple[int, ...] = ()) -> Headroom:
    """Return the headroom of a sample over the cards that the chosen engine uses, in the engine's order."""
    cards = {gpu.index: gpu.free for gpu in sample.gpus}
    return Headroom(
        sample.ram_available,
        tuple(cards.get(i) for i in gpu_indices),
        margins.ram_bytes(sample.ram_total),
        tuple(margins.gpu for _ in gpu_indices),
        free_swap=None
        if sample.swap_total is None or sample.swap_used is None
        else max(0, sample.swap_total - sample.swap_used),
        cgroup_limit=sample.cgroup_limit,
    )


def engine_headroom(sample: MemorySample, margins: Margins, devices: Sequence[Device]) -> Headroom:
    """Return the headroom over the devices of an engine, in its order.

    Cards of this machine are told by the sample, in the driver's order; what another machine lends, by the engine.
    """
    own = sum(not device.lent for device in devices)
    room = headroom(sample, margins, tuple(range(own)))
    cards = iter(room.free_vram)
    free = tuple(device.free if device.lent else next(cards) for device in devices)
    return replace(room, free_vram=free, margin_vram=(margins.gpu,) * len(free))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it fits, the worst pool, and by how many bytes it is short there."""

    fit: Fit
    pool: str = ""
    """`ram`, `vram0`, …: the pool that is shortest."""
    short_by: int = 0
    """Bytes missing in that pool against the headroom; 0 when it fits."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Demand:
    """What one pool must give against what it has; bytes."""

    pool: str
    need: int
    left: int
    """Headroom."""
    free: int

    @property
    def short(self) -> int:
        return self.need - self.left


def judge(footprint: Footprint | None, room: Headroom) -> Verdict:
    """Judge a footprint against the headroom.

    `partial` (with the plan that would fit) is decided by the fit search, which proposes plans; here a plan either
    fits as it is, fits only by eating the margin, runs from disk, or is too big.
    """
    if footprint is None:
        return Verdict(Fit.UNKNOWN, reason="the footprint is not known yet")
    demands: list[_Demand] = []
    needs = (("ram", footprint.pools.ram), *((f"vram{i}", need) for i, need in enumerate(footprint.pools.vram)))
    frees = (room.free_ram, *room.free_vram)
    lefts = (room.ram, *room.vram)
    for index, (pool, need) in enumerate(needs):
        free, left = (frees[index], lefts[index]) if index < len(frees) else (None, None)
        if free is not None and left is not None:
            demands.append(_Demand(pool, need, left, free))
        elif need:
            return Verdict(Fit.UNKNOWN, pool, reason=f"what is free in {pool} is not known")
    worst = max(demands, key=lambda d: d.short, default=None)
    if worst is None:
        return Verdict(Fit.UNKNOWN, "ram", reason="what is free is not known")
    if worst.short <= 0:
        return Verdict(Fit.FITS, worst.pool, 0, f"needs {size(worst.need)} of {size(worst.left)} in {worst.pool}")
    short = size(worst.short)
    if all(d.need <= d.free for d in demands):
        reason = f"fits only by taking {short} of what is kept free in {worst.pool}"
        return Verdict(Fit.TIGHT, worst.pool, worst.short, reason)
    cards_hold = all(d.need <= d.free for d in demands if d.pool != "ram")
    # A card may be further over its margin than RAM is; what is read from disk is what RAM has no room for.
    missing = max((d.short for d in demands if d.pool == "ram"), default=0)
    if cards_hold and footprint.plan.load_mode.mapped and footprint.pools.ram_anonymous <= (room.ram or 0):
        reason = f"{size(missing)} of the mapped weights would be read from disk while it answers"
        return Verdict(Fit.FROM_DISK, "ram", missing, reason)
    kept = f", {size(worst.free)} free less what is kept free" if worst.left < worst.free else ""
    reason = f"needs {size(worst.need)} of {size(worst.left)} in {worst.pool}{kept}: short by {short}"
    return Verdict(Fit.TOO_BIG, worst.pool, worst.short, reason)
