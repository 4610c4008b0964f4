"""Repository: a model repository on the Hub as far as it tells of itself, and its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from qtui.core.text import clean_name

MAX_COMPONENT = 255
"""Bytes of one part of a path that file systems take."""
MAX_PATH = 1024
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,96}/[A-Za-z0-9_.-]{1,96}")
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|COM\d|LPT\d)(?:\..*)?", re.IGNORECASE)
_KEPT_OUT = (".git", ".cache", ".hg", ".svn")


class Access(StrEnum):
    """Who may download; the words stand in tables."""

    OPEN = "open"
    GATED = "gated"
    """Its licence or terms have to be accepted on the Hub first."""
    GRANTED = "gated, yours"
    PRIVATE = "private"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Repository:
    """What the Hub tells of a repository. All text in it is clean; None: it does not tell."""

    id: str
    """`owner/name`."""
    commit: str = ""
    """40 hex digits; downloads and header reads name it, so that all files are of one state."""
    access: Access = Access.OPEN
    licence: str = ""
    architecture: str = ""
    """Of its first GGUF file, as the Hub read it."""
    parameters: int | None = None
    context_length: int | None = None
    downloads: int | None = None
    """Of the last 30 days."""
    likes: int | None = None
    updated: float | None = None
    """Seconds since the epoch."""
    created: float | None = None
    base_models: tuple[str, ...] = ()
    """What it was made from, `owner/name` each."""
    library: str = ""
    tags: tuple[str, ...] = field(default=(), repr=False)
    imatrix: str = ""
    """The importance matrix that the Hub found noted in its first GGUF file."""

    @property
    def gguf(self) -> bool:
        """Tell whether the Hub has found GGUF files in it."""
        return "gguf" in self.tags or bool(self.architecture)

    @property
    def owner(self) -> str:
        """Return whose it is."""
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """One file of a repository at one commit. Its path is usable as it is: see `usable`."""

    path: str
    """In the repository, with `/`."""
    size: int
    sha256: str = ""
    """64 hex digits; empty for small files that git holds itself."""
    oid: str = ""
    """Git's name of the blob: of the pointer where there is a sha256."""
    date: float | None = None
    """When it was last changed, seconds since the epoch."""
    scan: str = ""
    """What the Hub's scanners say: `safe`, `unsafe`, `suspicious`…; empty: not told."""

    @property
    def key(self) -> str:
        """Return what names its bytes, whatever repository or name they have."""
        return self.sha256 or f"git-{self.oid}"

    @property
    def pure_path(self) -> PurePosixPath:
        """Return the path as one."""
        return PurePosixPath(self.path)


@dataclass(frozen=True, slots=True)
class FilesPage:
    """Some files of a repository."""

    files: tuple[RepositoryFile, ...]
    left_out: int = 0
    """Files whose names cannot be used."""


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """A file of a repository that is on this machine, or a part of it."""

    path: str
    """In the repository."""
    here: Path
    size: int
    sha256: str = ""
    """Of the bytes that are here, where their place tells; empty: not known."""
    partial: bool = False
    """A download that has not ended."""
    guessed: bool = False
    """Only its name says that it is of this repository: it counts where its size says so too."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the Hub takes us for."""

    name: str = ""
    """Empty: nobody; no token is sent."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model card: the page that a repository shows of itself."""

    text: str = ""
    """The beginning as plain text, clean."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What stands in its head: `license`, `base_model`, …; clean."""
    cut: bool = False
    """There is more of it on the Hub."""


def is_repository_name(text: str) -> bool:
    """Tell whether text can be `owner/name` on the Hub."""
    return _NAME.fullmatch(text) is not None and ".." not in text and "--" not in text and not text.endswith(".git")


def usable(path: str) -> bool:
    """Tell whether a file of a repository can be named, shown and stored as it is.

    Not so: absolute paths and `..`; control, bidirectional and invisible characters, which deceive who reads the name;
    parts that are longer than file systems take; what version control and caches keep for themselves.
    """
    if not path or len(path.encode("utf-8", "replace")) > MAX_PATH or clean_name(path, MAX_PATH) != path:
        return False
    if path.startswith("/") or "\\" in path or path[1:2] == ":":
        return False
    parts = path.split("/")
    return all(
        part not in ("", ".", "..")
        and len(part.encode()) <= MAX_COMPONENT
        and part.lower() not in _KEPT_OUT
        and not part.startswith(("-", "~"))
        and part == part.strip()
        and not _RESERVED.fullmatch(part)
        for part in parts
    )
