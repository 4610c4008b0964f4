"""The download run: a queue that is worked off, as a stream of events. A verb and a panel show the same events.

Nothing here knows a socket or a disk: the Downloads port fetches, measures and keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic

from qtui.core.downloads.download import ACTIVE, WANTED, Download, State
from qtui.core.downloads.messages import (
    Fetched,
    FetchEvent,
    FetchFailed,
    FetchNoted,
    FetchProgressed,
    FileFetched,
)
from qtui.core.downloads.offer import Offer, make_offer
from qtui.core.downloads.ports import Downloads
from qtui.core.downloads.queue import DISK_MARGIN, Queue, failed, lack_of_room, paused, resumed, stopped
from qtui.core.downloads.trouble import DiskFullError
from qtui.core.errors import Failure, QtuiError
from qtui.core.rate import RateMeter


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """Downloads came, went or changed places."""

    downloads: tuple[Download, ...]


@dataclass(frozen=True, slots=True)
class DownloadChanged:
    """A download moved on, or its state is another."""

    download: Download


@dataclass(frozen=True, slots=True)
class FileArrived:
    """A file is complete and in its place: the library has one more."""

    download: Download
    path: str


@dataclass(frozen=True, slots=True)
class DownloadFinished:
    """All files of a download are in their places."""

    download: Download
    received: int
    """Bytes that came from the server since it was last started."""


DownloadEvent = QueueChanged | DownloadChanged | FileArrived | DownloadFinished


class DownloadRun:
    """Works off a queue until it is closed. All calls come from one event loop."""

    def __init__(
        self,
        port: Downloads,
        parallel: int = 2,
        margin: int = DISK_MARGIN,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._port = port
        self._margin = margin
        self._clock = clock
        self._queue = Queue(parallel=parallel)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._meters: dict[str, RateMeter] = {}
        self._listeners: list[asyncio.Queue[DownloadEvent | None]] = []
        self._changing = asyncio.Lock()
        self._closed = False
        self._problem = ""

    @property
    def queue(self) -> Queue:
        """Return the queue as it is now."""
        return self._queue

    @property
    def problem(self) -> str:
        """Return why the queue could not be kept for the next start; empty when it could."""
        return self._problem

    async def events(self) -> AsyncGenerator[DownloadEvent]:
        """Yield what happens from now on, the queue as it is first, until the run is closed."""
        listener: asyncio.Queue[DownloadEvent | None] = asyncio.Queue()
        if self._closed:
            listener.put_nowait(None)
        self._listeners.append(listener)
        try:
            yield QueueChanged(self._queue.downloads)
            while (event := await listener.get()) is not None:
                yield event
        finally:
            self._listeners.remove(listener)

    async def follow(self, download_id: str) -> AsyncGenerator[DownloadEvent]:
        """Yield what happens to one download, as it is now first, until nothing works on it any more.

        Raises:
            UsageError: there is no such download.
        """
        async with aclosing(self.events()) as events:
            self._queue.get(download_id)
            async for event in events:
                if isinstance(event, QueueChanged):
                    latest = next((one for one in event.downloads if one.id == download_id), None)
                    if latest is None:
                        return
                    yield DownloadChanged(latest)
                    if latest.state not in WANTED:
                        return
                elif event.download.id == download_id:
                    yield event
                    if isinstance(event, DownloadFinished) or event.download.state in (State.PAUSED, State.FAILED):
                        return

    async def offer(self, download: Download) -> Offer:
        """Tell what a download would take beside what is queued already; nothing is queued."""
        return await make_offer(self._port, self._queue, download)

    async def restore(self) -> None:
        """Take up what was kept when qtui was closed: what ran or waited then goes on, what was paused stays so."""
        async with self._changing:
            for download in await self._port.load():
                if not self._queue.holds(download.id):
                    self._queue = self._queue.put(await self._as_kept(download))
            self._tell(QueueChanged(self._queue.downloads))
        await self._work()

    async def add(self, download: Download) -> Download:
        """Queue a download and return it as it stands; one that is in the queue already is resumed.

        What was kept of it is taken up. An unfinished one whose files the Hub has replaced since makes room for it.

        Raises:
            DiskFullError: with it, the queue has no room on the disk; it is not added.
        """
        async with self._changing:
            if self._queue.holds(download.id) and self._queue.get(download.id).state is State.DONE:
                self._queue = self._queue.without(download.id)
            if not self._queue.holds(download.id):
                await self._replace_superseded(download)
                adopted = await self._port.adopt(download.id)
                download = await self._as_kept(resumed(adopted) if adopted is not None else download)
                await self._need_room(download)
                self._queue = self._queue.put(download)
                await self._keep()
                self._tell(QueueChanged(self._queue.downloads))
        await self.resume(download.id)
        return self._queue.get(download.id)

    async def pause(self, download_id: str) -> None:
        """Stop a download and keep what came; harmless when it does not run."""
        async with self._changing:
            await self._halt(download_id)
            self._set(paused(await self._measured(self._queue.get(download_id))))
            await self._keep()
        await self._work()

    async def resume(self, download_id: str) -> None:
        """Queue a download again that was paused or has failed; harmless when it goes on anyway.

        Raises:
            DiskFullError: there is no room for the rest of it.
        """
        async with self._changing:
            before = self._queue.get(download_id)
            after = resumed(before)
            if after is not before:
                await self._need_room(after)
                self._set(after)
                await self._keep()
        await self._work()

    async def cancel(self, download_id: str) -> None:
        """Take a download off the queue and remove what came of its unfinished files."""
        async with self._changing:
            await self._halt(download_id)
            download = self._queue.get(download_id)
            if download.state is not State.DONE:
                await self._port.discard(download)
            self._queue = self._queue.without(download_id)
            await self._keep()
            self._tell(QueueChanged(self._queue.downloads))
        await self._work()

    async def move(self, download_id: str, by: int) -> None:
        """Move a download so many places down the queue, up when negative."""
        async with self._changing:
            self._queue = self._queue.moved(download_id, by)
            await self._keep()
            self._tell(QueueChanged(self._queue.downloads))

    async def set_parallel(self, parallel: int) -> None:
        """Let so many run at once; those that run already go on."""
        self._queue = replace(self._queue, parallel=parallel)
        await self._work()

    async def close(self) -> None:
        """Stop everything and keep what came; what ran goes on when qtui is started again."""
        async with self._changing:
            if self._closed:
                return
            self._closed = True
            for download in self._queue.downloads:
                await self._halt(download.id)
            await self._keep()
            await self._port.release()
        await asyncio.gather(*self._ending)
        for listener in self._listeners:
            listener.put_nowait(None)

    async def _work(self) -> None:
        """Start what may start."""
        async with self._changing:
            if self._closed:
                return
            while (download := self._queue.next()) is not None:
                self._meters[download.id] = RateMeter()
                self._set(replace(download, state=State.RUNNING, note="", failure=None, paths=()))
                self._tasks[download.id] = asyncio.create_task(self._fetch(download.id))
            await self._keep()

    async def _fetch(self, download_id: str) -> None:
        """Fetch one download, and act on how it ended."""
        try:
            ended = await self._followed(download_id)
        except QtuiError as error:
            ended = FetchFailed(Failure.of(error))
        # From here on nobody may cancel it: what it found would be lost.
        task = self._tasks.pop(download_id)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        if isinstance(ended, FetchFailed) and ended.failure.kind == DiskFullError.kind:
            await self._stop_all(download_id, ended.failure)
        elif isinstance(ended, FetchFailed):
            self._set(failed(self._queue.get(download_id), ended.failure))
        elif ended is not None:
            download = self._queue.get(download_id)
            done = replace(
                download, state=State.DONE, done=download.size, rate=None, time_left=None, note="", failure=None
            )
            self._set(done)
            self._tell(DownloadFinished(done, ended.received))
        await self._work()

    async def _followed(self, download_id: str) -> Fetched | FetchFailed | None:
        """Hand on what a child says, and return how it ended."""
        download = self._queue.get(download_id)
        if (lack := lack_of_room(await self._port.room([self._queue.get(download_id)]), 0)) is not None:
            return FetchFailed(Failure.of(lack))
        async with aclosing(self._port.fetch(download)) as events:
            async for event in events:
                if isinstance(event, Fetched | FetchFailed):
                    return event
                self._take(download_id, event)
        return FetchFailed(Failure("the downloading process ended without a word", "try it again"))

    def _take(self, download_id: str, event: FetchEvent) -> None:
        """Change a download by what its child says."""
        download = self._queue.get(download_id)
        if isinstance(event, FetchNoted):
            self._set(replace(download, note=event.text))
        elif isinstance(event, FileFetched):
            self._set(replace(download, paths=(*download.paths, event.path)))
            self._tell(FileArrived(self._queue.get(download_id), event.path))
        elif isinstance(event, FetchProgressed):
            meter = self._meters[download_id]
            if event.checking:
                meter.reset()
            else:
                meter.add(self._clock(), event.done)
            self._set(
                replace(
                    download,
                    state=State.VERIFYING if event.checking else State.RUNNING,
                    done=event.done,
                    rate=meter.rate(),
                    time_left=meter.time_left(download.size - event.done),
                )
            )

    async def _stop_all(self, download_id: str, failure: Failure) -> None:
        """Stop every download, because a disk is full: the others would only fill what is left."""
        async with self._changing:
            for download in self._queue.wanted():
                if download.id != download_id:
                    await self._halt(download.id)
                self._set(stopped(await self._measured(self._queue.get(download.id)), failure))
            await self._keep()

    async def _halt(self, download_id: str) -> None:
        """End the child of a download, if there is one; what came is kept."""
        task = self._tasks.pop(download_id, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            download = self._queue.get(download_id)
            if download.state in ACTIVE:
                self._set(replace(download, state=State.QUEUED, rate=None, time_left=None))

    async def _replace_superseded(self, download: Download) -> None:
        for old in self._queue.superseded_by(download):
            await self._halt(old.id)
            await self._port.discard(old)
            self._queue = self._queue.without(old.id)

    async def _need_room(self, download: Download) -> None:
        wanted = self._queue.put(download).wanted()
        if (lack := lack_of_room(await self._port.room(wanted), self._margin)) is not None:
            raise lack

    async def _as_kept(self, download: Download) -> Download:
        """Return a download of an earlier run as one that waits: nothing works on it now."""
        waits = State.QUEUED if download.state in ACTIVE else download.state
        return await self._measured(replace(download, state=waits, rate=None, time_left=None, paths=()))

    async def _measured(self, download: Download) -> Download:
        return replace(download, done=await self._port.kept(download))

    async def _keep(self) -> None:
        """Keep the queue for the next start; a disk that cannot be written to does not stop the downloads."""
        try:
            await self._port.keep(self._queue.downloads)
        except QtuiError as error:
            self._problem = f"{error.message}: the queue will not be there after a restart"
        else:
            self._problem = ""

    def _set(self, download: Download) -> None:
        if self._queue.holds(download.id):
            self._queue = self._queue.put(download)
            self._tell(DownloadChanged(download))

    def _tell(self, event: DownloadEvent) -> None:
        for listener in self._listeners:
            listener.put_nowait(event)
