"""Landing: where a file comes to lie, under which name it grows until then, and what is locked meanwhile.

Into a Hugging Face cache, whose layout other programs share (huggingface_hub, llama.cpp's `-hf`):

    <cache>/models--OWNER--NAME/blobs/<sha256>                      the bytes
    <cache>/models--OWNER--NAME/snapshots/<commit>/PATH -> ../../blobs/<sha256>
    <cache>/models--OWNER--NAME/refs/<branch>                       the commit
    <cache>/.locks/models--OWNER--NAME/<sha256>.lock                held by who downloads

or into a folder, as `<folder>/OWNER/NAME/PATH`: two repositories may hold files of one name and other bytes.

What is not complete ends in `.part`: huggingface_hub removes every `*.incomplete` of a cache when it is pruned, those
that are being written included (`hf cache prune`, cli/cache.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtui.core.downloads.files import RemoteFile

PARTIAL = ".part"
STATE = ".part.json"


@dataclass(frozen=True, slots=True)
class Landing:
    """The paths of one file."""

    root: Path
    """Nothing is written outside of it but the lock; below it no folder may be a link."""
    final: Path
    """The bytes, complete and verified: it never exists with others."""
    partial: Path
    """What has come so far."""
    state: Path
    """What the partial is a part of."""
    lock: Path
    link: Path | None = None
    """The name in the snapshot, which leads to `final`; None: `final` is the name."""
    ref: Path | None = None
    """The file that holds the newest commit of a branch."""

    @property
    def name(self) -> Path:
        """Return the path under which the file is found."""
        return self.link or self.final


def cache_landing(cache: Path, repository: str, commit: str, revision: str, file: RemoteFile) -> Landing:
    """Return the paths of a file in a Hugging Face cache; names must have been checked."""
    folder = "models--" + repository.replace("/", "--")
    root = cache / folder
    blob = root / "blobs" / file.sha256
    return Landing(
        root=root,
        final=blob,
        partial=blob.with_name(file.sha256 + PARTIAL),
        state=blob.with_name(file.sha256 + STATE),
        lock=cache / ".locks" / folder / f"{file.sha256}.lock",
        link=root.joinpath("snapshots", commit, *file.path.split("/")),
        ref=root.joinpath("refs", *revision.split("/")) if revision != commit else None,
    )


def folder_landing(folder: Path, repository: str, file: RemoteFile) -> Landing:
    """Return the paths of a file below a plain folder; names must have been checked."""
    own = folder / ".qtui"
    return Landing(
        root=folder,
        final=folder.joinpath(*repository.split("/"), *file.path.split("/")),
        partial=own / (file.sha256 + PARTIAL),
        state=own / (file.sha256 + STATE),
        lock=own / f"{file.sha256}.lock",
    )


def landing_of(file: RemoteFile, *, cache: Path, folder: str, repository: str, commit: str, revision: str) -> Landing:
    """Return the paths of a file in a folder, or in the cache where no folder is named."""
    if folder:
        return folder_landing(Path(folder), repository, file)
    return cache_landing(cache, repository, commit, revision, file)
