"""From llama.cpp's buffers to the memory that must stay resident, by load mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.memory.footprint import DeviceBytes, ExtraItem, Pools
from qtui.core.memory.layout import FileLayout
from qtui.core.memory.plan import LoadMode
from qtui.core.text import MIB

DIRECT_IO_STAGING = 4 * 64 * MIB
"""Four buffers of 64 MiB (llama-model-loader.cpp, load_all_data)."""


@dataclass(frozen=True, slots=True)
class Resident:
    """What one load does to memory; bytes."""

    pools: Pools
    peak: int
    """Of RAM while loading."""
    reclaimable: int
    locked: int


def resident(
    devices: Sequence[DeviceBytes],
    extra: Sequence[ExtraItem],
    mode: LoadMode,
    layout: FileLayout,
    gpu_count: int = 0,
) -> Resident:
    """Distribute buffers and extra items over the pools.

    Mapped: weights of plain CPU buffers are pages of the file, and the whole file is read into memory while it
    loads. Repacked weights (`CPU_REPACK` and its like) are copies: anonymous, and never locked. Context and compute
    are anonymous and never locked. Tables that are read row by row need not be resident. With mmap+mlock the file's
    pages up to the last tensor in use are locked, those of repacked tensors too. Measured on Linux with all five load
    modes; llama-mmap.cpp, llama-model-loader.cpp.
    """
    host = [device for device in devices if device.host]
    weights = sum(device.weights for device in host) - layout.lazy
    plain = sum(device.weights for device in host if is_plain(device.name)) - layout.lazy
    extras = {pool: sum(e.bytes for e in extra if e.pool == pool) for pool in {e.pool for e in extra}}
    anonymous = sum(device.context + device.compute for device in host) + weights - plain
    anonymous += extras.get("ram_anonymous", 0)
    file_backed = extras.get("ram_file_backed", 0)
    reclaimable = locked = staging = 0
    if mode.mapped:
        peak = anonymous + file_backed + max(layout.file_bytes, plain)
        if mode.locked:
            locked = max(plain, layout.host_end) if plain else 0
            file_backed += max(plain, locked)
        else:
            file_backed += plain
            reclaimable = max(0, layout.host_span - plain)
    else:
        anonymous += plain
        locked = plain if mode.locked else 0
        if any(device.weights for device in devices if not is_plain(device.name)):
            staging = layout.largest_tensor  # read into a buffer of its own before it is repacked or copied
        if mode is LoadMode.DIO:
            # Every read goes through an aligned buffer of its size; cards are filled through four large ones.
            staging = max(2 * staging, layout.largest_plain)
            if any(not device.host for device in devices):
                staging = max(staging, DIRECT_IO_STAGING)
        peak = anonymous + file_backed + staging
    return Resident(Pools(anonymous, file_backed, _vram(devices, extras, gpu_count)), peak, reclaimable, locked)


def is_plain(name: str) -> bool:
    """Tell whether weights in this buffer type stay as they are in the file, so that a mapping can serve them.

    A mapped load puts plain CPU memory in place of a card's pinned host memory (llama-model-loader.cpp).
    """
    return name in ("CPU", "CPU_Mapped") or name.endswith("_Host")


def _vram(devices: Sequence[DeviceBytes], extras: dict[str, int], gpu_count: int) -> tuple[int, ...]:
    """Return the bytes per card, in the engine's order of cards."""
    cards: dict[int, int] = dict.fromkeys(range(gpu_count), 0)
    unnumbered = 0
    for device in devices:
        if not device.host:
            index = device.gpu if device.gpu is not None else unnumbered
            unnumbered += 1
            cards[index] = cards.get(index, 0) + device.total
    for pool, size in extras.items():
        if pool.startswith("vram"):
            index = int(pool.removeprefix("vram"))
            cards[index] = cards.get(index, 0) + size
    return tuple(cards.get(index, 0) for index in range(max(cards, default=-1) + 1))
