"""What a header tells of a model: its size, its mix of types, what it is for. All text in it is clean."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qtui.core.gguf import types
from qtui.core.gguf.context_bytes import context_bytes_per_token
from qtui.core.gguf.layers import LayerValues
from qtui.core.gguf.reader import ArrayRef, Header, TensorInfo, Value
from qtui.core.gguf.source import ByteSource
from qtui.core.gguf.warnings import warnings_of
from qtui.core.library.variant import Role
from qtui.core.text import clean, clean_name

JsonScalar = int | float | bool | str | None

SHOWN_TEXT = 2 << 20
"""Characters of metadata that are shown; cleaning a hostile 32 MiB would take seconds."""

_EXPERTS = re.compile(r"\.ffn_\w+_exps\.|\.ffn_(?:gate|up|down)\.\d+\.")
_LAYER = re.compile(r"blk\.(\d+)\.")
_EMBEDDERS = {
    "bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
    "gemma-embedding", "llama-embed", "t5encoder",
}  # fmt: skip
_POOLED = (1, 2, 3, 4)
"""Mean, CLS, last, rank (llama.h, enum llama_pooling_type); 0 is none and 2^32 - 1 unspecified."""
_BY_KIND = {
    "adapter": Role.ADAPTER, "controlvector": Role.ADAPTER, "imatrix": Role.IMATRIX, "mmproj": Role.MMPROJ,
    "clip": Role.MMPROJ, "eagle3": Role.DRAFT, "dflash": Role.DRAFT, "gemma4-assistant": Role.DRAFT,
}  # fmt: skip
_MEANINGLESS = re.compile(r"\.*|n/a|models?|hf|snapshots?|[0-9a-f]{40}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MixRow:
    """The tensors of one type."""

    type_id: int
    name: str
    tensors: int
    bytes: int | None
    """None where the type's size is unknown."""
    elements: int


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts: how many there are, and how many compute a token."""

    count: int
    used: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a header tells. None: it does not tell, or it cannot be computed simply."""

    architecture: str
    """Empty when the header names none, as in all shards but the first."""
    model: str | None
    quant: str
    """llama.cpp's label of the file type, else the type that most weights have; `?` when neither is there."""
    role: Role
    layers: int | None
    context_length: int | None
    """Tokens that it was trained to."""
    vocabulary: int | None
    parameters: int
    active_parameters: int
    """Those that compute one token: of each layer's experts only as many as are used."""
    bits_per_weight: float | None
    """Real: bytes of all tensors over their elements."""
    mix: tuple[MixRow, ...] = field(repr=False)
    """By bytes, largest first."""
    experts: Experts | None
    imatrix: Mapping[str, JsonScalar]
    """`file`, `dataset`, `entries_count`, `chunks_count`, as far as the header has them."""
    chat_template: bool
    chat_template_names: tuple[str, ...]
    """Of named templates beside the default one."""
    context_bytes_per_token: int | None
    """At 16 bits per element, for models whose layers all attend to everything; None for all others."""
    split: tuple[int, int] | None
    """(index from 1, total), when the file is one shard of several."""
    metadata: Mapping[str, JsonScalar] = field(repr=False)
    """Clean; arrays as `[string × 151936]`."""
    warnings: tuple[str, ...]

    def as_json(self, file: str, model: str = "", quant: str = "") -> dict[str, Any]:
        """Return the answer of `qtui show`; `model` and `quant` stand in for what the header does not tell."""
        return {
            "file": file,
            "architecture": self.architecture,
            "model": self.model or model,
            "quant": quant or self.quant,
            "parameters": self.parameters,
            "active_parameters": self.active_parameters,
            "bits_per_weight": self.bits_per_weight,
            "context_length": self.context_length,
            "layers": self.layers,
            "experts": {"count": self.experts.count, "used": self.experts.used} if self.experts else None,
            "tensor_types": {
                row.name: {"tensors": row.tensors, "bytes": row.bytes, "elements": row.elements} for row in self.mix
            },
            "imatrix": dict(self.imatrix),
            "chat_template": self.chat_template,
            "context_bytes_per_token": self.context_bytes_per_token,
            "metadata": dict(self.metadata),
            "warnings": list(self.warnings),
        }


def facts_of(header: Header, source: ByteSource | None = None, rest: Sequence[Header] = ()) -> Facts:
    """Gather what a header tells.

    Args:
        header: of the file, or of the first shard.
        source: where it was read from; without it, what stands in arrays per layer stays unknown.
        rest: the headers of the further shards, whose tensors then count too.

    Raises:
        BadFileError: an array in the file cannot be read any more.
    """
    metadata = header.metadata
    architecture = clean_name(_text(metadata.get("general.architecture")))
    tensors = [tensor for each in (header, *rest) for tensor in each.tensors]
    layers = _whole(metadata.get(f"{architecture}.block_count"))
    values = LayerValues(header, source, architecture, layers)
    mix = _mix(tensors)
    parameters = sum(row.elements for row in mix)
    sizes = [row.bytes for row in mix]
    known = [size for size in sizes if size is not None]
    experts = _experts(values)
    role = _role(header, architecture)
    quant = _quant(metadata.get("general.file_type"), mix, tensors)
    names = _template_names(metadata)
    return Facts(
        architecture=architecture,
        model=_model(metadata),
        quant=quant,
        role=role,
        layers=layers,
        context_length=_whole(metadata.get(f"{architecture}.context_length")),
        vocabulary=_vocabulary(metadata, tensors),
        parameters=parameters,
        active_parameters=_active(tensors, parameters, values, experts),
        bits_per_weight=8 * sum(known) / parameters if parameters and len(known) == len(sizes) else None,
        mix=mix,
        experts=experts,
        imatrix=_imatrix(metadata),
        chat_template="tokenizer.chat_template" in metadata or bool(names),
        chat_template_names=names,
        context_bytes_per_token=context_bytes_per_token(values),
        split=_split(metadata),
        metadata=_shown_metadata(metadata),
        warnings=warnings_of((header, *rest), tensors, role),
    )


def _shown_metadata(metadata: Mapping[str, Value]) -> dict[str, JsonScalar]:
    """Return all values, clean; texts that together are longer than any real ones are described only."""
    left = SHOWN_TEXT
    values: dict[str, JsonScalar] = {}
    for key, value in metadata.items():
        if isinstance(value, str):
            left -= len(value)
            values[clean_name(key)] = clean(value) if left >= 0 else f"[text of {len(value)} characters]"
        else:
            values[clean_name(key)] = _shown(value)
    return values


def _shown(value: Value) -> JsonScalar:
    """Return a metadata value as JSON can hold it and a terminal can show it on one line."""
    if isinstance(value, str):
        return clean_name(value)
    if isinstance(value, ArrayRef):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _text(value: Value | None) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Value | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _model(metadata: Mapping[str, Value]) -> str | None:
    """Return the model's name: given, else put together as converters do; folder names of converters are no names."""
    name = clean_name(_text(metadata.get("general.name"))).strip()
    if not _MEANINGLESS.fullmatch(name):
        return name
    basename = clean_name(_text(metadata.get("general.basename"))).strip()
    if _MEANINGLESS.fullmatch(basename):
        return None
    more = (clean_name(_text(metadata.get(f"general.{key}"))).strip() for key in ("size_label", "finetune", "version"))
    return "-".join([basename, *(part for part in more if part)])


def _mix(tensors: Sequence[TensorInfo]) -> tuple[MixRow, ...]:
    """Sum the tensors up by type."""
    by_type: dict[int, list[TensorInfo]] = defaultdict(list)
    for tensor in tensors:
        by_type[tensor.type_id].append(tensor)
    rows = []
    for type_id, members in by_type.items():
        sizes = [tensor.size_bytes for tensor in members]
        size = None if None in sizes else sum(size or 0 for size in sizes)
        elements = sum(tensor.elements for tensor in members)
        rows.append(MixRow(type_id, types.tensor_type(type_id).name, len(members), size, elements))
    return tuple(sorted(rows, key=lambda row: (-(row.bytes or 0), row.type_id)))


def _quant(number: Value | None, mix: Sequence[MixRow], tensors: Sequence[TensorInfo]) -> str:
    """Return the label of the file type; without one, the type that most elements of the weight matrices have."""
    if (known := _whole(number)) is not None:
        return types.file_type(known).name
    weights: dict[int, int] = defaultdict(int)
    for tensor in tensors:
        if len(tensor.shape) > 1:
            weights[tensor.type_id] += tensor.elements
    if weights:
        return types.tensor_type(max(weights, key=lambda kind: weights[kind])).name
    return mix[0].name if mix else "?"


def _role(header: Header, architecture: str) -> Role:
    """Tell what the file is for."""
    metadata = header.metadata
    for kind in (_text(metadata.get("general.type")), architecture):
        if kind in _BY_KIND:
            return _BY_KIND[kind]
    if _split(metadata) is not None:
        return Role.MODEL
    if not header.tensors:
        return Role.VOCAB if any(key.startswith("tokenizer.") for key in metadata) else Role.UNKNOWN
    if architecture in _EMBEDDERS or _whole(metadata.get(f"{architecture}.pooling_type")) in _POOLED:
        return Role.EMBEDDING
    return Role.MODEL if f"{architecture}.block_count" in metadata else Role.UNKNOWN


def _split(metadata: Mapping[str, Value]) -> tuple[int, int] | None:
    index, total = _whole(metadata.get("split.no")), _whole(metadata.get("split.count"))
    return (index + 1, total) if index is not None and total is not None and total > 1 else None


def _vocabulary(metadata: Mapping[str, Value], tensors: Sequence[TensorInfo]) -> int | None:
    """Return the rows of the token embeddings, else the tokens that the tokenizer lists."""
    for tensor in tensors:
        if tensor.name == "token_embd.weight" and len(tensor.shape) == 2:
            return tensor.shape[1]
    tokens = metadata.get("tokenizer.ggml.tokens")
    return tokens.count if isinstance(tokens, ArrayRef) else None


def _experts(values: LayerValues) -> Experts | None:
    count = values.largest("expert_count")
    return Experts(count, values.largest("expert_used_count")) if count else None


def _active(tensors: Sequence[TensorInfo], parameters: int, values: LayerValues, experts: Experts | None) -> int:
    """Return the parameters that compute one token; a layer may use fewer experts than another."""
    if experts is None or not experts.used or experts.used > experts.count:
        return parameters
    used = values.per_layer("expert_used_count")
    resting = 0
    for tensor in tensors:
        layer = _LAYER.match(tensor.name)
        if layer and _EXPERTS.search(tensor.name):
            here = used[int(layer[1])] if used and int(layer[1]) < len(used) else experts.used
            resting += tensor.elements * max(0, experts.count - here) // experts.count
    return parameters - resting


def _imatrix(metadata: Mapping[str, Value]) -> dict[str, JsonScalar]:
    """Return what llama-quantize wrote of the importance matrix."""
    start = "quantize.imatrix."
    return {clean_name(key[len(start) :]): _shown(value) for key, value in metadata.items() if key.startswith(start)}


def _template_names(metadata: Mapping[str, Value]) -> tuple[str, ...]:
    start = "tokenizer.chat_template."
    return tuple(clean_name(key[len(start) :]) for key in metadata if key.startswith(start))
