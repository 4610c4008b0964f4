"""How the backends of llama.cpp lay out buffers, by the names of their devices (`CUDA0`, `Vulkan1`, `RPC0`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.gguf import types
from qtui.core.hardware import Device, DeviceKind, EngineInfo
from qtui.core.memory.closed_form.repack import repack_rules

CPU_ALIGNMENT = 32
_ROW_PADDING = 512
"""MATRIX_ROW_PADDING (ggml-cuda/common.cuh)."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What of a backend decides sizes."""

    alignment: int
    """Of every tensor in a buffer, in bytes."""
    pads_rows: bool = False
    """A quantised tensor whose rows are no multiple of 512 gets the rest of one more row."""
    pinned: str = ""
    """The backend's own host memory, which llama.cpp takes for what stays in RAM; empty: it has none."""
    maps: bool = True
    """Takes a mapped load; a device that does not turns `--load-mode auto` into `none`."""
    copies_weights: bool = True
    """Copies weights from RAM to compute large batches with them (op offload)."""
    pipelines: bool = True
    """Can work on several batches at once, which multiplies the inputs' buffers (async and events)."""
    widens_cache: bool = False
    """Flash attention makes an f16 copy of one layer's K and V when the cache is of another type."""
    measured: bool = False
    """Its compute buffer's formula was compared: with logs of real runs, or with llama.cpp here."""

    @property
    def uploads(self) -> bool:
        """Tell whether it is filled through four small buffers of pinned memory."""
        return bool(self.pinned) and self.pipelines


# Source: ggml/src/ggml-*/: get_alignment, get_alloc_size, get_host_buffer_type, offload_op and the devices' caps.
# Vulkan's alignment is the driver's minStorageBufferOffsetAlignment: 64 is the largest that is common.
BACKENDS = {
    "CUDA": Backend(128, True, "CUDA_Host", widens_cache=True, measured=True),
    "ROCm": Backend(128, True, "ROCm_Host", widens_cache=True),
    "MUSA": Backend(128, True, "MUSA_Host", widens_cache=True),
    "Vulkan": Backend(64, False, "Vulkan_Host"),
    "SYCL": Backend(128, False, "SYCL_Host"),
    "MTL": Backend(32, measured=True),
    "Metal": Backend(32, measured=True),
    "RPC": Backend(32, copies_weights=False, measured=True),
    "GPUOpenCL": Backend(128, maps=False, copies_weights=False, pipelines=False),
}
UNKNOWN = Backend(128, pipelines=False)
_NAME = re.compile(r"[A-Za-z_]+")


@dataclass(frozen=True, slots=True)
class Card:
    """One device that layers can be offloaded to."""

    name: str
    """llama.cpp's: `CUDA0`."""
    backend: Backend
    description: str = ""
    free: int | None = None
    buffer: str = ""

    @property
    def buffer_type(self) -> str:
        """Return the name of its buffer type: its own, unless it is another machine's."""
        return self.buffer or self.name

    def padded(self, type_id: int, row: int, size: int) -> int:
        """Return the bytes that a tensor of `size` bytes with rows of `row` elements takes there."""
        if self.backend.pads_rows and row % _ROW_PADDING and types.tensor_type(type_id).block_size > 1:
            size += _rest_of_row(type_id, _ROW_PADDING - row % _ROW_PADDING)
        return -(-size // self.backend.alignment) * self.backend.alignment


@dataclass(frozen=True, slots=True)
class Devices:
    """What an engine can use, as the closed form needs it."""

    cards: tuple[Card, ...] = ()
    repack: tuple[tuple[int, int], ...] = ()
    """(tensor type, rows that must divide): weights of these types are stored anew for the CPU."""

    @property
    def host_name(self) -> str:
        """Return the buffer type of what is computed in RAM."""
        return (self.cards[0].backend.pinned if self.cards else "") or "CPU"


def backend_of(name: str, kind: DeviceKind = DeviceKind.GPU) -> Backend:
    """Return how the backend of a device lays out buffers; one that is not known is taken to be careful."""
    found = _NAME.match(name)
    backend = BACKENDS.get(found[0] if found else "", UNKNOWN)
    if kind is DeviceKind.IGPU and backend.pinned:
        return Backend(backend.alignment, backend.pads_rows, backend.pinned, maps=False, pipelines=backend.pipelines,
                       widens_cache=backend.widens_cache)  # fmt: skip
    return backend


def devices_of(info: EngineInfo) -> Devices:
    """Return the devices of an engine."""
    return Devices(cards_of(info.gpus), repack_rules(info.features))


def cards_of(devices: Sequence[Device]) -> tuple[Card, ...]:
    """Return the cards of an engine in its order."""
    found: list[Card] = []
    for device in devices:
        backend, buffer = backend_of(device.name, device.kind), ""
        if device.name.startswith("RPC"):  # its number at its server, and the server's address (ggml-rpc.cpp)
            buffer = f"RPC{sum(card.description == device.description for card in found)}[{device.description}]"
        found.append(Card(device.name, backend, device.description, device.free, buffer))
    return tuple(found)


def _rest_of_row(type_id: int, elements: int) -> int:
    """Return the bytes of so many further elements, whole blocks."""
    kind = types.tensor_type(type_id)
    return -(-elements // kind.block_size) * kind.type_size
