"""A Downloads port that a test plays by hand: what each child says, and what the disk holds."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from qtui.core.downloads.download import Download, new_download
from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.messages import Fetched, FetchEvent, FetchFailed
from qtui.core.downloads.queue import Room
from qtui.core.errors import QtuiError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def a_download(name: str = "Tiny-Q4_K_M.gguf", size: int = 1000, sha256: str = "", folder: str = "") -> Download:
    return new_download(
        "acme/Tiny-GGUF", COMMIT, [RemoteFile(name, size, sha256 or hashlib.sha256(name.encode()).hexdigest())],
        title=name, folder=folder,
    )  # fmt: skip


@dataclass
class FakeDownloads:
    """Implements the Downloads port. `say` lets the child of a download say something."""

    free: int = 1 << 40
    here: dict[str, int] = field(default_factory=dict)
    """Bytes that are here, by id."""
    stored: list[Download] = field(default_factory=list)
    """What was kept by an earlier start."""
    kept_queue: tuple[Download, ...] = ()
    discarded: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    released: bool = False
    trouble: QtuiError | None = None
    """Raised by `keep`."""
    lines: dict[str, asyncio.Queue[FetchEvent]] = field(default_factory=dict)

    async def fetch(self, download: Download) -> AsyncGenerator[FetchEvent]:
        line = self.lines.setdefault(download.id, asyncio.Queue())
        self.started.append(download.id)
        self.running.add(download.id)
        try:
            while True:
                event = await line.get()
                yield event
                if isinstance(event, Fetched | FetchFailed):
                    return
        finally:
            self.running.discard(download.id)

    def say(self, download: Download, *events: FetchEvent) -> None:
        for event in events:
            self.lines.setdefault(download.id, asyncio.Queue()).put_nowait(event)

    async def kept(self, download: Download) -> int:
        return self.here.get(download.id, 0)

    async def room(self, downloads: Sequence[Download]) -> Sequence[Room]:
        return [Room("/models", self.free, sum(one.size - self.here.get(one.id, 0) for one in downloads))]

    async def discard(self, download: Download) -> None:
        self.discarded.append(download.id)
        self.here.pop(download.id, None)

    async def load(self) -> Sequence[Download]:
        return self.stored

    async def adopt(self, download_id: str) -> Download | None:
        return next((one for one in self.stored if one.id == download_id), None)

    async def keep(self, downloads: Sequence[Download]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.kept_queue = tuple(downloads)

    async def release(self) -> None:
        self.released = True
