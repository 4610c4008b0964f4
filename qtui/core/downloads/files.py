"""RemoteFile: one file on the Hub as it will be fetched, and which names of files and repositories are accepted.

Names on the Hub are foreign text that becomes paths on this machine. What is accepted is listed, everything else is
refused before any file is touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qtui.core.errors import BadFileError
from qtui.core.gguf.names import parse_name
from qtui.core.library.variant import Role
from qtui.core.text import clean_name

MAX_NAME = 200
"""Bytes of one part of a path: file systems take 255, and temporary names are longer than the name."""
MAX_PATH = 1000
MAX_SIZE = 1 << 44
"""16 TiB; a larger size is a broken listing."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._+-]{0,99}){0,5}")
_PART = re.compile(r"[A-Za-z0-9_+(\[][A-Za-z0-9 ._+,()\[\]=@~&'#-]*")
# Names that Windows keeps for devices, with any ending.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_WITHOUT_HEADER = (Role.IMATRIX, Role.RAWPART)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository, as the Hub lists it."""

    path: str
    """In the repository, with `/` between folders."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits."""

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]


def check_repository(repository: str) -> None:
    """Refuse what is no `owner/name` of the Hub.

    Raises:
        BadFileError: it is none.
    """
    if not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise BadFileError(f"{clean_name(repository)}: not the name of a repository", "It is written OWNER/NAME.")


def check_commit(commit: str, revision: str) -> None:
    """Refuse what is no commit, or no name of a branch.

    Raises:
        BadFileError: it is none.
    """
    if not _COMMIT.fullmatch(commit):
        raise BadFileError(f"{clean_name(commit)}: not a commit", "A commit has 40 hexadecimal digits.")
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise BadFileError(f"{clean_name(revision)}: not the name of a branch or a tag")


def check_file(file: RemoteFile) -> None:
    """Refuse a file whose path could lead elsewhere or mean something else, that is no model, or that is not described.

    Raises:
        BadFileError: it is refused; the message says why.
    """
    problem = _path_problem(file.path)
    if not problem and not _is_fetched(file.name):
        problem = "neither a GGUF file nor an importance matrix"
    if problem:
        raise BadFileError(
            f"{clean_name(file.path)} is not fetched: {problem}", "Only plain names are written to disk."
        )
    if not _SHA256.fullmatch(file.sha256):
        raise BadFileError(
            f"{clean_name(file.path)} is not fetched: the Hub does not tell its SHA-256", "It could not be verified."
        )
    if not 0 < file.size <= MAX_SIZE:
        raise BadFileError(f"{clean_name(file.path)} is not fetched: the Hub says that it has {file.size} bytes")


def _path_problem(path: str) -> str:
    """Return why a path of a repository is not used on this machine; empty when it is."""
    if len(path) > MAX_PATH:
        return "its path is too long"
    for part in path.split("/"):
        if len(part.encode("utf-8", "surrogatepass")) > MAX_NAME:
            return f"a part of its path has more than {MAX_NAME} bytes"
        if not part or part.startswith("."):
            return "a part of its path is empty or hidden"
        if not _PART.fullmatch(part):
            return "its path holds characters that names of models do not have"
        if part.endswith((" ", ".")) or _DEVICE.fullmatch(part):
            return "a part of its path means something else on some systems"
    return ""


def _is_fetched(name: str) -> bool:
    return name.lower().endswith(".gguf") or parse_name(name).role in _WITHOUT_HEADER
