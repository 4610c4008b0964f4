"""A model as the closed form needs it: the tensor table with its placement classes, and the hyper-parameters.

Made once per file, so that a plan costs a pass over a few hundred rows and a slider can drive it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from qtui.core.gguf.ghost import TOKENIZER_MODEL, TOKENS, vocabulary_size
from qtui.core.gguf.layers import MAX_LAYERS, LayerValues
from qtui.core.gguf.reader import ArrayRef, Header, TensorInfo
from qtui.core.gguf.source import ByteSource
from qtui.core.memory.closed_form.hyper import Hyper, read_hyper
from qtui.core.memory.extras import Tokenizer
from qtui.core.text import clean_name

TOKEN_EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
INPUT_TENSORS = frozenset({
    TOKEN_EMBEDDING, "position_embd.weight", "token_types.weight", "per_layer_token_embd.weight",
})  # fmt: skip
"""Never offloaded (llama-model.cpp: the input layer is the CPU's)."""
_OUTPUT = re.compile(
    r"(?:(?:dec\.|enc\.)?output|cls|dense_[23]|altup_proj|altup_unembd_proj|output_hc|fc|d2t|hc_head)[._]"
)
"""LLM_TENSOR_LAYER_OUTPUT (llama-arch.cpp)."""
_PER_LAYER = frozenset({"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
"""Created for every block, once per buffer type."""
_BLOCK = re.compile(r"(?:(?:dec|enc)\.)?blk\.(\d+)\.")
_EXPERTS = re.compile(r"_(?:ch)?exps\.")
_LOOKED_UP = re.compile(r"nextn\.embed_tokens|tid2eid|attn_rel_b|_ape\.")
"""Quantised tensors that are read by row, so that they are never stored anew."""


class Place(Enum):
    """Which layer a tensor belongs to, as far as placing it goes."""

    INPUT = auto()
    BLOCK = auto()
    OUTPUT = auto()
    EVERY_BLOCK = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor."""

    name: str
    type_id: int
    row: int
    """Elements of a row."""
    rows: int
    """Rows of one matrix, ne[1]."""
    size: int
    file: int
    """Which file of the variant it lies in."""
    offset: int
    """In that file, in bytes from its start."""
    place: Place
    layer: int
    """The block; 0 where it belongs to none."""
    matrix: bool
    """A matrix product reads it in the shape that repacking knows."""


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A variant's tensors and hyper-parameters; both of all shards together."""

    architecture: str
    rows: tuple[Row, ...]
    file_sizes: tuple[int, ...]
    hyper: Hyper | None
    """None: the header lacks what its architecture needs, so that only weights can be computed."""
    vocabulary: int | None
    tokenizer: Tokenizer | None
    tied: Row | None
    """The token embedding where it serves as the output too."""
    gated: bool
    feed_forward: int | None
    """Width of the widest feed-forward that is no expert's; None: there is none."""
    first_feed_forward: int
    """The first block that has one; 0 where none has."""
    first_experts: int
    """The first block that has experts; 0 where none has."""
    unknown_types: int = 0
    """Tensors of types whose size is not known; they count as 0 bytes."""

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Return columns and rows of every tensor, by name."""
        return {row.name: (row.row, row.rows) for row in self.rows}

    @property
    def layers(self) -> int:
        """Return all blocks, the one with the highest number deciding where the header does not tell."""
        if self.hyper is not None:
            return self.hyper.layers
        return max((row.layer + 1 for row in self.rows if row.place is Place.BLOCK), default=0)


def model_table(headers: Sequence[Header], source: ByteSource | None) -> ModelTable:
    """Return the table of a variant.

    Args:
        headers: of all its files, in order.
        source: the first file, for arrays with one number per layer.

    Raises:
        BadFileError: an array in the file cannot be read any more.
    """
    first = headers[0]
    name = first.metadata.get("general.architecture")
    architecture = clean_name(name) if isinstance(name, str) else ""
    count = first.metadata.get(f"{architecture}.block_count")
    layers = count if isinstance(count, int) and 0 < count <= MAX_LAYERS else None
    tensors = [(file, header, tensor) for file, header in enumerate(headers) for tensor in header.tensors]
    rows = tuple(_row(architecture, file, header, tensor) for file, header, tensor in tensors)
    names = {row.name: row for row in rows}
    tokens = first.metadata.get(TOKENS)
    return ModelTable(
        architecture=architecture,
        rows=rows,
        file_sizes=tuple(header.file_size for header in headers),
        hyper=read_hyper(LayerValues(first, source, architecture, layers)),
        vocabulary=next((size for size in map(vocabulary_size, headers) if size is not None), None),
        tokenizer=Tokenizer(str(first.metadata.get(TOKENIZER_MODEL, "")), tokens.count)
        if isinstance(tokens, ArrayRef)
        else None,
        tied=names.get(TOKEN_EMBEDDING) if OUTPUT not in names else None,
        gated=any(".ffn_gate.weight" in name or ".ffn_gate_exps" in name for name in names) or _fused(rows),
        feed_forward=max((row.row for row in rows if row.name.endswith(".ffn_down.weight")), default=None),
        first_feed_forward=min((row.layer for row in rows if row.name.endswith(".ffn_down.weight")), default=0),
        first_experts=min((row.layer for row in rows if _EXPERTS.search(row.name)), default=0),
        unknown_types=sum(tensor.size_bytes is None for _, _, tensor in tensors),
    )


def _row(architecture: str, file: int, header: Header, tensor: TensorInfo) -> Row:
    block = _BLOCK.match(tensor.name)
    shape = tensor.shape + (1,) * (2 - len(tensor.shape))
    wanted = 3 if _EXPERTS.search(tensor.name) else 2
    return Row(
        name=tensor.name,
        type_id=tensor.type_id,
        row=shape[0],
        rows=shape[1],
        size=tensor.size_bytes or 0,
        file=file,
        offset=header.data_offset + tensor.offset,
        place=_place(architecture, tensor.name, block is not None),
        layer=int(block[1]) if block else 0,
        matrix=_dimensions(shape) == wanted and not _LOOKED_UP.search(tensor.name),
    )


def _place(architecture: str, name: str, in_block: bool) -> Place:
    if in_block:
        return Place.BLOCK
    if name in INPUT_TENSORS:
        return Place.INPUT
    if name in _PER_LAYER:
        return Place.EVERY_BLOCK
    if _OUTPUT.match(name) or (architecture.startswith("lfm2") and name == "token_embd_norm.weight"):
        return Place.OUTPUT
    return Place.BLOCK  # norms of the embedding and the like belong to the first block


def _dimensions(shape: tuple[int, ...]) -> int:
    """Return the dimensions as ggml counts them: trailing ones do not (ggml_n_dims)."""
    count = len(shape)
    while count > 1 and shape[count - 1] == 1:
        count -= 1
    return count


def _fused(rows: Sequence[Row]) -> bool:
    """Tell whether gate and up stand in one matrix, twice as wide as what goes down."""
    ups = {row.layer: row.rows for row in rows if row.name.endswith(".ffn_up.weight")}
    return any(row.name.endswith(".ffn_down.weight") and ups.get(row.layer) == 2 * row.row for row in rows)
