"""A LoadPlan as llama.cpp's own parameters, with the arrays that they point to."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from qtui.core.errors import PlanRefusedError
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.refusals import NO_BUFFER_TYPE, refused
from qtui.core.text import clean_name
from qtui.services.engine.child.native import Native

GGML_TYPES = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30,
}  # fmt: skip
"""ggml_type of each cache type (ggml.h); llama_cpp has no constant for bf16."""
_LOAD_MODES = {
    LoadMode.AUTO: -1, LoadMode.NONE: 0, LoadMode.MMAP: 1, LoadMode.MLOCK: 2, LoadMode.MMAP_MLOCK: 3, LoadMode.DIO: 4,
}  # fmt: skip
_FLASH_ATTENTION = {FlashAttention.AUTO: -1, FlashAttention.OFF: 0, FlashAttention.ON: 1}
EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""Names of expert tensors: LLM_FFN_EXPS_REGEX (llama.cpp, common/common.h)."""


class _Override(ctypes.Structure):
    """`llama_model_tensor_buft_override`: a regular expression and the buffer type for what it matches."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


@dataclass(frozen=True, slots=True)
class ModelParams:
    """llama_model_params by value; `kept` must live until the model is loaded."""

    value: Any
    kept: tuple[Any, ...]


def model_params(native: Native, plan: LoadPlan) -> ModelParams:
    """Return how the model of a plan is loaded: placement and load mode.

    Raises:
        PlanRefusedError: an override names a buffer type that this build does not have, or too many devices are split.
    """
    value = native.api.llama_model_default_params()
    value.n_gpu_layers = ALL_LAYERS if plan.n_gpu_layers == AUTO else plan.n_gpu_layers
    value.load_mode = _LOAD_MODES[plan.load_mode]
    value.main_gpu = plan.main_gpu
    kept: list[Any] = []
    overrides = _overrides(native, plan)
    if overrides:
        array = (_Override * (len(overrides) + 1))(*(_Override(p, b) for p, b in overrides))
        value.tensor_buft_overrides = ctypes.cast(array, ctypes.c_void_p)
        kept.append(array)
    if plan.tensor_split:
        most = native.api.llama_max_devices()
        if len(plan.tensor_split) > most:
            raise PlanRefusedError(f"--tensor-split names {len(plan.tensor_split)} devices", f"at most {most}")
        split = (ctypes.c_float * most)(*plan.tensor_split)
        value.tensor_split = ctypes.cast(split, ctypes.POINTER(ctypes.c_float))
        kept.append(split)
    return ModelParams(value, tuple(kept))


def context_params(native: Native, plan: LoadPlan, *, n_outputs_max: int = 1, shared: bool = True) -> Any:
    """Return llama_context_params of a plan; `shared`: its slots share one cache.

    `n_outputs_max` is the most rows of logits asked for at once: 1 for answers, which is what llama-server takes;
    asking for more rows than that aborts the process. 0: as many as the batch. Never fewer than there are slots, for
    each of which llama.cpp keeps a row.
    """
    value = native.api.llama_context_default_params()
    value.n_ctx = plan.ctx_size
    value.n_batch = plan.batch_size
    value.n_ubatch = plan.ubatch_size
    value.n_seq_max = plan.parallel
    value.kv_unified = shared and plan.parallel > 1
    value.n_outputs_max = max(n_outputs_max, plan.parallel) if n_outputs_max else 0
    if plan.threads:
        value.n_threads = plan.threads
        value.n_threads_batch = plan.threads_batch or plan.threads
    if plan.threads_batch:
        value.n_threads_batch = plan.threads_batch
    value.flash_attn_type = _FLASH_ATTENTION[plan.flash_attn]
    value.type_k = GGML_TYPES[plan.cache_type_k]
    value.type_v = GGML_TYPES[plan.cache_type_v]
    value.offload_kqv = not plan.no_kv_offload
    value.swa_full = plan.swa_full
    return value


def buffer_types(native: Native) -> dict[str, int]:
    """Return the buffer types that an override may name, as `--override-tensor` finds them: one for each device."""
    pointer = ctypes.c_void_p
    count = native.symbol("ggml_backend_dev_count", ctypes.c_size_t)
    device = native.symbol("ggml_backend_dev_get", pointer, ctypes.c_size_t)
    of_device = native.symbol("ggml_backend_dev_buffer_type", pointer, pointer)
    name = native.symbol("ggml_backend_buft_name", ctypes.c_char_p, pointer)
    found: dict[str, int] = {}
    for index in range(count()):
        buffer_type = of_device(device(index))
        if buffer_type:
            found[name(buffer_type).decode("utf-8", "replace")] = buffer_type
    return found


def _overrides(native: Native, plan: LoadPlan) -> list[tuple[bytes, int]]:
    """Return (pattern, buffer type) in the order they are tried: the user's own first, then the experts'."""
    found: list[tuple[bytes, int]] = []
    if plan.override_tensor:
        known = buffer_types(native)
        for pattern, name in plan.override_tensor:
            if name not in known:
                raise refused(NO_BUFFER_TYPE, name=clean_name(name), known=", ".join(known))
            found.append((pattern.encode(), known[name]))
    if plan.cpu_moe or plan.n_cpu_moe:
        cpu = native.symbol("ggml_backend_cpu_buffer_type", ctypes.c_void_p)()
        found.extend((rf"blk\.{layer}{EXPERTS}".encode(), cpu) for layer in range(plan.n_cpu_moe))
        if plan.cpu_moe:
            found.append((EXPERTS.encode(), cpu))
    most = native.api.llama_max_tensor_buft_overrides()
    if len(found) >= most:
        raise PlanRefusedError(f"{len(found)} tensor overrides are too many", f"fewer than {most}")
    return found
