"""DownloadsClient: the Downloads port, one child process for each download."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtui.core.downloads.download import Download
from qtui.core.downloads.messages import (
    FETCH_REPLIES,
    Fetched,
    FetchEvent,
    FetchFailed,
    FetchJob,
    FileFetched,
    Pace,
)
from qtui.core.downloads.queue import Room
from qtui.core.errors import Failure
from qtui.core.text import clean
from qtui.core.wire import cleaned, decode
from qtui.services.downloads import disk
from qtui.services.downloads.entries import Entries
from qtui.services.downloads.manifest import Manifest, line_of
from qtui.services.engine.child_process import SECRETS, ChildProcess, python_module
from qtui.services.engine.logs import ChildLog
from qtui.services.hub import refusals
from qtui.services.library.places import hub_cache

CHILD = "qtui.services.downloads.child.fetch"
PATIENCE_S = 3.0
"""For a child to end by itself; a kill loses nothing either."""
QUIET: Mapping[str, str] = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_SYMLINKS_WARNING": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_DEBUG": "0",
}
"""How huggingface_hub behaves in the child: it says nothing, sends nothing by itself, and does not know Xet."""
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The Hub that is asked."""

    address: str
    """Without a slash at the end."""
    send_token: bool = False
    """The user's token may go there: it is the Hub itself, or a mirror that the user trusts."""
    offline: bool = False
    """The user wants nothing to be asked."""


class DownloadsClient:
    """Fetches in children. Implements the Downloads port.

    Args:
        endpoint: the Hub to ask, looked at for each download.
        cache: the Hugging Face cache.
        entries: the queue between starts.
        manifest: what was fetched.
        pace: how patient children are.
    """

    def __init__(
        self,
        endpoint: Callable[[], Endpoint],
        *,
        cache: Callable[[], Path] = hub_cache,
        entries: Entries | None = None,
        manifest: Manifest | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self._endpoint = endpoint
        self._cache = cache
        self._entries = entries or Entries()
        self._manifest = manifest or Manifest()
        self._pace = pace

    async def fetch(self, download: Download) -> AsyncGenerator[FetchEvent]:
        """Fetch all files of a download; closing the iterator stops the child, and what came is kept."""
        endpoint = self._endpoint()
        if endpoint.offline:
            yield FetchFailed(Failure.of(refusals.offline(endpoint.address)))
            return
        job = FetchJob(
            repository=download.repository, commit=download.commit, files=download.files, cache=str(self._cache()),
            endpoint=endpoint.address, revision=download.revision, folder=download.folder,
            verified=await asyncio.to_thread(self._verified, download), send_token=endpoint.send_token, pace=self._pace,
        )  # fmt: skip
        log = ChildLog(f"download-{uuid.uuid4().hex[:8]}")
        try:
            child = await ChildProcess.start(python_module(CHILD), log, child_environment(endpoint.send_token))
        except OSError as error:
            yield FetchFailed(Failure(f"cannot start a process: {clean(str(error))}"))
            return
        try:
            child.send(job)
            async for line in child.lines():
                event = decode(line, FETCH_REPLIES)
                if event is None:
                    continue
                if isinstance(event, FileFetched):
                    await asyncio.to_thread(self._note, download, event)
                yield cleaned(event) if not isinstance(event, FileFetched) else event
                if isinstance(event, Fetched | FetchFailed):
                    return
            status = await child.ended(PATIENCE_S)
            last = ("it said nothing", *log.tail())[-1]
            yield FetchFailed(
                Failure(
                    f"the downloading process died (status {status}): {last}",
                    "what came is kept; try it again",
                )
            )
        finally:
            await child.ended(PATIENCE_S)

    async def kept(self, download: Download) -> int:
        """Return the bytes that are here of a download, in place or in part."""
        return await asyncio.to_thread(disk.kept_bytes, self._cache(), download)

    async def room(self, downloads: Sequence[Download]) -> Sequence[Room]:
        """Return each disk that these downloads, and those of other qtui processes, still write to."""
        return await asyncio.to_thread(self._rooms, downloads)

    async def discard(self, download: Download) -> None:
        """Remove what came of the files that are not complete."""
        await asyncio.to_thread(disk.discard, self._cache(), download)

    async def load(self) -> Sequence[Download]:
        """Return the downloads that were kept, without those that another qtui works on."""
        return await asyncio.to_thread(self._entries.load)

    async def adopt(self, download_id: str) -> Download | None:
        """Return one download that was kept, None when there is none or another qtui works on it."""
        return await asyncio.to_thread(self._entries.adopt, download_id)

    async def keep(self, downloads: Sequence[Download]) -> None:
        """Keep this queue; a download that is done, or no longer in it, is kept no more."""
        await asyncio.to_thread(self._entries.keep, downloads)

    async def release(self) -> None:
        """Let other qtui processes have what is kept."""
        self._entries.release()

    def _rooms(self, downloads: Sequence[Download]) -> list[Room]:
        ours = {download.id for download in downloads}
        others = [one for one in self._entries.others() if one.id not in ours]
        return disk.rooms(self._cache(), [*downloads, *others])

    def _verified(self, download: Download) -> tuple[str, ...]:
        """Return the SHA-256 of files that are here as they were when they were verified."""
        landings = disk.landings(self._cache(), download)
        known = self._manifest.of(landing.name for _, landing in landings)
        return tuple(
            file.sha256
            for file, landing in landings
            if (line := known.get(landing.name)) is not None
            and line.sha256 == file.sha256
            and self._manifest.is_unchanged(line)
        )

    def _note(self, download: Download, event: FileFetched) -> None:
        self._manifest.add(line_of(download, download.files[event.index], Path(event.path)))


def child_environment(send_token: bool) -> dict[str, str]:
    """Return the environment of a downloading child: of all secrets only the token, where it may be sent."""
    kept = TOKENS if send_token else ()
    ours = {key: value for key, value in os.environ.items() if key in kept or key not in SECRETS}
    return {**ours, **QUIET}
