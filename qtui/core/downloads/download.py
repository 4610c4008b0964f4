"""Download: the files of one variant on their way to this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.downloads.files import RemoteFile, check_commit, check_file, check_repository
from qtui.core.errors import BadFileError, Failure
from qtui.core.text import clean_name


class State(StrEnum):
    """Where a download stands."""

    QUEUED = "queued"
    RUNNING = "running"
    VERIFYING = "verifying"
    """What is here already is read again: after a pause, or because the file was here before."""
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"


ACTIVE = (State.RUNNING, State.VERIFYING)
"""A child works on it."""
WANTED = (State.QUEUED, *ACTIVE)
"""It will go on by itself, and takes room on the disk."""


@dataclass(frozen=True, slots=True)
class Download:
    """The files of one variant, fetched together with one progress. All text in it is clean."""

    id: str
    """The same for the same files to the same place, in every process."""
    repository: str
    """`owner/name` on the Hub."""
    commit: str
    """40 hexadecimal digits: all files are fetched as they were then."""
    files: tuple[RemoteFile, ...]
    """In the order in which they are fetched; the shards of a variant."""
    title: str
    """How it is named on screen."""
    revision: str = "main"
    """The branch that the commit was the newest of."""
    folder: str = ""
    """Where to: an absolute folder, below which it becomes OWNER/NAME/…; empty: the Hugging Face cache."""
    state: State = State.QUEUED
    done: int = 0
    """Bytes that are here, of all files."""
    rate: float | None = None
    """Bytes per second; None while nothing is fetched, and before that can be told."""
    time_left: float | None = None
    """Seconds; None: cannot be told."""
    note: str = ""
    """What it waits for or what happened on the way; empty: nothing to say."""
    failure: Failure | None = None
    """Why it is `failed`, or was stopped."""
    paths: tuple[str, ...] = ()
    """Where the files are that are complete, in their order."""

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def fraction(self) -> float:
        """Return the share that is here, from 0 to 1."""
        return min(1.0, self.done / self.size)

    @property
    def active(self) -> bool:
        """Tell whether a child works on it."""
        return self.state in ACTIVE


def new_download(
    repository: str,
    commit: str,
    files: Sequence[RemoteFile],
    *,
    title: str = "",
    revision: str = "main",
    folder: str = "",
) -> Download:
    """Return a download that waits to be queued.

    Args:
        repository: `owner/name`.
        commit: the full hash.
        files: as the Hub lists them, in the order of the shards.
        title: how to name it; by default after the repository and its first file.
        revision: the branch or tag that the commit was found under.
        folder: an absolute folder; empty: the Hugging Face cache.

    Raises:
        BadFileError: a name or a file is refused; nothing has been touched then.
    """
    check_repository(repository)
    check_commit(commit, revision)
    if not files:
        raise BadFileError(f"{repository}: no file to fetch")
    for file in files:
        check_file(file)
    if len({file.path.casefold() for file in files}) < len(files):
        raise BadFileError(f"{repository}: the Hub lists a file twice")
    key = "\n".join((repository, folder, *(f"{file.path}\t{file.sha256}" for file in files)))
    return Download(
        id=hashlib.sha256(key.encode()).hexdigest()[:16],
        repository=repository,
        commit=commit,
        files=tuple(files),
        title=clean_name(title or f"{repository}/{files[0].name}"),
        revision=revision,
        folder=folder,
    )


def checked(download: Download) -> Download:
    """Return a download that was read from a file, checked like a new one.

    Raises:
        BadFileError: something in it is refused, or it is not what its id says.
    """
    made = new_download(
        download.repository, download.commit, download.files,
        title=download.title, revision=download.revision, folder=download.folder,
    )  # fmt: skip
    if made.id != download.id:
        raise BadFileError("a kept download is not what its name says")
    return download
