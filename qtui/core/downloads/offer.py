"""Offer: what fetching a variant of a repository would take, told before the first byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.downloads.download import Download
from qtui.core.downloads.ports import Downloads
from qtui.core.downloads.queue import Queue, Room, lack_of_room
from qtui.core.downloads.trouble import DiskFullError


@dataclass(frozen=True, slots=True)
class Offer:
    """A download that could be queued."""

    download: Download
    to_fetch: int
    """Bytes that are not here yet."""
    left_after: int | None
    """Bytes free on its disk once the whole queue has been fetched; None: unknown."""
    lack: DiskFullError | None = None
    """Why there is no room for it."""
    unlisted: str = ""
    """The folders that are listed instead of where it goes, clean; empty: Models will show it."""


async def make_offer(port: Downloads, queue: Queue, download: Download) -> Offer:
    """Measure what a download would take beside what is queued already."""
    rooms = await port.room(queue.put(download).wanted())
    return Offer(
        download, max(0, download.size - await port.kept(download)), _left(rooms, await port.room([download])),
        lack_of_room(rooms),
    )  # fmt: skip


def _left(rooms: Sequence[Room], own: Sequence[Room]) -> int | None:
    """Return what stays free on the disk that a download goes to."""
    disk = next((room for room in rooms for mine in own if room.folder == mine.folder), None)
    disk = disk or (rooms[0] if len(rooms) == 1 else None)
    return max(0, disk.free - disk.needed) if disk is not None else None
