"""Tables of the headers under `tests/data`, read once."""

from __future__ import annotations

from functools import cache

from qtui.core.gguf.reader import read_header
from qtui.core.hardware import Device, DeviceKind, EngineInfo
from qtui.core.memory.closed_form.table import ModelTable, model_table
from qtui.core.text import GIB
from tests.builders.gguf import MemorySource
from tests.conftest import HEADER_SIZES, HEADERS

AVX512 = EngineInfo("built-in", features=("AVX2", "AVX512", "REPACK"))


@cache
def header_table(name: str) -> ModelTable:
    source = MemorySource((HEADERS / f"{name}.header").read_bytes(), virtual_size=HEADER_SIZES[name])
    return model_table([read_header(source)], source)


def with_cards(*free_gib: int, name: str = "CUDA", features: tuple[str, ...] = ("AVX2", "REPACK")) -> EngineInfo:
    """An engine with cards of this much free memory."""
    cards = tuple(
        Device(f"{name}{i}", "A card", DeviceKind.GPU, free * GIB, free * GIB) for i, free in enumerate(free_gib)
    )
    return EngineInfo("built-in", devices=(*cards, Device("CPU", "A processor", DeviceKind.CPU)), features=features)
