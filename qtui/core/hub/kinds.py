"""What a repository without GGUF files holds, why llama.cpp does not run it, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.hub.repository import Repository


class Format(StrEnum):
    """The formats that models are put up in."""

    GGUF = "GGUF"
    SAFETENSORS = "safetensors"
    PYTORCH = "PyTorch"
    GPTQ = "GPTQ"
    AWQ = "AWQ"
    EXL2 = "EXL2"
    EXL3 = "EXL3"
    MLX = "MLX"
    BITSANDBYTES = "bitsandbytes"
    COMPRESSED = "compressed-tensors"
    ADAPTER = "adapter"
    ONNX = "ONNX"
    GGML = "GGML"
    DIFFUSERS = "diffusers"
    OTHER = "other"


_BY_TAG: tuple[tuple[str, Format], ...] = (
    ("gptq", Format.GPTQ), ("awq", Format.AWQ), ("exl3", Format.EXL3), ("exl2", Format.EXL2), ("mlx", Format.MLX),
    ("bitsandbytes", Format.BITSANDBYTES), ("compressed-tensors", Format.COMPRESSED), ("diffusers", Format.DIFFUSERS),
    ("peft", Format.ADAPTER), ("lora", Format.ADAPTER), ("adapter", Format.ADAPTER), ("onnx", Format.ONNX),
    ("ggml", Format.GGML),
)  # fmt: skip
"""By tag or library, the more telling first."""
_IN_NAME = tuple((re.compile(rf"(?:^|[-_.]){word}(?:[-_.]|$)", re.IGNORECASE), kind) for word, kind in _BY_TAG[:5])
_FOR = {
    Format.GPTQ: "vLLM, SGLang and transformers",
    Format.AWQ: "vLLM, SGLang and transformers",
    Format.EXL2: "ExLlamaV2",
    Format.EXL3: "ExLlamaV3",
    Format.MLX: "MLX on Apple machines",
    Format.BITSANDBYTES: "transformers",
    Format.COMPRESSED: "vLLM",
    Format.ONNX: "ONNX Runtime",
    Format.DIFFUSERS: "diffusers",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a repository is."""

    format: Format
    why: str = ""
    """Why llama.cpp does not run it; empty where it does."""
    command: str = ""
    """What makes a GGUF file of it, once it was downloaded; empty: nothing does."""
    advice: str = ""
    """What to do instead, or besides."""

    @property
    def sentence(self) -> str:
        """Return all of it as text."""
        parts = [self.why, f"To convert it: {self.command}" if self.command else "", self.advice]
        return " ".join(part for part in parts if part)


def kind_of(repository: Repository, paths: Sequence[str]) -> Kind:
    """Tell what a repository is by its tags, its library and the names of its files."""
    found = _format(repository, paths)
    name = repository.id.rpartition("/")[2]
    if found is Format.GGUF:
        return Kind(found)
    if found is Format.ADAPTER:
        base = (
            f" --base-model-id {repository.base_models[0]}" if repository.base_models else " --base FOLDER-OF-THE-BASE"
        )
        return Kind(
            found, "This is an adapter (LoRA) in the format of PEFT, to be put over its base model.",
            f"python convert_lora_to_gguf.py {name}/{base} --outfile {name}.gguf",
            "qtui then takes it with --lora beside a quant of the base model.",
        )  # fmt: skip
    if found in (Format.SAFETENSORS, Format.PYTORCH):
        return Kind(
            found, f"These are weights as {found.value} files; llama.cpp runs GGUF files only.",
            f"python convert_hf_to_gguf.py {name}/ --outtype bf16 --outfile {name}-BF16.gguf",
            "Somebody has mostly done so already: see the repositories of its quants.",
        )  # fmt: skip
    if found in _FOR:
        base = f" ({repository.base_models[0]})" if repository.base_models else ""
        return Kind(
            found, f"This is {found.value}, which is made for {_FOR[found]}; llama.cpp runs GGUF files only.", "",
            f"It cannot be converted without loss: take GGUF quants of the model that it was made from{base}.",
        )  # fmt: skip
    if found is Format.GGML:
        return Kind(
            found, "These are GGML files, the format before GGUF, which llama.cpp has not read since August 2023.", "",
            "Take a GGUF repository of the same model.",
        )  # fmt: skip
    return Kind(found, "There is no GGUF file in it, nor weights of a format that is known here.")


def origin_of(repository: Repository, kind: Kind) -> str:
    """Return the model whose quants are wanted, `owner/name`: what it was made from, or a plain model itself."""
    if kind.format in (Format.SAFETENSORS, Format.PYTORCH) or not repository.base_models:
        return repository.id
    return repository.base_models[0]


def _format(repository: Repository, paths: Sequence[str]) -> Format:
    lower = [path.lower() for path in paths]
    if any(".gguf" in path for path in lower):
        return Format.GGUF
    if any(path.endswith("adapter_config.json") for path in lower):
        return Format.ADAPTER
    words = {tag.lower() for tag in repository.tags} | {repository.library.lower()}
    found = next((kind for word, kind in _BY_TAG if word in words), None)
    if found is not None:
        return found
    name = repository.id.rpartition("/")[2]
    by_name = next((kind for pattern, kind in _IN_NAME if pattern.search(name)), None)
    if by_name is not None:
        return by_name
    if any(path.endswith(".safetensors") for path in lower):
        return Format.SAFETENSORS
    if any("ggml" in path and path.endswith(".bin") for path in lower):
        return Format.GGML
    if any(path.endswith((".bin", ".pt", ".pth")) for path in lower):
        return Format.PYTORCH
    return Format.OTHER
