"""The dry-run helper: asks llama.cpp what it would allocate, without weights, and stays for the next question.

Started with `-m`; JSON lines by `core.memory.question`. It loads with `no_alloc`, so that nothing but a recurrent
state is really allocated; a limit on its address space keeps that in bounds.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtui.core.errors import EngineError, QtuiError
from qtui.core.memory.consumers import consumer_of
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.question import (
    Aborted,
    Allocated,
    BufferRow,
    HelperReady,
    HelperUnusable,
    ModelTaken,
    Question,
    Refused,
    model_options,
)
from qtui.core.text import clean_name
from qtui.core.wire import decode
from qtui.services.engine.child.breakdown import breakdown, gpu_devices
from qtui.services.engine.child.devices import features
from qtui.services.engine.child.logged import flash_attention, read_memory, unused_bytes
from qtui.services.engine.child.memory import offer_to_oom_killer
from qtui.services.engine.child.native import ERROR, Native, claim_stdout, harden, open_native
from qtui.services.engine.child.params import context_params, model_params
from qtui.services.engine.child.refusals import refusal
from qtui.services.engine.child.sender import Sender

Send = Callable[[object], None]


class Helper:
    """Answers questions one after another; keeps the last model for further contexts."""

    def __init__(self, native: Native, send: Send, from_log: bool = False) -> None:
        self._native = native
        self._send = send
        self._from_log = from_log
        self._model: Any = None
        self._key: tuple[object, ...] = ()
        self._unused = 0

    def answer(self, question: Question) -> Allocated | Refused:
        """Return llama.cpp's allocation plan, or why it refuses."""
        try:
            # A mapped load asserts under no_alloc; what the load mode changes is worked out from the numbers.
            plan = replace(LoadPlan.from_json(question.plan), load_mode=LoadMode.NONE)
            refused = self._take_model(question, plan)
            if refused is not None:
                return refused
            self._send(ModelTaken(question.id))
            return self._weigh(question, plan)
        except QtuiError as error:
            return Refused(question.id, error.message, error.hint, error.kind)
        except (MemoryError, OSError, ValueError, TypeError) as error:
            return Refused(question.id, f"the dry run failed: {error}", "", "engine")

    def _take_model(self, question: Question, plan: LoadPlan) -> Refused | None:
        key = (question.path, *model_options(plan))
        if self._model is not None and key == self._key:
            return None
        api = self._native.api
        if self._model is not None:
            api.llama_model_free(self._model)
            self._model = None
        params = model_params(self._native, plan)
        params.value.no_alloc = True
        mark = self._native.log.count
        model = api.llama_model_load_from_file(question.path.encode(), params.value)
        self._native.log.flush()
        if not model:
            return _refused(question, self._native.log.since(mark, ERROR))
        self._model, self._key = model, key
        self._unused = unused_bytes(self._native.log.since(mark))
        return None

    def _weigh(self, question: Question, plan: LoadPlan) -> Allocated | Refused:
        api = self._native.api
        mark = self._native.log.count
        consumer = consumer_of(plan.engine)  # whose reservations the plan is asked with
        params = context_params(
            self._native, plan, n_outputs_max=consumer.rows(plan), shared=consumer.shares_cache(plan)
        )
        context = api.llama_init_from_model(self._model, params)
        self._native.log.flush()
        if not context:
            return _refused(question, self._native.log.since(mark, ERROR))
        try:
            lines = self._native.log.since(mark)
            asked = None if plan.flash_attn is FlashAttention.AUTO else plan.flash_attn is FlashAttention.ON
            chosen = flash_attention(lines, asked)
            rows = () if self._from_log else self._account(context, question)
            if rows:
                return Allocated(question.id, rows, chosen)
            return Allocated(question.id, self._logged(lines, question, plan), chosen, exact=False)
        finally:
            api.llama_free(context)

    def _account(self, context: Any, question: Question) -> tuple[BufferRow, ...]:
        """Return llama.cpp's own account; nothing where it is missing or does not agree with the tensor infos."""
        rows = tuple(
            BufferRow(b.name, b.weights, b.context, b.compute, b.gpu) for b in breakdown(self._native, context)
        )
        found = sum(row.weights for row in rows)
        # Unused tensors are left out and say so; a tied output may be a second copy; padding is below one percent.
        low = 0.99 * (question.tensor_bytes - self._unused) - question.embedding_bytes
        high = 1.01 * question.tensor_bytes + (len(rows) + 1) * question.embedding_bytes + (1 << 20)
        return rows if low <= found <= high else ()

    def _logged(self, lines: list[str], question: Question, plan: LoadPlan) -> tuple[BufferRow, ...]:
        """Return what the log's lines tell, with all weights on the CPU."""
        if plan.n_gpu_layers and gpu_devices(self._native):
            raise EngineError(
                "this llama-cpp-python does not tell what it would place on a GPU",
                "--n-gpu-layers 0 can be told, or take a tested version: 0.3.36",
            )
        memory = read_memory(lines)
        compute = sum(size for _, size in memory.compute)
        return (BufferRow("CPU", question.tensor_bytes - self._unused, memory.context, compute),)


def _refused(question: Question, errors: list[str]) -> Refused:
    """Return why llama.cpp refuses; where only memory was short for asking, a real load may well succeed."""
    short = any("failed to allocate" in line or "unable to allocate" in line for line in errors)
    return Refused(question.id, *refusal(errors), kind="engine" if short else "plan_refused")


def limit_address_space(native: Native, more: int) -> None:
    """Let this process map `more` bytes beyond what it has now (Linux; elsewhere there is no such account).

    GPU drivers map far more than they use when they are first asked, so they are asked before.
    """
    ask = native.symbol("ggml_backend_dev_memory", None, *[ctypes.c_void_p] * 3)
    for _, device in gpu_devices(native):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ask(device, ctypes.byref(free), ctypes.byref(total))
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = pages * resource.getpagesize() + more
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _questions() -> queue.SimpleQueue[Question]:
    """Read stdin in a thread, so that its end, which is the app's, ends this process in the middle of anything."""
    asked: queue.SimpleQueue[Question] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            question = decode(line, (Question,))
            if question is not None:
                asked.put(question)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return asked


def main() -> int:
    """Answer questions until stdin ends."""
    send = Sender(claim_stdout()).send
    harden()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address-space", type=int, default=2 << 30, help="bytes beyond what it has at the start")
    parser.add_argument("--from-log", action="store_true", help="read log lines, not llama.cpp's own account")
    options = parser.parse_args()

    try:
        native = open_native(lambda text: send(Aborted(text)))
    except EngineError as error:
        send(HelperUnusable(error.message, error.hint))
        return 1
    offer_to_oom_killer()
    asked = _questions()
    limit_address_space(native, options.address_space)
    gpus = gpu_devices(native)
    describe = native.symbol("ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p)
    titles = tuple(clean_name((describe(device) or b"").decode("utf-8", "replace")) for _, device in gpus)
    system_info = native.symbol("llama_print_system_info", ctypes.c_char_p)() or b""
    abilities = features(system_info.decode("utf-8", "replace"))
    send(HelperReady(native.build, tuple(name for name, _ in gpus), native.problem, titles, abilities))
    helper = Helper(native, send, options.from_log)
    while True:
        send(helper.answer(asked.get()))


if __name__ == "__main__":
    sys.exit(main())
