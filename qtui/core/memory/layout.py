"""Where tensors lie in the files, as far as a load mode's effect depends on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.gguf.reader import Header
from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadPlan

EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""LLM_FFN_EXPS_REGEX (llama.cpp, common/common.h)."""
INPUT_TENSORS = ("token_embd.weight", "position_embd.weight", "token_types.weight", "per_layer_token_embd.weight")
"""Never offloaded (llama-model.cpp: the input layer is the CPU's)."""
LAZY_TENSOR = "per_layer_token_embd.weight"
LAZY_ARCHITECTURES = ("gemma4", "qwen4exp")
"""Those whose table llama.cpp marks TENSOR_READ_LAZY (src/models)."""
LAZY_ABOVE = 4 << 30
"""Smaller ones are loaded whole (llama-model-loader.cpp, lazy_read::add)."""
_BLOCK = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class FileLayout:
    """Of all files of a variant together; bytes."""

    file_bytes: int
    host_span: int
    """Per file from the first to the end of the last tensor that stays in RAM: what stays mapped after the load."""
    host_end: int
    """Per file from its start to the end of the last such tensor: what mmap+mlock locks."""
    largest_tensor: int
    lazy: int = 0
    """Tables that llama.cpp leaves in the file, whatever the load mode, and reads row by row."""


def file_layout(headers: Sequence[Header], plan: LoadPlan) -> FileLayout:
    """Return the layout under a plan; `headers` are those of all shards, in order.

    Layers are counted as llama.cpp does (llama-model.cpp): the output layer is offloaded first, then the last
    blocks. A tensor whose placement an override changes counts as the override says.
    """
    on_host = _host_rule(headers[0], plan)
    span = last = largest = lazy = 0
    for header in headers:
        kept = [t for t in header.tensors if on_host(t.name)]
        largest = max([largest, *(t.size_bytes or 0 for t in header.tensors)])
        if headers[0].metadata.get("general.architecture") in LAZY_ARCHITECTURES:
            tables = [t.size_bytes or 0 for t in kept if t.name == LAZY_TENSOR]
            lazy += sum(size for size in tables if size > LAZY_ABOVE)
        if kept:
            end = max(t.offset + (t.size_bytes or 0) for t in kept)
            span += end - min(t.offset for t in kept)
            last += header.data_offset + end
    return FileLayout(sum(header.file_size for header in headers), span, last, largest, lazy)


class _HostRule:
    """Tells whether a tensor stays in RAM."""

    def __init__(self, first_on_gpu: int, layers: int, overrides: Sequence[tuple[re.Pattern[str], bool]]) -> None:
        self._first_on_gpu = first_on_gpu
        self._layers = layers
        self._overrides = overrides

    def __call__(self, name: str) -> bool:
        for pattern, to_host in self._overrides:
            if pattern.search(name):
                return to_host
        if name in INPUT_TENSORS:
            return True
        block = _BLOCK.match(name)
        return (int(block[1]) if block else self._layers) < self._first_on_gpu


def _host_rule(header: Header, plan: LoadPlan) -> _HostRule:
    count = header.metadata.get(f"{header.metadata.get('general.architecture')}.block_count")
    layers = count if isinstance(count, int) else 0
    wanted = layers + 1 if plan.n_gpu_layers in (ALL_LAYERS, AUTO) else plan.n_gpu_layers
    overrides: list[tuple[re.Pattern[str], bool]] = []
    for pattern, buffer_type in plan.override_tensor:
        try:
            overrides.append((re.compile(pattern), buffer_type.startswith("CPU")))
        except re.error:  # llama.cpp's regular expressions are ECMAScript's, which differ in corners
            continue
    overrides.extend((re.compile(rf"blk\.{layer}{EXPERTS}"), True) for layer in range(plan.n_cpu_moe))
    if plan.cpu_moe:
        overrides.append((re.compile(EXPERTS), True))
    return _HostRule(max(layers + 1 - wanted, 0), layers, overrides)
