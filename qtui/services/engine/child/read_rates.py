"""The child that measures how fast llama.cpp's kernels read on this machine; one question, one answer, then it ends.

    python -m qtui.services.engine.child.read_rates '{"v": 1, "type": "MeasureRates", …}'

Each kernel goes over matrices (or caches) that are larger than the processor's caches together, as a model's weights
are, until it has done so for 0.15 s. The contents are zeros: the kernels do the same work on them.
"""

from __future__ import annotations

import contextlib
import ctypes
import statistics
import sys
import time
from typing import Any

from qtui.core.errors import EngineError
from qtui.core.gguf import types
from qtui.core.gguf.types import TYPE_IDS
from qtui.core.memory.rate_question import MeasuredRates, MeasureRates
from qtui.core.memory.speed import CPU, AttentionKernel, Kernel, MatrixKernel
from qtui.core.text import clean
from qtui.core.wire import decode, encode
from qtui.services.engine.child.breakdown import gpu_devices
from qtui.services.engine.child.native import Native, claim_stdout, harden, open_native

ROW = 2048
"""Elements; a multiple of every block size."""
PIECE = 4 << 20
"""About a matrix of a small model: threads wait for each other after each."""
PIECES = 48
"""Together more than a core's share of any cache."""
CACHE_TOKENS = 2048
LONG_ENOUGH_S = 0.15
LEAST_PASSES = 4
STEPS = 512
P, I64, SIZE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t


class _InitParams(ctypes.Structure):
    """ggml_init_params (ggml.h)."""

    _fields_ = (("mem_size", SIZE), ("mem_buffer", P), ("no_alloc", ctypes.c_bool))


class Bench:
    """One device of llama.cpp, on which graphs are timed."""

    def __init__(self, native: Native, device: int, threads: int) -> None:
        self._native = native
        cards = gpu_devices(native)
        if device >= len(cards):
            raise EngineError(f"there is no GPU {device}")
        by_type = native.symbol("ggml_backend_dev_by_type", P, ctypes.c_int)
        self._device = by_type(0) if device < 0 else cards[device][1]
        self._backend = native.symbol("ggml_backend_dev_init", P, P, ctypes.c_char_p)(self._device, None)
        if not self._backend:
            raise EngineError(f"device {device} cannot be started")
        registry = native.symbol("ggml_backend_dev_backend_reg", P, P)(self._device)
        self._address = native.symbol("ggml_backend_reg_get_proc_address", P, P, ctypes.c_char_p)
        setter = self._address(registry, b"ggml_backend_set_n_threads")
        if setter:
            ctypes.CFUNCTYPE(None, P, ctypes.c_int)(setter)(self._backend, threads)
        self._registry = registry
        self._computes = threads if device < 0 else 0
        self.share = 1.0
        """How much of the processors' time it got, at the least of its measurements."""
        self._buffers: list[Any] = []

    def close(self) -> None:
        """Give the memory back; the small headers stay until the process ends."""
        free = self._native.symbol("ggml_backend_buffer_free", None, P)
        for buffer in self._buffers:
            free(buffer)
        self._native.symbol("ggml_backend_free", None, P)(self._backend)

    def matrix(self, type_id: int, repacked: bool) -> float:
        """Return bytes per second of products of a matrix with a vector."""
        row = types.row_size(type_id, ROW) or 1
        rows = PIECE // row // 64 * 64
        weights, vectors, graph = self._context(), self._context(), self._context()
        new = self._native.symbol("ggml_new_tensor_2d", P, P, ctypes.c_int, I64, I64)
        product = self._native.symbol("ggml_mul_mat", P, P, P, P)
        matrices = [new(weights, type_id, ROW, rows) for _ in range(PIECES)]
        vector = new(vectors, TYPE_IDS["F32"], ROW, 1)
        results = [product(vectors, matrix, vector) for matrix in matrices]
        buffer = self._allocate(weights, self._repacking() if repacked else None)
        if repacked:
            zeros = bytes(rows * row)
            put = self._native.symbol("ggml_backend_tensor_set", None, P, ctypes.c_char_p, SIZE, SIZE)
            for matrix in matrices:
                put(matrix, zeros, 0, len(zeros))
        else:
            self._clear(buffer)
        self._clear(self._allocate(vectors, None))
        return PIECES * rows * row / self._seconds(graph, results)

    def attention(self, asked: AttentionKernel) -> float:
        """Return bytes per second of K and V that flash attention reads for one token."""
        caches, vectors, graph = self._context(), self._context(), self._context()
        new = self._native.symbol("ggml_new_tensor_3d", P, P, ctypes.c_int, I64, I64, I64)
        attend = self._native.symbol(
            "ggml_flash_attn_ext", P, P, P, P, P, P, ctypes.c_float, ctypes.c_float, ctypes.c_float
        )
        type_k, type_v = TYPE_IDS[asked.type_k.upper()], TYPE_IDS[asked.type_v.upper()]
        size = CACHE_TOKENS * asked.heads_kv * (
            (types.row_size(type_k, asked.head_k) or 0) + (types.row_size(type_v, asked.head_v) or 0)
        )  # fmt: skip
        count = max(2, min(64, PIECES * PIECE // size))
        question = new(vectors, TYPE_IDS["F32"], asked.head_k, 1, asked.heads)
        mask = new(vectors, TYPE_IDS["F16"], CACHE_TOKENS, 1, 1)
        # As in the real cache, the heads of one token lie side by side, so that each head is read in strides.
        turned = self._native.symbol("ggml_permute", P, P, P, *[ctypes.c_int] * 4)
        heads = asked.heads_kv
        pairs = [
            (
                new(caches, type_k, asked.head_k, heads, CACHE_TOKENS),
                new(caches, type_v, asked.head_v, heads, CACHE_TOKENS),
            )
            for _ in range(count)
        ]
        results = [
            attend(
                vectors, question, turned(vectors, k, 0, 2, 1, 3), turned(vectors, v, 0, 2, 1, 3), mask,
                asked.head_k**-0.5, 0.0, 0.0,
            )
            for k, v in pairs
        ]  # fmt: skip
        self._clear(self._allocate(caches, None))
        self._clear(self._allocate(vectors, None))
        return count * size / self._seconds(graph, results)

    def step(self) -> float:
        """Return the seconds of one operation on next to nothing."""
        vectors, graph = self._context(), self._context()
        new = self._native.symbol("ggml_new_tensor_2d", P, P, ctypes.c_int, I64, I64)
        add = self._native.symbol("ggml_add", P, P, P, P)
        first = last = new(vectors, TYPE_IDS["F32"], ROW, 1)
        for _ in range(STEPS):
            last = add(vectors, last, first)
        self._clear(self._allocate(vectors, None))
        return self._seconds(graph, [last]) / STEPS

    def _context(self) -> Any:
        overhead = self._native.symbol("ggml_tensor_overhead", SIZE)()
        graph = self._native.symbol("ggml_graph_overhead", SIZE)()
        init = self._native.symbol("ggml_init", P, _InitParams)
        return init(_InitParams(overhead * 4 * STEPS + graph, None, True))

    def _allocate(self, context: Any, buffer_type: Any) -> Any:
        if buffer_type is None:
            buffer_type = self._native.symbol("ggml_backend_dev_buffer_type", P, P)(self._device)
        allocate = self._native.symbol("ggml_backend_alloc_ctx_tensors_from_buft", P, P, P)
        buffer = allocate(context, buffer_type)
        if not buffer:
            raise EngineError("there is no memory to measure with")
        self._buffers.append(buffer)
        return buffer

    def _clear(self, buffer: Any) -> None:
        self._native.symbol("ggml_backend_buffer_clear", None, P, ctypes.c_uint8)(buffer, 0)

    def _repacking(self) -> Any:
        getter = self._address(self._registry, b"ggml_backend_dev_get_extra_bufts")
        name = self._native.symbol("ggml_backend_buft_name", ctypes.c_char_p, P)
        found = ctypes.CFUNCTYPE(ctypes.POINTER(P), P)(getter)(self._device) if getter else None
        index = 0
        while found and found[index]:
            if name(found[index]) == b"CPU_REPACK":
                return found[index]
            index += 1
        raise EngineError("this build stores no weights anew")

    def _seconds(self, context: Any, results: list[Any]) -> float:
        """Return the median time of one pass over all results, the first not counted."""
        graph = self._native.symbol("ggml_new_graph", P, P)(context)
        expand = self._native.symbol("ggml_build_forward_expand", None, P, P)
        for result in results:
            expand(graph, result)
        compute = self._native.symbol("ggml_backend_graph_compute", ctypes.c_int, P, P)
        begin, used, times = time.perf_counter(), time.process_time(), list[float]()
        while len(times) < LEAST_PASSES or time.perf_counter() - begin < LONG_ENOUGH_S:
            before = time.perf_counter()
            if compute(self._backend, graph):
                raise EngineError("a kernel failed")
            times.append(time.perf_counter() - before)
        if self._computes:  # threads that wait for others of theirs spin, so that all of them use all of the time
            spent = time.perf_counter() - begin
            self.share = min(self.share, (time.process_time() - used) / (spent * self._computes))
        return statistics.median(times[1:])


def measure(native: Native, asked: MeasureRates) -> MeasuredRates:
    """Measure all kernels that are asked for, one after another."""
    rates: list[tuple[str, float]] = []
    share = 1.0
    kernels: list[Kernel] = [*asked.matrices, *asked.attentions]
    for kernel in kernels:
        with contextlib.closing(Bench(native, kernel.device, asked.threads)) as bench:
            if isinstance(kernel, MatrixKernel):
                rates.append((kernel.key, bench.matrix(kernel.type_id, kernel.repacked)))
            else:
                rates.append((kernel.key, bench.attention(kernel)))
            share = min(share, bench.share)
    with contextlib.closing(Bench(native, CPU, asked.threads)) as bench:
        return MeasuredRates(tuple(rates), bench.step(), share)


def main() -> int:
    """Measure and tell."""
    protocol = claim_stdout()
    harden()
    asked = decode(sys.argv[1] if len(sys.argv) > 1 else "", (MeasureRates,))
    if asked is None:
        return 2
    try:
        answer = measure(open_native(echo=sys.stderr), asked)
    except (EngineError, AttributeError) as error:  # AttributeError: this build lacks a symbol
        answer = MeasuredRates((), 0.0, problem=clean(str(error)))
    protocol.write(encode(answer))
    protocol.flush()
    return 1 if answer.problem else 0


if __name__ == "__main__":
    raise SystemExit(main())
