"""Writes small model files and whole trees of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from qtui.core.gguf.types import FILE_TYPES, TYPE_IDS
from qtui.core.library.variant import Variant
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.library import LocalLibrary
from qtui.services.library.source import FileSource
from tests.builders.gguf import Image, Scalar, Tensor, Typed, build, strings

FILE_TYPE_NUMBERS = {kind.name: number for number, kind in FILE_TYPES.items()}


def model_image(name: str = "Tiny", quant: str = "Q8_0", arch: str = "llama", **more: Scalar | Typed) -> Image:
    """Return a model of 16 layers whose one matrix has the type of the quant; dots in `more` are double underscores."""
    base = FILE_TYPES[FILE_TYPE_NUMBERS[quant]].base_type
    metadata: dict[str, Scalar | Typed] = {
        "general.architecture": arch,
        f"{arch}.block_count": 16,
        f"{arch}.context_length": 4096,
        "general.file_type": FILE_TYPE_NUMBERS[quant],
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    if name:
        metadata["general.name"] = name
    return build(metadata, [Tensor("token_embd.weight", (256, 8), TYPE_IDS[base]), Tensor("norm.weight", (256,))])


def put_model(path: Path, name: str = "Tiny", quant: str = "Q8_0", arch: str = "llama", **more: Scalar | Typed) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return model_image(name, quant, arch, **more).write(path)


def put_shards(folder: Path, stem: str, total: int, skip: Sequence[int] = ()) -> list[Path]:
    """Write a model in shards, the metadata in the first, a tensor in each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(1, total + 1):
        metadata: dict[str, Scalar | Typed] = {"split.no": number - 1, "split.count": total}
        if number == 1:
            metadata |= {"general.architecture": "llama", "general.name": "Big 70B", "llama.block_count": 80}
            metadata |= {"general.file_type": FILE_TYPE_NUMBERS["Q4_K_M"], "llama.context_length": 8192}
        path = folder / f"{stem}-{number:05d}-of-{total:05d}.gguf"
        paths.append(path)
        if number not in skip:
            build(metadata, [Tensor(f"blk.{number}.w", (256, number), TYPE_IDS["Q4_K"])]).write(path)
    return paths


def put_vocabulary(path: Path) -> Path:
    return build({"general.architecture": "llama", "tokenizer.ggml.tokens": strings(["a", "b"])}).write(path)


def put_cached(
    cache: Path, repository: str, commit: str, file: str, image: Image, *, digest: str, shared: bool = False
) -> Path:
    """Put a file into a Hugging Face cache, `shared` in the layout whose blobs several repositories share."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / digest
    blob.parent.mkdir(parents=True, exist_ok=True)
    if not blob.exists():
        if shared:
            target = cache / "blobs" / digest[:2] / digest
            target.parent.mkdir(parents=True, exist_ok=True)
            image.write(target)
            blob.symlink_to(os.path.relpath(target, blob.parent))
        else:
            image.write(blob)
    name = folder / "snapshots" / commit / file
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(os.path.relpath(blob, name.parent))
    return name


def set_main(cache: Path, repository: str, commit: str) -> None:
    refs = cache / f"models--{repository.replace('/', '--')}" / "refs"
    refs.mkdir(exist_ok=True)
    (refs / "main").write_text(commit)


def put_ollama(
    store: Path, name: str, image: Image, *, kind: str = "model", host: str = "registry.ollama.ai", tag: str = "latest"
) -> Path:
    """Put a model into an Ollama store under a name such as `library/llama3.2`; returns its blob."""
    content = image.bytes()
    digest = hashlib.sha256(content).hexdigest()
    blob = store / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    manifest = store / "manifests" / host / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers: list[dict[str, object]] = json.loads(manifest.read_text())["layers"] if manifest.exists() else []
    layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}", "size": 1})
    layers.append({"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "0" * 64, "size": 1})
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return blob


class Opened:
    """Opens files as the library does, and remembers which."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def __call__(self, path: Path) -> FileSource:
        self.paths.append(path)
        return FileSource(path)


async def scanned(
    *folders: Path, library: LocalLibrary | None = None, cache: HeaderCache | None = None
) -> list[Variant]:
    """Return all rows of some folders; of the known places when none is given."""
    library = library or LocalLibrary(cache=cache)
    return [variant async for variant in library.scan(folders)]
