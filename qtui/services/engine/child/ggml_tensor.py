"""`struct ggml_tensor` as the evaluation callback sees it, checked against the library before it is believed."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from qtui.core.errors import EngineError
from qtui.services.engine.child.native import Native

F32 = 0
_UNTESTED = "install llama-cpp-python 0.3.36, with which this was tried"


class GgmlTensor(ctypes.Structure):
    """`struct ggml_tensor` (ggml.h)."""


GgmlTensor._fields_ = (
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(GgmlTensor) * 10),
    ("view_src", ctypes.POINTER(GgmlTensor)),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
)  # fmt: skip


class _InitParams(ctypes.Structure):
    """`struct ggml_init_params` (ggml.h)."""

    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


class Tensors:
    """Reads tensors of a graph.

    Raises:
        EngineError: this build's tensors are laid out in another way.
    """

    def __init__(self, native: Native) -> None:
        pointer = ctypes.c_void_p
        try:
            self._get = native.symbol(
                "ggml_backend_tensor_get", None, pointer, pointer, ctypes.c_size_t, ctypes.c_size_t
            )
            self._is_host = native.symbol("ggml_backend_buffer_is_host", ctypes.c_bool, pointer)
            self._nbytes = native.symbol("ggml_nbytes", ctypes.c_size_t, pointer)
            names = native.symbol("ggml_op_name", ctypes.c_char_p, ctypes.c_int)
            operations = {names(number).decode(): number for number in range(_operations(names))}
            self.mul_mat, self.mul_mat_id = operations["MUL_MAT"], operations["MUL_MAT_ID"]
            _probe(native, self.mul_mat)
        except (AttributeError, KeyError) as error:
            raise EngineError("this llama.cpp does not let its graph be looked into", _UNTESTED) from error

    def values(self, tensor: GgmlTensor, kind: Any) -> np.ndarray[Any, np.dtype[Any]]:
        """Return a tensor's values as an array of four dimensions, the row's length last; a view of its own memory."""
        size = self._nbytes(ctypes.byref(tensor))
        if self._is_host(tensor.buffer):
            raw = (ctypes.c_char * size).from_address(tensor.data)
        else:
            raw = (ctypes.c_char * size)()
            self._get(ctypes.byref(tensor), raw, 0, size)
        flat = np.frombuffer(raw, dtype=np.uint8)
        shape, strides = tuple(tensor.ne)[::-1], tuple(tensor.nb)[::-1]
        return np.ndarray(shape, dtype=kind, buffer=flat, strides=strides)


def _operations(names: Any) -> int:
    """Return how many operations there are: GGML_OP_COUNT is not exported, and the name of what lies beyond aborts."""
    count = 0
    while names(count) != b"MUL_MAT_ID":
        count += 1
        if count > 200:
            raise KeyError("MUL_MAT_ID")
    return count + 1


def _probe(native: Native, mul_mat: int) -> None:
    """Make a product of two tensors and compare what is read of it."""
    pointer = ctypes.c_void_p
    init = native.symbol("ggml_init", pointer, _InitParams)
    free = native.symbol("ggml_free", None, pointer)
    new = native.symbol("ggml_new_tensor_2d", pointer, pointer, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    name = native.symbol("ggml_set_name", pointer, pointer, ctypes.c_char_p)
    product = native.symbol("ggml_mul_mat", pointer, pointer, pointer, pointer)
    overhead = native.symbol("ggml_tensor_overhead", ctypes.c_size_t)
    context = init(_InitParams(1 << 16, None, True))
    try:
        left, right = new(context, F32, 32, 3), new(context, F32, 32, 5)
        name(left, b"blk.0.left")
        name(right, b"right")
        made = GgmlTensor.from_address(product(context, left, right))
        seen = made.src[0].contents, made.src[1].contents
        fine = (
            overhead() - 32 == ctypes.sizeof(GgmlTensor)
            and made.op == mul_mat
            and tuple(made.ne) == (3, 5, 1, 1)
            and [one.name for one in seen] == [b"blk.0.left", b"right"]
            and [tuple(one.ne) for one in seen] == [(32, 3, 1, 1), (32, 5, 1, 1)]
            and [tuple(one.nb) for one in seen] == [(4, 128, 384, 384), (4, 128, 640, 640)]
            and all(one.type == F32 and not one.data for one in seen)
        )
    finally:
        free(context)
    if not fine:
        raise EngineError("this llama.cpp lays its tensors out in a way that is not known here", _UNTESTED)
