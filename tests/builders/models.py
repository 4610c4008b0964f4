"""Hyper-parameters of published models, as headers without tensors: their context depends on nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtui.core.gguf.reader import ValueType, read_header
from qtui.core.memory.closed_form.table import ModelTable, model_table
from tests.builders.gguf import Scalar, Tensor, Typed, array, build

Values = Mapping[str, Typed | Scalar]


def whole(values: Sequence[int]) -> Typed:
    return array(ValueType.UINT32, values)


def flags(values: Sequence[bool]) -> Typed:
    return array(ValueType.BOOL, values)


def table_of(architecture: str, values: Values, tensors: Sequence[Tensor] = ()) -> ModelTable:
    """Return the table of a header with these values, whose keys lack the architecture's prefix."""
    metadata: dict[str, Typed | Scalar] = {"general.architecture": architecture}
    metadata |= {f"{architecture}.{key}": value for key, value in values.items()}
    image = build(metadata, tensors)
    source = image.source()
    return model_table([read_header(source)], source)


def attention(blocks: int, embedding: int, heads: int, heads_kv: int, head: int, **more: Typed | Scalar) -> Values:
    """Return the values of a model all of whose layers attend; `_` stands for `.` where keys need one."""
    return {
        "block_count": blocks, "embedding_length": embedding, "context_length": 131072,
        "attention.head_count": heads, "attention.head_count_kv": heads_kv,
        "attention.key_length": head, "attention.value_length": head, **more,
    }  # fmt: skip


def scan(inner: int, state: int, groups: int, rank: int) -> Values:
    return {
        "ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": state, "ssm.group_count": groups,
        "ssm.time_step_rank": rank,
    }  # fmt: skip


def _nemotron_nano() -> Values:
    """52 blocks, each a scan, an expert layer or an attention."""
    pattern = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
    return {
        **attention(52, 2688, 32, 0, 128),
        "attention.head_count_kv": whole([2 if kind == "*" else 0 for kind in pattern]),
        "feed_forward_length": whole([1856 if kind == "E" else 0 for kind in pattern]),
        **scan(4096, 128, 8, 64),
    }


PUBLISHED: dict[str, tuple[str, Values]] = {
    "qwen3-0.6b": ("qwen3", attention(28, 1024, 16, 8, 128)),
    "gemma2-9b": ("gemma2", {**attention(42, 3584, 16, 8, 256), "attention.sliding_window": 4096}),
    "gemma3-4b": ("gemma3", {**attention(34, 2560, 8, 4, 256), "attention.sliding_window": 1024}),
    "deepseek-v3": (
        "deepseek2",
        {
            **attention(61, 7168, 128, 1, 576), "attention.value_length": 512,
            "attention.key_length_mla": 192, "attention.value_length_mla": 128,
        },
    ),
    "llama4-scout": ("llama4", attention(48, 5120, 40, 8, 128)),
    "granite-4.0-h-tiny": (
        "granitehybrid",
        {
            **attention(40, 1536, 12, 0, 128), **scan(3072, 128, 1, 48),
            "attention.head_count_kv": whole([4 if i in (5, 15, 25, 35) else 0 for i in range(40)]),
        },
    ),
    "mamba2-2.7b": (
        "mamba2",
        {"block_count": 64, "embedding_length": 2560, "attention.head_count": 0, **scan(5120, 128, 1, 80)},
    ),
    "nemotron-3-nano-30b-a3b": ("nemotron_h_moe", _nemotron_nano()),
    "qwen3-next-80b-a3b": (
        "qwen3next",
        {**attention(48, 2048, 16, 2, 256), "full_attention_interval": 4, **scan(4096, 128, 16, 32)},
    ),
    "falcon-h1-1.5b": ("falcon-h1", {**attention(24, 2048, 8, 2, 128), **scan(3072, 256, 1, 48)}),
}  # fmt: skip
"""Ten model shapes whose headers are not among the test files; nothing but the numbers of their configurations."""
