"""What happens while the Hub is asked, as events: a place and a verb show the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtui.core.errors import Failure
from qtui.core.library.record import FileRecord

if TYPE_CHECKING:
    from qtui.core.hub.listing import Listing
    from qtui.core.hub.remote import RemoteVariant
    from qtui.core.hub.repository import Repository
    from qtui.core.memory.guard import Weighing


@dataclass(frozen=True, slots=True)
class Waiting:
    """The Hub is not asked for a while: it limits how often one may ask, or did not answer."""

    reason: str
    seconds: float
    """How long from now on."""
    limited: bool = False
    """It is a rate limit, which going on sooner would only prolong."""


@dataclass(frozen=True, slots=True)
class HeaderFetched:
    """Some of a header has come."""

    fetched: int
    """Bytes, of this header."""


@dataclass(frozen=True, slots=True)
class HeaderRead:
    """A header is known, and lies in a file that stands for the real one: of its size, with nothing behind."""

    record: FileRecord
    path: Path
    fetched: int = 0
    """Bytes that it took; 0 where it was kept."""
    note: str = ""
    """What does not fit together between the header and the file; empty: nothing."""


@dataclass(frozen=True, slots=True)
class RepositoryFound:
    """A repository is there."""

    repository: Repository


@dataclass(frozen=True, slots=True)
class FilesSeen:
    """The list of its files grows."""

    count: int


@dataclass(frozen=True, slots=True)
class Listed:
    """All its files are known by name; their headers are not yet."""

    listing: Listing


@dataclass(frozen=True, slots=True)
class RowChanged:
    """More is known of one variant: its header, or why that cannot be read."""

    row: RemoteVariant
    done: int
    """Variants whose header was read or given up."""
    total: int
    fetched: int = 0
    """Bytes that its headers took."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class RowWeighed:
    """A variant was weighed under the plan."""

    row: RemoteVariant
    weighing: Weighing
    exact: bool
    """By what llama.cpp says; False: by the closed form."""


@dataclass(frozen=True, slots=True)
class ReadingEnded:
    """Everything that can be told of a repository was told."""

    listing: Listing
    fetched: int
    """Bytes of headers."""


ReadingEvent = Waiting | RepositoryFound | FilesSeen | Listed | RowChanged | RowWeighed | ReadingEnded
