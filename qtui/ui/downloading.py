"""Downloads in the app: the queue goes on while qtui is open, in every place and with the panel closed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on, work

from qtui.core.errors import QtuiError
from qtui.core.settings import Settings
from qtui.core.text import clean_name
from qtui.ui.messages import DownloadsHappened, FetchVariant, FilesChanged
from qtui.ui.running import Running
from qtui.ui.watching import Watching

if TYPE_CHECKING:  # the app paints before what downloads need is imported
    from qtui.core.downloads.run import DownloadRun


class Downloading(Watching):
    """A shell that works off the queue of downloads."""

    def start_downloading(self) -> None:
        """Take up what was kept of the last start, and watch what happens."""
        if self._downloads is not None:
            self._watch_downloads(self._downloads)
            self._restore_downloads(self._downloads)

    async def stop_downloading(self) -> None:
        """Stop all downloads; what came is kept, and they go on at the next start."""
        if self._downloads is not None:
            await self._downloads.close()

    def take_settings(self, before: Settings, after: Settings) -> None:
        """Let as many downloads run at once as is set now."""
        super().take_settings(before, after)
        if self._downloads is not None and before.downloads_parallel != after.downloads_parallel:
            self._run_at_once(self._downloads, after.downloads_parallel)

    def at_stake(self) -> Sequence[Running]:
        """Return the downloads that quitting would stop."""
        from qtui.ui.present.downloads import running_downloads

        return running_downloads(self._downloads.queue.downloads) if self._downloads is not None else ()

    def action_downloads(self) -> None:
        """Open the panel of downloads."""
        from qtui.ui.panels.downloads import DownloadsPanel

        if self._downloads is None:
            if self.opened:
                self.notify("Nothing can be downloaded here.", severity="warning")
        elif not isinstance(self.screen, DownloadsPanel):
            self.push_screen(DownloadsPanel(self._downloads))

    @on(FetchVariant)
    async def fetch_variant(self, event: FetchVariant) -> None:
        """Queue a download."""
        if self._downloads is not None:
            self._add_download(self._downloads, event)

    @on(DownloadsHappened)
    def note_downloads(self, happened: DownloadsHappened) -> None:
        """Show how far they are; look for files when some came."""
        from qtui.core.downloads.run import DownloadFinished, FileArrived

        event = happened.event
        assert self._downloads is not None
        self.show_vitals(replace(self._vitals, downloads=self._downloads.queue.downloads))
        if isinstance(event, FileArrived):
            for place in self.places():
                place.post_message(FilesChanged())
        elif isinstance(event, DownloadFinished):
            self.notify(f"{clean_name(event.download.title)} is here, verified", markup=False)

    @property
    def _downloads(self) -> DownloadRun | None:
        return self._parts.downloads if hasattr(self, "_parts") else None

    @work(group="downloads")
    async def _watch_downloads(self, run: DownloadRun) -> None:
        async with aclosing(run.events()) as events:
            async for event in events:
                self.post_message(DownloadsHappened(event))

    @work(group="downloads")
    async def _restore_downloads(self, run: DownloadRun) -> None:
        await run.restore()

    @work(group="downloads")
    async def _run_at_once(self, run: DownloadRun, parallel: int) -> None:
        await run.set_parallel(parallel)

    @work(group="downloads")
    async def _add_download(self, run: DownloadRun, wanted: FetchVariant) -> None:
        try:
            await run.add(wanted.download)
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error", markup=False)
