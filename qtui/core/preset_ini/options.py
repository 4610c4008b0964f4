"""Keys of llama-server that a plan has an option for, under all their names, and how their values are read."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from typing import Any

from qtui.core.memory.options import PlanValue
from qtui.core.memory.plan import ALL_LAYERS, AUTO, CACHE_TYPES, FlashAttention, LoadMode

TRUE, FALSE = ("on", "enabled", "true", "1"), ("off", "disabled", "false", "0")
"""As llama.cpp reads them (common/arg.cpp, common_arg_utils)."""
Options = dict[str, PlanValue]
Read = Callable[[str, Mapping[str, PlanValue]], Options]
"""From a value, and the options so far, to options of LoadPlan; raises ValueError."""


def truth(value: str) -> bool:
    """Read a switch.

    Raises:
        ValueError: it is neither on nor off.
    """
    if value not in (*TRUE, *FALSE):
        raise ValueError(f"is not one of {', '.join((*TRUE, *FALSE))}")
    return value in TRUE


def _number(option: str, least: int = 0, instead: int | None = None) -> Read:
    def read(value: str, _options: Mapping[str, PlanValue]) -> Options:
        number = int(value)
        if number < least and instead is None:
            raise ValueError(f"is not a number from {least}")
        return {option: instead if number < least else number}

    return read


def _switch(option: str, *, negated: bool = False) -> Read:
    return lambda value, _options: {option: truth(value) is not negated}


def _word(option: str, kind: type[LoadMode]) -> Read:
    return lambda value, _options: {option: kind(value)}


def _layers(value: str, _options: Mapping[str, PlanValue]) -> Options:
    words = {"auto": AUTO, "all": ALL_LAYERS, "-1": AUTO, "-2": ALL_LAYERS}
    number = words.get(value)
    return {"n_gpu_layers": number if number is not None else min(4096, max(0, int(value)))}


def _attention(value: str, _options: Mapping[str, PlanValue]) -> Options:
    if value in ("auto", "-1"):
        return {"flash_attn": FlashAttention.AUTO}
    return {"flash_attn": FlashAttention.ON if truth(value) else FlashAttention.OFF}


def _cache(option: str) -> Read:
    def read(value: str, _options: Mapping[str, PlanValue]) -> Options:
        if value not in CACHE_TYPES:
            raise ValueError("is no cache type")
        return {option: value}

    return read


def _old_mode(mapped: bool | None, locked: bool | None, *, negated: bool = False) -> Read:
    """Read a switch that there was before `load-mode`: of mapping, of locking."""

    def read(value: str, options: Mapping[str, PlanValue]) -> Options:
        mode = options.get("load_mode", LoadMode.AUTO)
        map_it, lock_it = mode.mapped, mode.locked
        on = truth(value) is not negated
        map_it = on if mapped is not None else map_it
        lock_it = on if locked is not None else lock_it
        modes = {
            (True, True): LoadMode.MMAP_MLOCK, (True, False): LoadMode.MMAP, (False, True): LoadMode.MLOCK,
            (False, False): LoadMode.NONE,
        }  # fmt: skip
        return {"load_mode": modes[map_it, lock_it]}

    return read


def _shares(value: str, _options: Mapping[str, PlanValue]) -> Options:
    return {"tensor_split": tuple(float(part) for part in re.split(r"[,/]+", value) if part)}


def _overrides(value: str, options: Mapping[str, PlanValue]) -> Options:
    pairs = []
    for part in value.split(","):
        pattern, sign, buffer = part.partition("=")
        if not (pattern and sign and buffer):
            raise ValueError("is not PATTERN=BUFFER,…")
        pairs.append((pattern, buffer))
    return {"override_tensor": (*options.get("override_tensor", ()), *pairs)}


def _adapters(value: str, options: Mapping[str, PlanValue]) -> Options:
    found = [(name, 1.0) for name in _row(value) if name]
    return {"lora": (*options.get("lora", ()), *found)}


def _scaled(value: str, options: Mapping[str, PlanValue]) -> Options:
    found = []
    for part in _row(value):
        name, sign, scale = part.rpartition(":")
        if not (name and sign):
            raise ValueError("is not FILE:SCALE,…")
        found.append((name, float(scale)))
    return {"lora": (*options.get("lora", ()), *found)}


def _row(value: str) -> list[str]:
    try:
        return next(csv.reader([value]), [])
    except csv.Error as error:
        raise ValueError("is no row of names") from error


def _text(option: str) -> Read:
    return lambda value, _options: {option: value}


def _named(read: Read, *names: str) -> dict[str, Read]:
    return dict.fromkeys(names, read)


READERS: dict[str, Read] = {
    **_named(_number("ctx_size"), "c", "ctx-size", "LLAMA_ARG_CTX_SIZE"),
    **_named(_layers, "ngl", "gpu-layers", "n-gpu-layers", "LLAMA_ARG_N_GPU_LAYERS"),
    **_named(_word("load_mode", LoadMode), "lm", "load-mode", "LLAMA_ARG_LOAD_MODE"),
    **_named(_old_mode(True, None), "mmap", "LLAMA_ARG_MMAP"),
    **_named(_old_mode(True, None, negated=True), "no-mmap", "LLAMA_ARG_NO_MMAP"),
    **_named(_old_mode(None, True), "mlock", "LLAMA_ARG_MLOCK"),
    **_named(_cache("cache_type_k"), "ctk", "cache-type-k", "LLAMA_ARG_CACHE_TYPE_K"),
    **_named(_cache("cache_type_v"), "ctv", "cache-type-v", "LLAMA_ARG_CACHE_TYPE_V"),
    **_named(_attention, "fa", "flash-attn", "LLAMA_ARG_FLASH_ATTN"),
    **_named(_number("threads", 1, 0), "t", "threads", "LLAMA_ARG_THREADS"),
    **_named(_number("threads_batch", 1, 0), "tb", "threads-batch"),
    **_named(_number("batch_size", 1), "b", "batch-size", "LLAMA_ARG_BATCH"),
    **_named(_number("ubatch_size", 1), "ub", "ubatch-size", "LLAMA_ARG_UBATCH"),
    **_named(_number("n_cpu_moe"), "ncmoe", "n-cpu-moe", "LLAMA_ARG_N_CPU_MOE"),
    **_named(_switch("cpu_moe"), "cmoe", "cpu-moe", "LLAMA_ARG_CPU_MOE"),
    **_named(_overrides, "ot", "override-tensor", "LLAMA_ARG_OVERRIDE_TENSOR"),
    **_named(_shares, "ts", "tensor-split", "LLAMA_ARG_TENSOR_SPLIT"),
    **_named(_number("main_gpu"), "mg", "main-gpu", "LLAMA_ARG_MAIN_GPU"),
    **_named(_adapters, "lora"),
    **_named(_scaled, "lora-scaled"),
    **_named(_switch("no_kv_offload", negated=True), "kvo", "kv-offload", "LLAMA_ARG_KV_OFFLOAD"),
    **_named(_switch("no_kv_offload"), "nkvo", "no-kv-offload", "LLAMA_ARG_NO_KV_OFFLOAD"),
    **_named(_switch("swa_full"), "swa-full", "LLAMA_ARG_SWA_FULL"),
    **_named(_number("parallel", 1), "np", "parallel", "LLAMA_ARG_N_PARALLEL"),
    **_named(_text("mmproj"), "mm", "mmproj", "LLAMA_ARG_MMPROJ"),
}
"""By every name without dashes, and by environment variable."""

MODEL = ("m", "model", "LLAMA_ARG_MODEL")
REPOSITORY = ("hf", "hfr", "hf-repo", "LLAMA_ARG_HF_REPO")
OURS: dict[str, Any] = {"fit": FALSE, "LLAMA_ARG_FIT": FALSE, "kv-unified": TRUE, "kvu": TRUE, "version": None}
"""What qtui writes by itself with these values, and so does not keep; None: with any value."""
