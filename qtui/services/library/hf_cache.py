"""The Hugging Face cache, in both of its layouts.

`<cache>/models--OWNER--NAME/snapshots/<commit>/…/FILE` is a link to `../../blobs/<hash>`; since huggingface_hub 2 that
blob may itself be a link to `<cache>/blobs/ab/<hash>`, which several repositories share. Bytes are told apart by the
device and inode at the end of all links, so both look alike here, and so do systems without links, where the snapshot
holds the file. llama.cpp's `-hf` writes the same layout (common/hf-cache.cpp).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from qtui.core.library.owner import Owner
from qtui.core.text import clean_name
from qtui.services.library.walk import PARTIAL, Found, Walk, is_folder, look

LABEL = Owner.HF.label
PREFIX = "models--"
_SHA256 = re.compile(r"[0-9a-f]{64}")
"""The blob of a large file is named by its sha256; small ones have a git hash, which is shorter."""


def repository_files(folder: Path, walk: Walk) -> Iterator[Found]:
    """Yield the files of one repository, the newest snapshot first; none for datasets and spaces."""
    if not folder.name.startswith(PREFIX):
        return
    repository = repository_name(folder.name)
    some = "gguf" in folder.name.lower()
    for snapshot in snapshots(folder, walk):
        for found in walk.files(snapshot, LABEL, repository, snapshot):
            some = True
            yield replace(found, owner=Owner.HF, sha256=blob_hash(found.path) if found.symlink else "")
    if some:
        yield from _under_way(folder, repository, walk)


def blob_hash(path: Path) -> str:
    """Return the sha256 that the blob behind a snapshot's name is called by; empty where it is called otherwise."""
    try:
        target = Path(os.readlink(path))  # noqa: PTH115 - Path.readlink makes one more object for each of thousands
    except OSError:
        return ""
    return target.name if target.parent.name == "blobs" and _SHA256.fullmatch(target.name) else ""


def _under_way(folder: Path, repository: str, walk: Walk) -> Iterator[Found]:
    """Yield downloads that huggingface_hub has not ended: a process that was killed leaves them for good."""
    blobs = folder / "blobs"
    if not blobs.is_dir():
        return
    named = f"{repository.rpartition('/')[2]}.gguf"
    for entry in walk.entries(blobs):
        if entry.name.endswith(".incomplete") and not entry.is_symlink():
            found = look(entry, LABEL, blobs, repository, Owner.HF)
            if found is not None:
                yield replace(found, named=named, problem=PARTIAL)


def snapshots(folder: Path, walk: Walk) -> list[Path]:
    """Return a repository's snapshots: that of `refs/main` first, then by age, the newest first."""
    base = folder / "snapshots"
    if not base.is_dir():
        return []
    try:
        main = (folder / "refs" / "main").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        main = ""
    aged = []
    for entry in walk.entries(base):
        if is_folder(entry) and not entry.name.startswith("."):
            try:
                aged.append((entry.name == main, entry.stat().st_mtime_ns, Path(entry.path)))
            except OSError as error:
                walk.report(Path(entry.path), error)
    return [path for _, _, path in sorted(aged, reverse=True)]


def repository_name(folder_name: str) -> str:
    """Return `owner/name` for `models--owner--name`, clean; repository names hold no double hyphen themselves."""
    return clean_name(folder_name.removeprefix(PREFIX).replace("--", "/", 1))


def repository_of(path: Path) -> tuple[str, Path] | None:
    """Return (`owner/name`, the snapshot's folder) for a path inside a cache's snapshot, else None."""
    parts = path.parts
    for index in range(len(parts) - 3):
        if parts[index].startswith(PREFIX) and parts[index + 1] == "snapshots":
            return repository_name(parts[index]), Path(*parts[: index + 3])
    return None


def cache_of(path: Path) -> Path | None:
    """Return the cache that a path below a `models--` folder belongs to, else None."""
    for folder in path.parents:
        if folder.name.startswith(PREFIX):
            return folder.parent
    return None
