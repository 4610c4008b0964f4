"""Queue: which download runs when, as a value; every rule returns a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qtui.core.downloads.download import WANTED, Download, State
from qtui.core.downloads.trouble import DiskFullError
from qtui.core.errors import Failure, UsageError
from qtui.core.text import MIB, clean_name, size

DISK_MARGIN = 256 * MIB
"""Kept free on every disk that is written to."""


@dataclass(frozen=True, slots=True)
class Room:
    """One disk: what is free there, and what downloads still have to write to it. Bytes."""

    folder: str
    """A folder on it that is written to."""
    free: int
    needed: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Downloads in their order: the first that waits is the next to start."""

    downloads: tuple[Download, ...] = ()
    parallel: int = 2
    """How many run at once."""

    def get(self, download_id: str) -> Download:
        """Return one download.

        Raises:
            UsageError: there is none of this id (any more).
        """
        for download in self.downloads:
            if download.id == download_id:
                return download
        raise UsageError("there is no such download", "it may have been cancelled")

    def holds(self, download_id: str) -> bool:
        """Tell whether a download is in the queue."""
        return any(download.id == download_id for download in self.downloads)

    def put(self, download: Download) -> Queue:
        """Return the queue with a download in the place of the one with its id, at the end when it is new."""
        if self.holds(download.id):
            same = (download if one.id == download.id else one for one in self.downloads)
            return replace(self, downloads=tuple(same))
        return replace(self, downloads=(*self.downloads, download))

    def without(self, download_id: str) -> Queue:
        """Return the queue without a download."""
        return replace(self, downloads=tuple(one for one in self.downloads if one.id != download_id))

    def moved(self, download_id: str, by: int) -> Queue:
        """Return the queue with a download so many places further down (up when negative); it stops at the ends."""
        one = self.get(download_id)
        rest = [other for other in self.downloads if other.id != download_id]
        place = min(max(self.downloads.index(one) + by, 0), len(rest))
        return replace(self, downloads=(*rest[:place], one, *rest[place:]))

    def next(self) -> Download | None:
        """Return the download that may start now, None when all places are taken or nothing waits."""
        if sum(one.active for one in self.downloads) >= self.parallel:
            return None
        return next((one for one in self.downloads if one.state is State.QUEUED), None)

    def wanted(self) -> tuple[Download, ...]:
        """Return the downloads that go on by themselves: their rest must fit on the disk."""
        return tuple(one for one in self.downloads if one.state in WANTED)

    def superseded_by(self, download: Download) -> tuple[Download, ...]:
        """Return unfinished downloads of the same names to the same place whose bytes the Hub has replaced since."""
        paths = {file.path for file in download.files}
        return tuple(
            one
            for one in self.downloads
            if one.id != download.id
            and one.state is not State.DONE
            and (one.repository, one.folder) == (download.repository, download.folder)
            and {file.path for file in one.files} & paths
        )


def paused(download: Download) -> Download:
    """Return a download that waits until it is resumed; one that is done or has failed stays as it is."""
    return _still(download, State.PAUSED) if download.state in WANTED else download


def resumed(download: Download) -> Download:
    """Return a download that is queued again after a pause or a failure; any other stays as it is."""
    if download.state not in (State.PAUSED, State.FAILED):
        return download
    return replace(_still(download, State.QUEUED), failure=None, note="")


def failed(download: Download, failure: Failure) -> Download:
    """Return a download that has failed; it stays in its place and can be tried again."""
    return replace(_still(download, State.FAILED), failure=failure, note="")


def stopped(download: Download, failure: Failure) -> Download:
    """Return a download that was stopped for something that is not its own fault."""
    return replace(_still(download, State.PAUSED), failure=failure, note="stopped: " + failure.message)


def _still(download: Download, state: State) -> Download:
    return replace(download, state=state, rate=None, time_left=None)


def lack_of_room(rooms: Sequence[Room], margin: int = DISK_MARGIN) -> DiskFullError | None:
    """Return why the downloads do not fit, None when they do: each disk has room for all of them and a margin."""
    for room in rooms:
        if room.needed > 0 and room.needed + margin > room.free:
            return DiskFullError(
                f"not enough room in {clean_name(room.folder)}: {size(room.needed)} to fetch, "
                f"{size(margin)} kept free, {size(room.free)} there",
                "free some space, cancel a download, or choose another folder",
            )
    return None
