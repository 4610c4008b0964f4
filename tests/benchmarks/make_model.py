"""Write a llama-architecture GGUF of random weights in the mix of types of Q4_K_M: for speed, not for text.

    python -m tests.benchmarks.make_model [--size 1b] [--out FILE]

One random block of each type is tiled over its tensors, so that a gigabyte takes seconds. Scales are finite and of the
size of a trained model's, so that every layer computes ordinary numbers. Prints the path.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from qtui.core.gguf import types
from qtui.core.gguf.reader import ValueType
from qtui.services.files import replacing
from qtui.services.paths import cache_dir
from tests.builders.gguf import Scalar, Tensor, Typed, array, build, strings

SEED = 20261
Q4_K, Q6_K, F16, F32 = (types.TYPE_IDS[name] for name in ("Q4_K", "Q6_K", "F16", "F32"))
Q4_K_M = 15
"""`LLAMA_FTYPE_MOSTLY_Q4_K_M` (llama.h)."""
SPREAD = 0.02
"""Standard deviation of the weights."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The hyper-parameters of a llama model; rows are multiples of 256, which K-quants need."""

    embedding: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    experts: int = 0
    """0: no experts; else `feed_forward` is the width of one."""
    experts_used: int = 0


SIZES = {
    "60m": Shape(512, 1536, 8, 8, 4, 32_000),
    "160m": Shape(768, 2048, 12, 12, 12, 32_000),
    "100mb": Shape(768, 2048, 16, 12, 12, 32_000),
    "1gb": Shape(2048, 5632, 35, 32, 4, 32_000),
    "moe": Shape(1024, 1536, 12, 16, 4, 32_000, experts=16, experts_used=2),
    "cache": Shape(1024, 2048, 16, 16, 16, 32_000),
    "pressure": Shape(1024, 2816, 12, 16, 16, 32_000),
    "1b": Shape(2048, 5632, 22, 32, 4, 32_000),
    "3b": Shape(3072, 8192, 28, 24, 8, 32_000),
}


def write_model(path: Path, shape: Shape, *, plain: bool = False, template: str = "") -> Path:
    """Write the file, whole or not at all.

    `plain`: all weights in F16, which the CPU computes with as they lie in the file: nothing is stored anew.
    `template`: a chat template; without one only what continues a text can be asked.
    """
    tensors = _tensors(shape)
    if plain:
        tensors = [_tensor(t.name, t.shape, t.type_id if t.type_id == F32 else F16) for t in tensors]
    chat: dict[str, Typed | Scalar] = {"tokenizer.chat_template": template} if template else {}
    image = build(model_metadata(path.stem, shape) | chat, tensors)
    with replacing(path, mode=0o644) as part:
        image.write(part)
    return path


def cached_model(size: str) -> Path:
    """Return the model of a size from the cache folder, writing it when it is not there."""
    path = cache_dir() / "benchmarks" / f"random-{size}-Q4_K_M.gguf"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(path, SIZES[size])
    return path


def _tensors(shape: Shape) -> list[Tensor]:
    width, kv_width = shape.embedding, shape.embedding // shape.heads * shape.kv_heads
    tensors = [
        _tensor("token_embd.weight", (width, shape.vocabulary), Q4_K),
        _tensor("output_norm.weight", (width,), F32),
        _tensor("output.weight", (width, shape.vocabulary), Q6_K),
    ]
    for layer in range(shape.layers):
        more = Q6_K if _more_bits(layer, shape.layers) else Q4_K
        tensors += [
            _tensor(f"blk.{layer}.{name}.weight", dimensions, type_id)
            for name, dimensions, type_id in (
                ("attn_norm", (width,), F32),
                ("attn_q", (width, width), Q4_K),
                ("attn_k", (width, kv_width), Q4_K),
                ("attn_v", (width, kv_width), more),
                ("attn_output", (width, width), Q4_K),
                ("ffn_norm", (width,), F32),
                *_feed_forward(shape, more),
            )
        ]
    return tensors


def _feed_forward(shape: Shape, more: int) -> list[tuple[str, tuple[int, ...], int]]:
    """Return (name, dimensions, type) of a block's feed-forward: one, or experts and what chooses them."""
    width, inner = shape.embedding, shape.feed_forward
    if not shape.experts:
        return [
            ("ffn_gate", (width, inner), Q4_K),
            ("ffn_up", (width, inner), Q4_K),
            ("ffn_down", (inner, width), more),
        ]
    return [
        ("ffn_gate_inp", (width, shape.experts), F32),
        ("ffn_gate_exps", (width, inner, shape.experts), Q4_K),
        ("ffn_up_exps", (width, inner, shape.experts), Q4_K),
        ("ffn_down_exps", (inner, width, shape.experts), more),
    ]


def _more_bits(layer: int, layers: int) -> bool:
    """Tell where Q4_K_M takes Q6_K for attn_v and ffn_down (llama-quant.cpp, use_more_bits)."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _tensor(name: str, dimensions: tuple[int, ...], type_id: int) -> Tensor:
    size = types.nbytes(type_id, dimensions)
    assert size is not None
    return Tensor(name, dimensions, type_id, _content(type_id, size))


@cache
def _content(type_id: int, size: int) -> bytes:
    """Return a tensor's bytes; tensors of one type and size share them in memory, not in the file."""
    if type_id == F32:
        return np.ones(size // 4, dtype="<f4").tobytes()
    blocks = _halves() if type_id == F16 else _blocks(type_id)
    return (blocks * (size // len(blocks) + 1))[:size]


@cache
def _halves(count: int = 1 << 20) -> bytes:
    """Return random F16 weights."""
    return np.random.default_rng(SEED).normal(0, SPREAD, count).astype("<f2").tobytes()


@cache
def _blocks(type_id: int, count: int = 4096) -> bytes:
    """Return random blocks of 256 weights, laid out as in ggml-common.h, mean 0."""
    random = np.random.default_rng(SEED + type_id)
    if type_id == Q4_K:  # d, dmin, 12 bytes of 6-bit scales and mins (mean 31.5), 4-bit quants (0..15)
        scale = SPREAD / (36.5 * 4.6)
        halves = np.empty((count, 2), dtype="<f2")
        halves[:, 0], halves[:, 1] = scale, 7.5 * scale
        parts = [halves.view(np.uint8), random.integers(0, 256, (count, 12 + 128), dtype=np.uint8)]
    else:  # 6-bit quants (-32..31) in ql and qh, 16 signed scales, d
        quants = random.integers(0, 256, (count, 128 + 64), dtype=np.uint8)
        scales = random.integers(-32, 32, (count, 16), dtype=np.int8).view(np.uint8)
        parts = [quants, scales, np.full((count, 1), SPREAD / (18.5 * 18.5), dtype="<f2").view(np.uint8)]
    return np.concatenate(parts, axis=1).tobytes()


def model_metadata(name: str, shape: Shape) -> dict[str, Typed | Scalar]:
    """Return what llama.cpp asks of a llama model's header, with a vocabulary of made-up words."""
    special = ["<unk>", "<s>", "</s>"]
    single_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    words = [f"\u2581w{number}" for number in range(shape.vocabulary - len(special) - len(single_bytes))]
    kinds = [2, 3, 3, *[6] * len(single_bytes), *[1] * len(words)]  # unknown, control, byte, normal (llama.h)
    experts: dict[str, Typed | Scalar] = {}
    if shape.experts:
        experts = {"llama.expert_count": shape.experts, "llama.expert_used_count": shape.experts_used}
    return {
        **experts,
        "general.architecture": "llama",
        "general.name": name,
        "general.file_type": Q4_K_M,
        "llama.block_count": shape.layers,
        "llama.context_length": 32_768,
        "llama.embedding_length": shape.embedding,
        "llama.feed_forward_length": shape.feed_forward,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": shape.embedding // shape.heads,
        "llama.vocab_size": shape.vocabulary,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": strings([*special, *single_bytes, *words]),
        "tokenizer.ggml.scores": array(ValueType.FLOAT32, [-float(rank) for rank in range(shape.vocabulary)]),
        "tokenizer.ggml.token_type": array(ValueType.INT32, kinds),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def main() -> None:
    """Write a model and print its path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="1b")
    parser.add_argument("--out", type=Path, help="default: the cache folder")
    arguments = parser.parse_args()
    out: Path | None = arguments.out
    print(write_model(out, SIZES[arguments.size]) if out else cached_model(arguments.size))


if __name__ == "__main__":
    main()
