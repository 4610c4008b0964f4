"""What a downloading child is told and what it tells, one JSON line each (`core/wire.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.downloads.files import RemoteFile
from qtui.core.errors import Failure


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a child is. Seconds."""

    stall: float = 20.0
    """Without an answer or a byte; then the connection is made anew."""
    backoff: float = 1.0
    """Before the second try in a row without a new byte; doubled each time."""
    longest: float = 30.0
    """Between two tries."""
    tries: int = 7
    """In a row without a new byte; then the download fails."""
    lock: float = 1.0
    """Until it is said that another program holds the file; then it waits on."""


@dataclass(frozen=True, slots=True)
class FetchJob:
    """What to fetch: the one line that the child reads. Its standard input then stays open: end of file stops it."""

    repository: str
    commit: str
    files: tuple[RemoteFile, ...]
    cache: str
    """The Hugging Face cache."""
    endpoint: str
    """The Hub's address, without a slash at the end."""
    revision: str = "main"
    folder: str = ""
    """A plain folder; empty: the cache."""
    verified: tuple[str, ...] = ()
    """SHA-256 of files that are known to be here whole: their bytes are not read again."""
    send_token: bool = False
    """The user's token may go to this endpoint."""
    pace: Pace = Pace()


@dataclass(frozen=True, slots=True)
class FetchProgressed:
    """Where it stands; sent a few times a second, also when nothing has come."""

    done: int
    """Bytes that are here of all files; those of a file that is being checked count as far as it was read."""
    checking: bool = False
    """They are read from the disk, not from the server."""


@dataclass(frozen=True, slots=True)
class FetchNoted:
    """What it waits for or what happened; empty: it goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class FileFetched:
    """One file is complete, verified and in its place."""

    index: int
    """In the order of the job, from 0."""
    path: str
    """The name under which it is found."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """All files are."""

    received: int
    """Bytes that came from the server in this run."""


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """It gives up; what came is kept unless it was damaged."""

    failure: Failure


FetchEvent = FetchProgressed | FetchNoted | FileFetched | Fetched | FetchFailed
FETCH_REPLIES = (FetchProgressed, FetchNoted, FileFetched, Fetched, FetchFailed)
