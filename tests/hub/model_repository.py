"""A repository as publishers put them up: one model in twenty quants, one of them sharded, projector, matrix and card.

Headers are whole and true to llama.cpp's mixes, the tensors' data are holes: files of the real sizes (3 to 16 GB for
the model of 8 billion parameters) that cost what their headers do, and all share one tokenizer in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from qtui.core.gguf import types
from qtui.core.gguf.reader import ValueType
from tests.builders.gguf import Image, Scalar, Tensor, Typed, array, build, strings, u32
from tests.hub.content import Content, Sparse
from tests.hub.repository import Repository

Pairs = Mapping[str, Typed | Scalar]
TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The hyper-parameters of a model whose layers all attend."""

    name: str = "Acme-8B"
    architecture: str = "qwen3"
    embedding: int = 4096
    feed_forward: int = 12288
    layers: int = 36
    heads: int = 32
    kv_heads: int = 8
    head: int = 128
    vocabulary: int = 4096
    """Tokens; 151 936 is what the real ones have, and makes headers of 6 MB."""
    context: int = 40960


TINY = Shape("Acme-Tiny", embedding=256, feed_forward=512, layers=2, heads=4, kv_heads=2, head=64, vocabulary=512)
"""Files of a megabyte, for tests that fetch them whole."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The mix of types of one quant."""

    label: str
    file_type: int
    base: str
    more: str = ""
    """Of `attn_v` and half of `ffn_down`."""
    output: str = "Q6_K"
    imatrix: bool = False
    shards: int = 1

    @property
    def converted(self) -> bool:
        """Tell whether it came from the converter and not from llama-quantize."""
        return self.base in ("F32", "F16", "BF16")


RECIPES = (
    Recipe("BF16", 32, "BF16", output="BF16", shards=2),
    Recipe("Q8_0", 7, "Q8_0", output="Q8_0"),
    Recipe("Q6_K", 18, "Q6_K", imatrix=True),
    Recipe("Q5_K_M", 17, "Q5_K", "Q6_K", imatrix=True),
    Recipe("Q5_K_S", 16, "Q5_K", imatrix=True),
    Recipe("Q4_K_M", 15, "Q4_K", "Q6_K", imatrix=True),
    Recipe("UD-Q4_K_XL", 15, "Q4_K", "Q5_K", imatrix=True),
    Recipe("Q4_K_S", 14, "Q4_K", "Q5_K", imatrix=True),
    Recipe("Q4_1", 3, "Q4_1", imatrix=True),
    Recipe("Q4_0", 2, "Q4_0", imatrix=True),
    Recipe("IQ4_NL", 25, "IQ4_NL", "Q5_K", imatrix=True),
    Recipe("IQ4_XS", 30, "IQ4_XS", "Q5_K", imatrix=True),
    Recipe("Q3_K_L", 13, "Q3_K", "Q5_K", imatrix=True),
    Recipe("Q3_K_M", 12, "Q3_K", "Q4_K", imatrix=True),
    Recipe("UD-Q3_K_XL", 12, "Q3_K", "Q5_K", imatrix=True),
    Recipe("Q3_K_S", 11, "Q3_K", imatrix=True),
    Recipe("IQ3_M", 27, "IQ3_S", "Q4_K", imatrix=True),
    Recipe("IQ3_XXS", 23, "IQ3_XXS", "IQ3_S", imatrix=True),
    Recipe("Q2_K", 10, "Q2_K", "Q3_K", imatrix=True),
    Recipe("IQ2_M", 29, "IQ2_S", "IQ3_S", imatrix=True),
)
"""Twenty quants, largest first."""


@dataclass(slots=True)
class ModelRepository:
    """A repository, and what is in it."""

    repository: Repository
    headers: dict[str, int] = field(default_factory=dict)
    """Bytes of the header of each GGUF file, by path."""
    files: dict[str, Content] = field(default_factory=dict, repr=False)

    def path(self, label: str) -> str:
        """Return the path of a quant, of its first shard."""
        return next(path for path in self.files if f"-{label}." in path or f"-{label}-00001-" in path)


def model_repository(
    repository_id: str = "acme/Acme-8B-GGUF",
    shape: Shape | None = None,
    recipes: Sequence[Recipe] = RECIPES,
    **fields: object,
) -> ModelRepository:
    """Return a repository of one model in these quants; `fields` are further fields of `Repository`."""
    shape = shape or Shape()
    made = ModelRepository(Repository(repository_id, licence="apache-2.0", base_model=f"acme/{shape.name}", **fields))  # type: ignore[arg-type]
    tokenizer = entries(_tokenizer(shape.vocabulary))
    for recipe in recipes:
        for path, image in _quant(shape, recipe, tokenizer):
            made.headers[path] = image.marks["table_end"]
            made.files[path] = Sparse(image.size, image.pieces)
    projector = _projector()
    made.headers["mmproj-F16.gguf"] = projector.marks["table_end"]
    made.files["mmproj-F16.gguf"] = Sparse(projector.size, ((0, projector.header),))
    card = f"---\nlicense: apache-2.0\nbase_model: acme/{shape.name}\n---\n# {shape.name} GGUF\n\nQuants of a model.\n"
    more = {"README.md": card.encode(), ".gitattributes": b"*.gguf filter=lfs\n", "imatrix.dat": bytes(4096)}
    made.repository.commit({**made.files, **more})
    made.repository.gguf = {
        "total": parameters(shape), "architecture": shape.architecture, "context_length": shape.context,
    }  # fmt: skip
    return made


def parameters(shape: Shape) -> int:
    """Return how many parameters a model of this shape has."""
    return sum(_elements(tensor.shape) for tensor in tensors(shape, RECIPES[0]))


def tensors(shape: Shape, recipe: Recipe) -> list[Tensor]:
    """Return the tensor table of a quant."""
    base, more, output, plain = (
        types.TYPE_IDS[name] for name in (recipe.base, recipe.more or recipe.base, recipe.output, "F32")
    )
    wide, q, kv, ff = shape.embedding, shape.heads * shape.head, shape.kv_heads * shape.head, shape.feed_forward
    rows = [Tensor("output_norm.weight", (wide,), plain), Tensor("token_embd.weight", (wide, shape.vocabulary), base)]
    rows.append(Tensor("output.weight", (wide, shape.vocabulary), output))
    for layer in range(shape.layers):
        down = more if layer % 2 else base
        rows += [
            Tensor(f"blk.{layer}.{name}.weight", extents, kind)
            for name, extents, kind in (
                ("attn_k", (wide, kv), base), ("attn_k_norm", (shape.head,), plain), ("attn_norm", (wide,), plain),
                ("attn_output", (q, wide), base), ("attn_q", (wide, q), base), ("attn_q_norm", (shape.head,), plain),
                ("attn_v", (wide, kv), more), ("ffn_down", (ff, wide), down), ("ffn_gate", (wide, ff), base),
                ("ffn_norm", (wide,), plain), ("ffn_up", (wide, ff), base),
            )
        ]  # fmt: skip
    return rows


def entries(pairs: Pairs) -> tuple[int, bytes]:
    """Return how many keys these are, and their bytes as they stand in a header."""
    return len(pairs), build(pairs).header[24:]


def assemble(parts: Sequence[tuple[int, bytes]], table: Sequence[Tensor]) -> Image:
    """Return a file whose metadata are these parts, as pieces that share their bytes with others."""
    image = build((), table)
    count = sum(keys for keys, _ in parts)
    start = 24 + sum(len(data) for _, data in parts)
    shift = start - 24
    table_end = image.marks["table_end"] + shift
    data_offset = -(-table_end // 32) * 32 if table else table_end
    pieces = [(0, b"GGUF" + struct.pack("<IQQ", 3, len(table), count))]
    for _, data in parts:
        pieces.append((pieces[-1][0] + len(pieces[-1][1]), data))
    pieces.append((start, image.header[24 : image.marks["table_end"]]))
    payload = image.size - len(image.header)
    size = data_offset + payload if table else table_end
    return Image(b"", size, tuple(pieces), {"table_end": table_end, "kv_end": start})


def _quant(shape: Shape, recipe: Recipe, tokenizer: tuple[int, bytes]) -> list[tuple[str, Image]]:
    """Return the files of one quant, by path."""
    last: dict[str, Typed | Scalar] = {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}
    last["tokenizer.chat_template"] = TEMPLATE
    first = _hyperparameters(shape)
    if recipe.converted:
        first["general.file_type"] = u32(recipe.file_type)
    last["general.quantization_version"] = u32(2)
    if not recipe.converted:  # llama-quantize takes keys out and puts them in again at the end
        last["general.file_type"] = u32(recipe.file_type)
    if recipe.imatrix:
        last |= {
            "quantize.imatrix.file": f"{shape.name}.imatrix", "quantize.imatrix.dataset": "calibration.txt",
            "quantize.imatrix.entries_count": 7 * shape.layers, "quantize.imatrix.chunks_count": 126,
        }  # fmt: skip
    rows = tensors(shape, recipe)
    stem = f"{shape.name}-{recipe.label}"
    if recipe.shards == 1:
        return [(f"{stem}.gguf", assemble([entries(first), tokenizer, entries(last)], rows))]
    found, step = [], -(-len(rows) // recipe.shards)
    for index in range(recipe.shards):
        split: dict[str, Typed | Scalar] = {
            "split.no": Typed(ValueType.UINT16, index),
            "split.count": Typed(ValueType.UINT16, recipe.shards),
            "split.tensors.count": Typed(ValueType.INT32, len(rows)),
        }
        parts = [entries(first), tokenizer, entries({**last, **split})] if index == 0 else [entries(split)]
        path = f"{recipe.label}/{stem}-{index + 1:05d}-of-{recipe.shards:05d}.gguf"
        found.append((path, assemble(parts, rows[index * step : (index + 1) * step])))
    return found


def _hyperparameters(shape: Shape) -> dict[str, Typed | Scalar]:
    name = shape.architecture
    return {
        "general.architecture": name, "general.type": "model", "general.name": shape.name,
        "general.basename": shape.name.rpartition("-")[0], "general.size_label": shape.name.rpartition("-")[2],
        f"{name}.block_count": shape.layers, f"{name}.context_length": shape.context,
        f"{name}.embedding_length": shape.embedding, f"{name}.feed_forward_length": shape.feed_forward,
        f"{name}.attention.head_count": shape.heads, f"{name}.attention.head_count_kv": shape.kv_heads,
        f"{name}.attention.key_length": shape.head, f"{name}.attention.value_length": shape.head,
        f"{name}.rope.freq_base": 1e6, f"{name}.attention.layer_norm_rms_epsilon": 1e-6,
    }  # fmt: skip


def _tokenizer(vocabulary: int) -> Pairs:
    """Return a tokenizer of so many tokens; names and merges are about as long as real ones."""
    words = [f"\u0120w{number:x}" + "aeiou"[number % 5] * (number % 4) for number in range(vocabulary)]
    return {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": strings(words),
        "tokenizer.ggml.token_type": array(ValueType.INT32, [1] * vocabulary),
        "tokenizer.ggml.merges": strings([f"\u0120w {word}" for word in words[: vocabulary - 256]]),
    }  # fmt: skip


def _projector() -> Image:
    half = types.TYPE_IDS["F16"]
    pairs: dict[str, Typed | Scalar] = {
        "general.architecture": "clip", "general.type": "mmproj", "general.file_type": u32(1),
        "clip.has_vision_encoder": True, "clip.projector_type": "gemma3", "clip.vision.block_count": 2,
    }  # fmt: skip
    rows = [Tensor(f"v.blk.{layer}.attn_q.weight", (1152, 1152), half) for layer in range(2)]
    return build(pairs, [*rows, Tensor("mm.input_projection.weight", (4096, 1152), half)])


def _elements(extents: tuple[int, ...]) -> int:
    product = 1
    for extent in extents:
        product *= extent
    return product


def renamed(recipe: Recipe, label: str) -> Recipe:
    """Return a recipe under another quant's name, as files that lie have."""
    return replace(recipe, label=label)
