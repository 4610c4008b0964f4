"""Footprint: predicted bytes of one variant under one plan, per pool and kind, each with its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin


@dataclass(frozen=True, slots=True)
class DeviceBytes:
    """What llama.cpp allocates in one of its buffer types, named as it names it (`CPU`, `CPU_REPACK`, `CUDA0`)."""

    name: str
    weights: int
    context: int
    compute: int
    origin: Origin
    host: bool = True
    """True: in RAM; False: in the memory of a GPU."""
    gpu: int | None = None
    """Which of the engine's GPUs, in its order; None: in RAM, or not known."""
    band: int = 0
    """How far off it may be, in bytes, either way; 0: exact as far as llama.cpp's own account goes."""

    @property
    def total(self) -> int:
        """Return the sum of the three kinds."""
        return self.weights + self.context + self.compute

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `devices[]`."""
        return {
            "name": self.name, "weights": self.weights, "context": self.context,
            "compute": self.compute, "origin": self.origin.value,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExtraItem:
    """An item that llama.cpp's accounting leaves out (output rows, process, tokenizer, driver context)."""

    item: str
    pool: str
    """`ram_anonymous`, `ram_file_backed` or `vram0`, `vram1`, …"""
    bytes: int
    origin: Origin
    band: int = 0
    """How far off it may be, in bytes, either way."""

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `extra[]`."""
        return {
            "item": self.item,
            "pool": self.pool,
            "bytes": self.bytes,
            "origin": self.origin.value,
            "band": self.band,
        }


@dataclass(frozen=True, slots=True)
class Pools:
    """What must stay resident, per pool, in bytes."""

    ram_anonymous: int = 0
    ram_file_backed: int = 0
    vram: tuple[int, ...] = ()

    @property
    def ram(self) -> int:
        """Return both RAM pools together."""
        return self.ram_anonymous + self.ram_file_backed

    @property
    def total(self) -> int:
        """Return the sum over all pools: the column NEEDS."""
        return self.ram + sum(self.vram)

    def __add__(self, other: Pools) -> Pools:
        """Return what two loads need at once, pool by pool."""
        cards = max(len(self.vram), len(other.vram))
        mine, theirs = (p.vram + (0,) * (cards - len(p.vram)) for p in (self, other))
        return Pools(
            self.ram_anonymous + other.ram_anonymous,
            self.ram_file_backed + other.ram_file_backed,
            tuple(a + b for a, b in zip(mine, theirs, strict=True)),
        )

    def beyond(self, other: Pools) -> Pools:
        """Return by how much this needs more than another, pool by pool, never below 0; RAM counts as one."""
        theirs = other.vram + (0,) * len(self.vram)
        return Pools(
            max(0, self.ram - other.ram), 0, tuple(max(0, a - b) for a, b in zip(self.vram, theirs, strict=False))
        )

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `pools`."""
        return {"ram_anonymous": self.ram_anonymous, "ram_file_backed": self.ram_file_backed, "vram": list(self.vram)}


@dataclass(frozen=True, slots=True)
class Footprint:
    """Predicted memory of one variant under one resolved plan."""

    plan: LoadPlan
    """Resolved: what was asked of llama.cpp."""
    devices: tuple[DeviceBytes, ...]
    extra: tuple[ExtraItem, ...]
    pools: Pools
    peak: int
    """Of RAM while loading, in bytes (a populated mapping touches the whole file)."""
    reclaimable: int
    """Clean file pages that stay resident after the load and that the kernel may drop."""
    locked: int
    """Bytes asked to be locked; a part of the RAM pools, never added to them."""
    origin: Origin
    """The weakest of the devices' origins."""
    engine: str = "built-in"
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Return what must stay resident over all pools: the column NEEDS."""
        return self.pools.total

    @property
    def band(self) -> int:
        """Return how far off the total may be, in bytes, either way: all that is uncertain, added up."""
        return sum(device.band for device in self.devices) + sum(item.band for item in self.extra)

    def kind_bytes(self, kind: str) -> int:
        """Return the bytes of `weights`, `context`, `compute` or `extra` over all devices."""
        if kind == "extra":
            return sum(item.bytes for item in self.extra)
        return sum(int(getattr(device, kind)) for device in self.devices)
