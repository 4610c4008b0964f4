"""What the dry run's client and its helper say to each other, one JSON line each way (`core.wire`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtui.core.memory.plan import LoadPlan

MODEL_OPTIONS = ("n_gpu_layers", "n_cpu_moe", "cpu_moe", "override_tensor", "tensor_split", "main_gpu")
"""What of a plan decides how the model is loaded; a loaded one answers for every plan that is alike in these."""
CONTEXT_OPTIONS = (
    "ctx_size", "batch_size", "ubatch_size", "cache_type_k", "cache_type_v", "flash_attn", "no_kv_offload", "swa_full",
    "parallel", "engine",
)  # fmt: skip
"""What decides a context's memory. The rest of a plan (threads, load mode, adapters, projector) changes no answer."""


def model_options(plan: LoadPlan) -> tuple[object, ...]:
    """Return what of a plan decides how the model is loaded."""
    return tuple(getattr(plan, name) for name in MODEL_OPTIONS)


def deciding_options(plan: LoadPlan) -> dict[str, Any]:
    """Return what of a resolved plan decides the answer, as plain values."""
    values = plan.as_json()
    return {name: values[name] for name in (*MODEL_OPTIONS, *CONTEXT_OPTIONS)}


@dataclass(frozen=True, slots=True)
class Question:
    """What would llama.cpp allocate for this file under this plan?"""

    id: int
    path: str
    """The ghost, first shard."""
    plan: dict[str, Any]
    """`LoadPlan.as_json()` of a resolved plan."""
    tensor_bytes: int = 0
    """Sum over the tensor infos of all shards: what the answer's weights are checked against."""
    embedding_bytes: int = 0
    """Of `token_embd.weight`, which llama.cpp keeps twice where a tied output lies in another buffer type."""


@dataclass(frozen=True, slots=True)
class HelperReady:
    """The helper has loaded llama.cpp."""

    version: str
    gpus: tuple[str, ...] = ()
    """Devices that layers are offloaded to, by llama.cpp's names, in its order."""
    problem: str = ""
    """What is untested about this build."""
    descriptions: tuple[str, ...] = ()
    """What the devices' drivers call them, in the same order."""
    features: tuple[str, ...] = ()
    """CPU features of the build, as llama.cpp names them."""


@dataclass(frozen=True, slots=True)
class HelperUnusable:
    """llama.cpp cannot be loaded; the helper ends."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ModelTaken:
    """llama.cpp accepted the file; contexts are made from here on."""

    id: int


@dataclass(frozen=True, slots=True)
class BufferRow:
    """What llama.cpp puts in one buffer type, in bytes."""

    name: str
    weights: int
    context: int
    compute: int
    gpu: int | None = None
    """Index among the helper's GPUs; None: in RAM."""


@dataclass(frozen=True, slots=True)
class Allocated:
    """The answer: every buffer type, and what llama.cpp chose."""

    id: int
    rows: tuple[BufferRow, ...]
    flash_attn: bool
    exact: bool = True
    """False: read from log lines because llama.cpp's own account is missing from this build."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """llama.cpp refuses the file or the plan; the helper lives on."""

    id: int
    message: str
    hint: str = ""
    kind: str = "plan_refused"


@dataclass(frozen=True, slots=True)
class Aborted:
    """ggml's abort callback: an assertion failed and the process dies now."""

    text: str


ANSWERS = (HelperReady, HelperUnusable, ModelTaken, Allocated, Refused, Aborted)
