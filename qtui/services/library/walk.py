"""Walks folders for the files that a library is made of. Only names and sizes are looked at; no file is opened."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.text import clean, clean_name

SKIPPED_SUFFIXES = (
    ".part", ".partial", ".incomplete", ".downloadinprogress", ".download", ".crdownload", ".opdownload",
    ".aria2", ".tmp", ".temp", ".!qb", ".lock", ".metadata", ".json", ".md", ".txt", ".sha256", ".asc", ".sig",
)  # fmt: skip
"""Downloads under way, by the names that browsers and download programs give them, and notes beside models."""

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

    @property
    def identity(self) -> tuple[int, int, str]:
        """Return what two names of the same bytes have in common."""
        return (self.device, self.inode, "" if self.inode else str(self.path))


@dataclass
class Walk:
    """One walk over several folders; remembers where it has been, and what it could not enter."""

    stop: Callable[[], bool] = bool
    """Asked at every folder; True ends the walk."""
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
                if is_folder(entry):
                    if is_hub_folder(entry.name):
                        self.repositories.append(Path(entry.path))
                    elif not entry.name.startswith(".") and not (in_cache and entry.name in ("blobs", "trees")):
                        below.append(Path(entry.path))
                elif is_wanted(entry.name) and f"{entry.name}.aria2" not in names:
                    found = look(entry, source, snapshot or root, repository)
                    if found is not None:
                        yield found
            folders.extend(reversed(below))

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


def is_hub_folder(name: str) -> bool:
    """Tell whether a folder of this name is a repository of a Hugging Face cache."""
    return name.startswith(("models--", "datasets--", "spaces--", "kernels--"))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def look(entry: os.DirEntry[str], source: str, root: Path, repository: str = "") -> Found | None:
    """Return a file as its name stands there; None for what is no regular file (a FIFO, a socket, a device)."""
    path = Path(entry.path)
    try:
        status = entry.stat()
    except OSError as error:
        problem = "a link to a file that is gone" if entry.is_symlink() else clean(error.strerror or str(error))
        return Found(path, 0, 0, 0, 0, source, root, repository, problem)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Found(path, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino, source, root, repository)
