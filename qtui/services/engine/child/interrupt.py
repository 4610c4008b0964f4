"""The flag that stops what runs: looked at between tokens, and polled by ggml after every node of a graph."""

from __future__ import annotations

import ctypes
from typing import Any

from qtui.services.engine.child.native import Native


class Interrupt:
    """A two-byte buffer whose strlen is 0 or 1: libc's own function is the abort callback, so no Python runs in it.

    A Python callback would take the GIL after every node of every graph (about 18 a layer and token).
    """

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        self._callback: Any = None

    def set(self) -> None:
        """Ask for a stop; callable from any thread."""
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        """Allow work again."""
        self._buffer[0] = b"\x00"

    def is_set(self) -> bool:
        """Tell whether a stop is asked for."""
        return self._buffer[0] != b"\x00"

    def attach(self, native: Native, context: Any) -> None:
        """Let a context poll this flag; only CPU backends do (ggml-backend.h)."""
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        self._callback = native.api.ggml_abort_callback(strlen)
        native.api.llama_set_abort_callback(context, self._callback, ctypes.cast(self._buffer, ctypes.c_void_p))
