"""What in a header does not fit together, or keeps llama.cpp from loading the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from qtui.core.gguf import types
from qtui.core.gguf.reader import Header, TensorInfo
from qtui.core.library.variant import Role

MAX_NAME = 63
"""Characters of a tensor's name that ggml keeps (GGML_MAX_NAME)."""
_NOT_IN_MIX = ("token_embd.weight", "output.weight", "per_layer_token_embd.weight")
_LEAST_SHARE = 0.1


def warnings_of(headers: Sequence[Header], tensors: Sequence[TensorInfo], role: Role) -> tuple[str, ...]:
    """Return the warnings for one variant, whose first header says what it is."""
    found: list[str] = []
    metadata = headers[0].metadata
    if missing := sum(header.missing_bytes for header in headers):
        found.append(f"truncated: {missing} bytes are missing")
    if headers[0].big_endian:
        found.append("big-endian file: llama.cpp loads it on big-endian machines only")
    found += _types(tensors)
    found += _layout(headers)
    found += _file_type(metadata.get("general.file_type"), tensors)
    if role in (Role.MODEL, Role.EMBEDDING) and "general.architecture" not in metadata:
        found.append("the header names no architecture")
    if role is Role.VOCAB:
        found.append("vocabulary only: there is nothing in it to run")
    if role is Role.MODEL and "general.architecture" in metadata:
        if metadata.get("tokenizer.ggml.model") in (None, "none", "no_vocab"):
            found.append("no tokenizer: it cannot answer")
        elif not any(key.startswith("tokenizer.chat_template") for key in metadata):
            found.append("no chat template: a default one is used, or the text is continued as it is")
    return tuple(found)


def _types(tensors: Sequence[TensorInfo]) -> list[str]:
    """Name the types that this version of llama.cpp does not know or no longer loads."""
    lines = []
    strange = Counter(tensor.type_id for tensor in tensors if tensor.size_bytes is None)
    for type_id, count in sorted(strange.items()):
        name = types.tensor_type(type_id).name
        tensors_of = f"{count} tensor{'s' if count > 1 else ''} of"
        removed = type_id in types.TENSOR_TYPES
        reason = "which was removed from llama.cpp" if removed else "so its real size cannot be computed"
        lines.append(f"{tensors_of} {name}, {reason}")
    return lines


def _layout(headers: Sequence[Header]) -> list[str]:
    """Say what llama.cpp will refuse: gaps, overlaps, names that are too long."""
    lines = []
    for header in headers:
        expected = 0
        for tensor in header.tensors:
            if tensor.size_bytes is None:
                break
            if tensor.offset != expected:
                lines.append("the tensors do not follow one another without gaps: llama.cpp will refuse the file")
                break
            expected = -(-(expected + tensor.size_bytes) // header.alignment) * header.alignment
        if any(len(tensor.name.encode()) > MAX_NAME for tensor in header.tensors):
            lines.append(f"a tensor has a name of more than {MAX_NAME} bytes: llama.cpp will refuse the file")
    return lines


def _file_type(number: object, tensors: Sequence[TensorInfo]) -> list[str]:
    """Compare the file type with what most weights have."""
    if not isinstance(number, int):
        return []
    label = types.file_type(number)
    weights: Counter[int] = Counter()
    for tensor in tensors:
        if len(tensor.shape) > 1 and tensor.name not in _NOT_IN_MIX:
            weights[tensor.type_id] += tensor.elements
    if number & ~types.GUESSED not in types.FILE_TYPES:
        return [f"the file type is {label.name}"]
    if not label.base_type:
        return [f"the file type {label.name} was removed from llama.cpp"]
    if not weights.total():
        return []
    share = weights[types.TYPE_IDS[label.base_type]] / weights.total()
    if share >= _LEAST_SHARE:
        return []
    most = types.tensor_type(weights.most_common(1)[0][0]).name
    return [f"the file type says {label.name}, but {share:.0%} of the weights are {label.base_type}; most are {most}"]
