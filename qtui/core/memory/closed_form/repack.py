"""Which weights llama.cpp stores anew for this CPU when they stay in RAM (buffer type `CPU_REPACK`)."""

from __future__ import annotations

from collections.abc import Sequence

from qtui.core.gguf.types import TYPE_IDS

# Type and how many rows must divide. Source: ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type.
_AVX2 = {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8}
_AVX512 = {"Q2_K": 8}
_NEON_DOT = {"Q4_0": 4, "IQ4_NL": 4, "MXFP4": 4, "Q8_0": 4, "Q1_0": 4, "Q4_K": 8, "Q5_K": 8, "Q6_K": 8}
_NEON_I8MM = {"Q4_0": 4, "Q8_0": 4, "Q1_0": 4, "Q4_K": 8, "Q5_K": 8, "Q6_K": 8}
_VXE = {"Q4_0": 4}
NAME = "CPU_REPACK"
UNTESTED = frozenset({"AMX_INT8", "KLEIDIAI", "RISCV_V", "SVE"})
"""Features with buffers or layouts of their own, of which the rules here know nothing."""


def repack_rules(features: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return (tensor type, rows that must divide) for the CPU features that an engine reports.

    `REPACK` must be among them: builds without it leave all weights as they are.
    """
    have = set(features)
    if "REPACK" not in have:
        return ()
    rules: dict[str, int] = {}
    if "NEON" in have and "DOTPROD" in have:
        rules |= _NEON_DOT
    if "NEON" in have and "MATMUL_INT8" in have:
        rules = {**_NEON_I8MM, **rules}
    if "VXE" in have:
        rules |= _VXE
    if "AVX2" in have:
        rules |= _AVX2
    if "AVX512" in have:
        rules |= _AVX512
    return tuple((TYPE_IDS[name], rows) for name, rows in rules.items())
