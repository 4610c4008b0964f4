"""What the tests of the dry run share."""

from __future__ import annotations

import os
from pathlib import Path

from qtui.core.gguf.reader import Header
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadMode, LoadPlan

PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=0, load_mode=LoadMode.MMAP, threads=2, threads_batch=2)


def variant(path: Path, **more: object) -> Variant:
    return Variant(path, path.stem, "Q4_K_M", **more)  # type: ignore[arg-type]


def left_over() -> list[Path]:
    """Ghosts on disk."""
    return list(Path(os.environ["XDG_RUNTIME_DIR"]).rglob("ghost-*"))


def weights(footprint: Footprint) -> int:
    return footprint.kind_bytes("weights")


def padded_sum(header: Header) -> int:
    """The tensors' bytes as llama.cpp lays them out on the CPU."""
    return sum(-(-(tensor.size_bytes or 0) // 32) * 32 for tensor in header.tensors)
