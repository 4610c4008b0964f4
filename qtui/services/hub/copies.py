"""What of a repository is on this machine: files of the Hugging Face cache, files of a library, begun downloads."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.hub.repository import LocalCopy
from qtui.core.library.variant import Variant
from qtui.services.library.hf_cache import PREFIX, snapshots
from qtui.services.library.places import hub_cache
from qtui.services.library.walk import Walk

MOST_FILES = 5000
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_PARTIAL = re.compile(r"(?P<digest>[0-9a-f]{64})(?:\.part|(?:\.[0-9a-f]{8})?\.incomplete)")


def local_copies(repository: str, here: Sequence[Variant], folders: Iterable[Path] = ()) -> list[LocalCopy]:
    """Return the files of a repository that are here, each path once, the newest snapshot's first.

    Args:
        repository: `owner/name`.
        here: variants of this machine, whose places may tell the repository that they came from.
        folders: where downloads go besides the cache, as `FOLDER/owner/name/…`.
    """
    root = hub_cache() / (PREFIX + repository.replace("/", "--"))
    found: dict[str, LocalCopy] = {}
    for snapshot in snapshots(root, Walk()):
        for copy in _below(snapshot):
            found.setdefault(copy.path, copy)
    for folder in folders:
        for copy in _below(folder.joinpath(*repository.split("/"))):
            found.setdefault(copy.path, copy)
    for variant in here:
        if variant.repository.casefold() in ("", repository.casefold()) and not variant.address:
            for path in variant.shards or (variant.path,):
                _add(found, path, guessed=not variant.repository)
    partials = [copy for folder in (root / "blobs", *(each / ".qtui" for each in folders)) for copy in _begun(folder)]
    return [*found.values(), *partials]


def _below(folder: Path) -> list[LocalCopy]:
    """Return the files in a folder that lies as the repository does."""
    copies: list[LocalCopy] = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(base) / name
            copy = _copy(path, path.relative_to(folder).as_posix())
            if copy is not None:
                copies.append(copy)
            if len(copies) >= MOST_FILES:
                return copies
    return copies


def _add(found: dict[str, LocalCopy], path: Path, *, guessed: bool) -> None:
    """Add a file of which only the name is known: it stands for the one path of the repository that ends so."""
    name = path.name
    if not any(known == name or known.endswith(f"/{name}") for known in found):
        copy = _copy(path, name)
        if copy is not None:
            found[name] = replace(copy, guessed=guessed)


def _copy(path: Path, inside: str) -> LocalCopy | None:
    """Return a file as a copy; in a cache the name of its bytes is their digest."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return None
    target = Path(os.path.realpath(path)).name if path.is_symlink() else ""
    direct = ""
    with contextlib.suppress(OSError):
        direct = Path(path.readlink()).name if path.is_symlink() else ""
    digest = next((name for name in (direct, target) if _DIGEST.fullmatch(name)), "")
    return LocalCopy(inside, path, state.st_size, digest)


def _begun(folder: Path) -> list[LocalCopy]:
    """Return the downloads that have not ended; their names are the digests of what they will be."""
    copies = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir())[:MOST_FILES]:
            match = _PARTIAL.fullmatch(path.name)
            if match is not None:
                with contextlib.suppress(OSError):
                    copies.append(LocalCopy("", path, path.stat().st_size, match["digest"], partial=True))
    return copies
