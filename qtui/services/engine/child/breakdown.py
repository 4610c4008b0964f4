"""llama.cpp's own account of what it allocated, by buffer type: weights, context and compute."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from qtui.core.text import clean_name
from qtui.services.engine.child.native import Native

SYMBOL = "_Z26llama_get_memory_breakdownPK13llama_context"
MOST_TYPES = 16
"""More buffer types than any build has: a larger count means that the map's layout is not the known one."""


class _Node(ctypes.Structure):
    """A node of libstdc++'s red-black tree that holds a map's entry."""


_Node._fields_ = [
    ("color", ctypes.c_int),
    ("parent", ctypes.POINTER(_Node)),
    ("left", ctypes.POINTER(_Node)),
    ("right", ctypes.POINTER(_Node)),
    ("key", ctypes.c_void_p),
    ("model", ctypes.c_size_t),
    ("context", ctypes.c_size_t),
    ("compute", ctypes.c_size_t),
]


class _Map(ctypes.Structure):
    """libstdc++'s std::map, 48 bytes."""

    _fields_ = (
        ("compare", ctypes.c_void_p),
        ("color", ctypes.c_int),
        ("parent", ctypes.POINTER(_Node)),
        ("left", ctypes.POINTER(_Node)),
        ("right", ctypes.POINTER(_Node)),
        ("count", ctypes.c_size_t),
    )


@dataclass(frozen=True, slots=True)
class Buffer:
    """What lies in buffers of one type; bytes."""

    name: str
    """llama.cpp's name of the buffer type: `CPU`, `CPU_REPACK`, `CUDA0`."""
    is_host: bool
    weights: int
    context: int
    compute: int
    gpu: int | None = None
    """Index among the devices that layers are offloaded to; None: in RAM (`CPU_REPACK` is, though not `is_host`)."""


def breakdown(native: Native, context: Any) -> tuple[Buffer, ...]:
    """Return what a context and its model hold, empty where this build cannot tell (a private C++ symbol, Linux only).

    The function returns a `std::map<ggml_backend_buffer_type_t, llama_memory_breakdown_data>` by value
    (llama.cpp, src/llama-ext.h), whose layout is libstdc++'s.
    """
    if not sys.platform.startswith("linux") or native.problem:
        return ()
    try:
        call = native.symbol(SYMBOL, ctypes.c_void_p, ctypes.POINTER(_Map), ctypes.c_void_p)
    except AttributeError:
        return ()
    name = native.symbol("ggml_backend_buft_name", ctypes.c_char_p, ctypes.c_void_p)
    is_host = native.symbol("ggml_backend_buft_is_host", ctypes.c_bool, ctypes.c_void_p)
    device_of = native.symbol("ggml_backend_buft_get_device", ctypes.c_void_p, ctypes.c_void_p)
    # The pinned host memory of a card belongs to the card's device, and lies in RAM.
    cards = {device: index for index, (_, device) in enumerate(gpu_devices(native))}
    found: list[Buffer] = []
    result = _Map()
    call(ctypes.byref(result), context)
    if result.count > MOST_TYPES:
        return ()

    def walk(node: Any) -> None:
        if not node or len(found) > MOST_TYPES:
            return
        entry = node.contents
        walk(entry.left)
        title = clean_name(name(entry.key).decode("utf-8", "replace"))
        host = bool(is_host(entry.key))
        gpu = None if host else cards.get(device_of(entry.key))
        found.append(Buffer(title, host, entry.model, entry.context, entry.compute, gpu))
        walk(entry.right)

    walk(result.parent)
    return tuple(found) if len(found) == result.count else ()


def gpu_devices(native: Native) -> list[tuple[str, int]]:
    """Return (name, pointer) of each GPU device (ggml_backend_dev_type: 1 GPU, 2 integrated GPU)."""
    pointer = ctypes.c_void_p
    count = native.symbol("ggml_backend_dev_count", ctypes.c_size_t)
    device = native.symbol("ggml_backend_dev_get", pointer, ctypes.c_size_t)
    kind = native.symbol("ggml_backend_dev_type", ctypes.c_int, pointer)
    name = native.symbol("ggml_backend_dev_name", ctypes.c_char_p, pointer)
    found = [device(index) for index in range(count())]
    return [(clean_name(name(d).decode("utf-8", "replace")), d) for d in found if kind(d) in (1, 2)]
