"""Ollama's store: manifests that give names to blobs. It is only read, never written to.

`manifests/HOST/NAMESPACE/MODEL/TAG` is JSON with layers; the layers of GGUF files name a blob by its digest, which
lies at `blobs/sha256-<64 hex digits>`. A digest is used as a path only in exactly that form. Downloads under way are
`<blob>-partial`, with more names for their pieces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from qtui.core.text import clean_name
from qtui.services.library.small_file import read_object
from qtui.services.library.walk import PARTIAL, Found, Walk, is_folder, look

MOST_MANIFEST = 1 << 20
MOST_MANIFESTS = 20_000
DEEPEST = 6
"""Folders between `manifests` and a tag: host, namespace and model, and what a registry may add."""
LEAST_ORPHAN = 1 << 20
"""Smaller blobs without a name are licences and templates."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_BLOB = re.compile(r"sha256[-:]([0-9a-f]{64})")
_PIECE = re.compile(r"sha256[-:][0-9a-f]{64}-partial")
_KINDS = {
    "application/vnd.ollama.image.model": "",
    "application/vnd.ollama.image.projector": "mmproj-",
    "application/vnd.ollama.image.adapter": "adapter-",
}
_DEFAULT_HOST, _DEFAULT_NAMESPACE = "registry.ollama.ai", "library"


def is_store(folder: Path) -> bool:
    """Tell whether a folder is an Ollama store."""
    return (folder / "manifests").is_dir() and (folder / "blobs").is_dir()


def store_files(folder: Path, walk: Walk, source: str) -> Iterator[Found]:
    """Yield the blobs of a store that are GGUF by their manifests, those under way, and large ones without a name."""
    named = _named(folder / "manifests", walk)
    blobs = folder / "blobs"
    if not walk.enter(blobs):
        return
    seen = set()
    for entry in walk.entries(blobs):
        if walk.stop():
            return
        match, piece = _BLOB.fullmatch(entry.name), _PIECE.fullmatch(entry.name)
        found = look(entry, source, folder, owner=walk.owner) if match or piece else None
        if found is None:
            continue
        if piece:
            yield replace(found, named="download.gguf", problem=PARTIAL)
        elif match and (names := named.get(match[1])):
            seen.add(match[1])
            yield _as_named(found, match[1], names)
        elif match and found.size >= LEAST_ORPHAN and match[1] not in named and _is_gguf(found.path):
            yield replace(found, named="blob.gguf", sha256=match[1])
    for digest in named.keys() - seen:
        path = blobs / f"sha256-{digest}"
        gone = Found(path, 0, 0, 0, 0, source, folder, problem="its blob is not there: `ollama pull` fetches it")
        yield _as_named(replace(gone, owner=walk.owner), digest, named[digest])


def _as_named(found: Found, digest: str, names: list[tuple[str, str]]) -> Found:
    prefix, alias = names[0]
    file_name = re.sub(r"[/:]+", "-", alias.removesuffix(":latest"))
    aliases = tuple(dict.fromkeys(name for _, name in names))
    return replace(found, named=f"{prefix}{file_name}.gguf", aliases=aliases, sha256=digest)


def _named(manifests: Path, walk: Walk) -> dict[str, list[tuple[str, str]]]:
    """Return what the manifests call each blob, as (prefix of its kind, name); ordered by manifest."""
    named: dict[str, list[tuple[str, str]]] = {}
    for number, path in enumerate(_manifest_paths(manifests, walk)):
        if number >= MOST_MANIFESTS:
            walk.problems.append(
                f"{clean_name(str(manifests))}: more than {MOST_MANIFESTS} manifests; the rest is left out"
            )
            break
        alias = model_name(path.relative_to(manifests).parts)
        layers = read_object(path, MOST_MANIFEST).get("layers")
        for layer in layers if isinstance(layers, list) else []:
            match layer:
                case {"mediaType": str(kind), "digest": str(digest)} if kind in _KINDS:
                    if whole := _DIGEST.fullmatch(digest):
                        named.setdefault(whole[1], []).append((_KINDS[kind], alias))
    return named


def model_name(parts: tuple[str, ...]) -> str:
    """Return what `ollama` calls a manifest, clean: `llama3.2:3b`, `user/model:tag`, `hf.co/user/repo:Q4_K_M`."""
    host, *middle, tag = parts
    if host == _DEFAULT_HOST:
        middle = middle[1:] if middle[:1] == [_DEFAULT_NAMESPACE] else middle
    else:
        middle = [host, *middle]
    return clean_name(f"{'/'.join(middle)}:{tag}")


def _manifest_paths(manifests: Path, walk: Walk) -> Iterator[Path]:
    folders = [(manifests, 1)]
    while folders and not walk.stop():
        folder, depth = folders.pop()
        if not walk.enter(folder):
            continue
        below = []
        for entry in walk.entries(folder):
            if is_folder(entry):
                if depth < DEEPEST:
                    below.append((Path(entry.path), depth + 1))
            elif depth > 2 and not entry.name.startswith("."):
                yield Path(entry.path)
        folders.extend(reversed(below))


def _is_gguf(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return os.read(descriptor, 4) == b"GGUF"
        finally:
            os.close(descriptor)
    except OSError:
        return False
