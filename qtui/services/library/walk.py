"""Walks folders for the files that a library is made of. Only names and sizes are looked at; no file is opened."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from qtui.core.library.owner import Owner
from qtui.core.text import clean, clean_name

PARTIAL_SUFFIXES = (
    ".part", ".partial", ".incomplete", ".downloadinprogress", ".download", ".crdownload", ".opdownload", ".!qb",
)  # fmt: skip
"""Downloads under way, by the names that browsers and download programs give them."""
PARTIAL = "partial: a download under way, or one that broke off"
SKIPPED_SUFFIXES = (
    *PARTIAL_SUFFIXES, ".aria2", ".tmp", ".temp", ".lock", ".metadata", ".json", ".etag", ".md", ".txt", ".sha256",
    ".asc", ".sig",
)  # fmt: skip
"""What is no whole model file, and notes beside models."""

# What belongs to models without being a loadable file: raw byte parts (`x.gguf.part1of2`, `x.gguf-split-a`,
# `x_part_a`) and importance matrices (`imatrix.dat`, `x.imatrix`, `imatrix.gguf_file`).
_BESIDE = re.compile(r"\.gguf[._-]|_part_[a-z]+$|\.imatrix$|imatrix.*\.dat$", re.IGNORECASE)


RACY = -1
GRAIN_NS = 100_000_000
"""File systems stamp folders as coarsely as the kernel's tick; two changes within it look like one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file by one of its names, as the file system describes it."""

    path: Path
    """Not resolved: links keep the name under which the file was found."""
    size: int
    mtime_ns: int
    device: int
    inode: int
    source: str
    """The label of the place."""
    root: Path
    """The folder that was scanned, or the repository's snapshot; names are read relative to it."""
    repository: str = ""
    """`owner/name` on the Hub, where the place tells."""
    problem: str = ""
    """Why it cannot be looked at, e.g. a link whose target is gone."""
    owner: Owner = Owner.USER
    named: str = ""
    """The file name under which its owner knows it, where the path does not tell (blobs, downloads under way)."""
    aliases: tuple[str, ...] = ()
    """What its owner calls it."""
    sha256: str = ""
    """Of the whole file, where its owner's file name tells."""
    links: int = 1
    """How many names the file system counts (hard links)."""
    symlink: bool = False
    """The name is a link to the file."""

    @property
    def name(self) -> str:
        """Return the file name that tells what it is."""
        return self.named or self.path.name

    @property
    def identity(self) -> tuple[int, int, str]:
        """Return what two names of the same bytes have in common."""
        return (self.device, self.inode, "" if self.inode else str(self.path))


@dataclass
class Walk:
    """One walk over several folders; remembers where it has been, and what it could not enter."""

    stop: Callable[[], bool] = bool
    """Asked at every folder and file; True ends the walk."""
    owner: Owner = Owner.USER
    """Whose files are found."""
    problems: list[str] = field(default_factory=list)
    """Folders that could not be read, and why."""
    repositories: list[Path] = field(default_factory=list)
    """Repositories of Hugging Face caches that were met and not entered."""
    seen: dict[Path, int] = field(default_factory=dict)
    """Folders whose names were read, and when each had changed last before that, in ns; `RACY`: too lately to tell."""
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def files(self, root: Path, source: str, repository: str = "", snapshot: Path | None = None) -> Iterator[Found]:
        """Yield the files below `root`, in the order of their names.

        Links to folders are followed, every folder is entered once, hidden ones are not entered. Repositories of a
        Hugging Face cache are put on `repositories` instead; the blobs beside them have no names to show.
        """
        folders = [root]
        while folders and not self.stop():
            folder = folders.pop()
            if not self.enter(folder):
                continue
            below = []
            entries = self.entries(folder)
            names = {entry.name for entry in entries}
            in_cache = any(is_hub_folder(name) for name in names)
            for entry in entries:
                if self.stop():
                    return
                if is_folder(entry):
                    if is_hub_folder(entry.name):
                        self.repositories.append(Path(entry.path))
                    elif not entry.name.startswith(".") and not (in_cache and entry.name in ("blobs", "trees")):
                        below.append(Path(entry.path))
                elif found := self._file(entry, names, source, snapshot or root, repository):
                    yield found
            folders.extend(reversed(below))

    def _file(
        self, entry: os.DirEntry[str], names: Collection[str], source: str, root: Path, repository: str
    ) -> Found | None:
        """Return a file that belongs to a library; `names` are those beside it."""
        whole = partial_of(entry.name)
        if not whole and not is_wanted(entry.name):
            return None
        if f"{entry.name}.aria2" in names:  # aria2 writes into place; the file beside it tells what is missing
            whole = entry.name
        found = look(entry, source, root, repository, self.owner)
        return replace(found, named=whole, problem=PARTIAL) if found is not None and whole else found

    def enter(self, folder: Path) -> bool:
        """Tell whether the walk has not been in this folder yet, and remember it."""
        try:
            status = folder.stat()
        except OSError as error:
            self.report(folder, error)
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in self._entered:
            return False
        self._entered.add(identity)
        return True

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return what is in a folder by name; nothing, and a problem, when it may not be read."""
        self.seen[folder] = changed_ns(folder)
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.report(folder, error)
            return []

    def report(self, folder: Path, error: OSError) -> None:
        """Note a folder that could not be read."""
        self.problems.append(f"{clean_name(str(folder))}: {clean(error.strerror or str(error))}")


def changed_ns(folder: Path) -> int:
    """Return when names in a folder changed last, in ns; `RACY` where it may change once more unnoticed, 0: gone."""
    now = time.time_ns()
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return 0
    return RACY if 0 <= now - changed < GRAIN_NS else changed


def is_wanted(name: str) -> bool:
    """Tell whether a file of this name belongs to a library."""
    if name.startswith("."):
        return False
    lower = name.lower()
    if lower.endswith(".gguf"):
        return True
    return not lower.endswith(SKIPPED_SUFFIXES) and _BESIDE.search(lower) is not None


def partial_of(name: str) -> str:
    """Return the name that a GGUF file under way will have, empty for any other file.

    Hidden ones are temporary files of programs that are at work on them (qtui's own among them).
    """
    lower = name.lower()
    if not lower.endswith(PARTIAL_SUFFIXES) or name.startswith("."):
        return ""
    suffix = max((suffix for suffix in PARTIAL_SUFFIXES if lower.endswith(suffix)), key=len)
    whole = name[: len(name) - len(suffix)]
    return whole if whole.lower().endswith(".gguf") else ""


def is_hub_folder(name: str) -> bool:
    """Tell whether a folder of this name is a repository of a Hugging Face cache."""
    return name.startswith(("models--", "datasets--", "spaces--", "kernels--"))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def look(
    entry: os.DirEntry[str], source: str, root: Path, repository: str = "", owner: Owner = Owner.USER
) -> Found | None:
    """Return a file as its name stands there; None for what is no regular file (a FIFO, a socket, a device)."""
    path = Path(entry.path)
    try:
        status = entry.stat()
        linked = entry.is_symlink()
    except OSError as error:
        problem = "a link to a file that is gone" if entry.is_symlink() else clean(error.strerror or str(error))
        return Found(path, 0, 0, 0, 0, source, root, repository, problem, owner)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Found(
        path, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino, source, root, repository, "", owner,
        links=status.st_nlink, symlink=linked,
    )  # fmt: skip
