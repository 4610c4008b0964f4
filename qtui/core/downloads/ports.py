"""The ports of downloading: what its runs need of the outside world, beside those of `qtui.core.ports`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Protocol

from qtui.core.downloads.download import Download
from qtui.core.downloads.expected import Expected
from qtui.core.downloads.messages import FetchEvent
from qtui.core.downloads.queue import Room


class Downloads(Protocol):
    """Fetches files from the Hub, each download in a process of its own, and keeps the queue between starts."""

    def fetch(self, download: Download) -> AsyncGenerator[FetchEvent]:
        """Fetch all files of a download: FetchProgressed, FetchNoted, FileFetched…, then Fetched or FetchFailed.

        Closing the iterator stops it; what came is kept, and the next call goes on from there.
        """
        ...

    async def kept(self, download: Download) -> int:
        """Return the bytes that are here of a download, in place or in part."""
        ...

    async def room(self, downloads: Sequence[Download]) -> Sequence[Room]:
        """Return each disk that these downloads still write to: what is free, and what they need."""
        ...

    async def discard(self, download: Download) -> None:
        """Remove what came of the files that are not complete; those that are stay."""
        ...

    async def load(self) -> Sequence[Download]:
        """Return the downloads that were kept, in their order, without those that another qtui works on."""
        ...

    async def adopt(self, download_id: str) -> Download | None:
        """Return one download that was kept, None when there is none or another qtui works on it."""
        ...

    async def keep(self, downloads: Sequence[Download]) -> None:
        """Keep this queue; a download that is done, or no longer in it, is kept no more.

        Raises:
            QtuiError: it cannot be written.
        """
        ...

    async def release(self) -> None:
        """Let other qtui processes have what is kept."""
        ...


class Checksums(Protocol):
    """Reads files that are here, and knows what they should be."""

    async def expected(self, name: str) -> Sequence[Expected]:
        """Return the files that a path (any of its shards), `REPO/FILE` or `REPO:QUANT` names, and what they should be.

        Damaged files are found too.

        Raises:
            BadFileError: there is no such file, or it may not be read.
            UsageError: the name fits nothing here.
        """
        ...

    def digest(self, path: Path) -> AsyncGenerator[int | str]:
        """Read a file: the bytes read so far, again and again, at last its SHA-256.

        Raises:
            BadFileError: it cannot be read.
        """
        ...
