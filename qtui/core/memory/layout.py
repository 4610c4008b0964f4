"""Where tensors lie in the files, as far as a load mode's effect depends on it."""

from __future__ import annotations

from dataclasses import dataclass

LAZY_TENSOR = "per_layer_token_embd.weight"
LAZY_ARCHITECTURES = ("gemma4", "qwen4exp")
"""Those whose table llama.cpp marks TENSOR_READ_LAZY (src/models)."""
LAZY_ABOVE = 4 << 30
"""Smaller ones are loaded whole (llama-model-loader.cpp, lazy_read::add)."""


@dataclass(frozen=True, slots=True)
class FileLayout:
    """Of all files of a variant together; bytes."""

    file_bytes: int
    host_span: int
    """Per file from the first to the end of the last tensor that is used where it lies: what stays mapped."""
    host_end: int
    """Per file from its start to the end of the last such tensor: what mmap+mlock locks."""
    largest_tensor: int
    """Of those that are copied once more while they are read: repacked, or taken to a card."""
    largest_plain: int = 0
    """Of those that stay in RAM as they are."""
    lazy: int = 0
    """Tables that llama.cpp leaves in the file, whatever the load mode, and reads row by row."""
