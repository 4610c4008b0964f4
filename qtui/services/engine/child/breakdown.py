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
        found.append(Buffer(title, bool(is_host(entry.key)), entry.model, entry.context, entry.compute))
        walk(entry.right)

    walk(result.parent)
    return tuple(found) if len(found) == result.count else ()
