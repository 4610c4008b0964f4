"""The app's way to the Hub: its place, and the downloads, which are shown everywhere and kept for the next start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on, work

from qtui.core.errors import QtuiError
from qtui.ui.messages import DownloadsChanged, FetchVariant, OpenRepository
from qtui.ui.planning import Planning
from qtui.ui.running import Running

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.downloads.download import Download
    from qtui.core.downloads.offer import Offer
    from qtui.core.downloads.run import DownloadRun
    from qtui.core.hub.listing import Listing
    from qtui.core.hub.remote import RemoteVariant
    from qtui.core.library.variant import Variant
    from qtui.ui.places.hub import HubPlace
    from qtui.ui.places.place import Place
    from qtui.ui.present.models import Standing


class Fetching(Planning):
    """A shell with a Hub that downloads. What was queued when qtui was closed goes on."""

    downloads: DownloadRun | None = None
    hub_place: HubPlace | None = None

    def build_hub(self, standing: Standing, here: Callable[[], Sequence[Variant]]) -> Place:
        """Make the place Hub; `here` tells the variants of this machine."""
        from qtui.ui.places.hub import HubPlace
        from qtui.ui.places.repository_page import RepositoryPage

        parts = self._parts
        assert parts.hub is not None
        page = RepositoryPage(
            hub=parts.hub, library=parts.library, guard=parts.guard, current=self.current, standing=standing, here=here,
            offer=self.offer if self.downloads is not None else None, forecast=parts.forecast,
        )  # fmt: skip
        self.hub_place = HubPlace(hub=parts.hub, page=page, vitals=self._vitals)
        return self.hub_place

    def show_downloads(self, event: DownloadsChanged) -> None:
        """Show in every place how downloads go."""

    @on(OpenRepository)
    async def open_repository(self, event: OpenRepository) -> None:
        """Go to the Hub, and open a repository there."""
        if self._parts.hub is None:
            self.notify("There is no Hub here.", severity="warning")
            return
        await self.switch_mode("hub")
        if self.hub_place is not None:
            self.hub_place.open_repository(event.repository)

    def start_fetching(self) -> None:
        """Take the queue up where it was left."""
        self.downloads = self._parts.download_run
        if self.downloads is not None:
            self._follow_downloads(self.downloads)

    async def stop_fetching(self) -> None:
        """Stop every download; what came is kept."""
        if self.downloads is not None:
            await self.downloads.close()

    async def offer(self, listing: Listing, row: RemoteVariant) -> Offer:
        """Tell what fetching a variant would take, to where the settings say.

        Raises:
            QtuiError: it cannot be fetched, or the disk cannot be looked at.
        """
        from qtui.core.downloads.offer import make_offer
        from qtui.core.downloads.pulling import download_of

        assert self._parts.downloads is not None and self.downloads is not None
        folder = self.settings.downloads_dir
        download = download_of(listing, row, str(folder.expanduser()) if folder is not None else "")
        return await make_offer(self._parts.downloads, self.downloads.queue, download)

    def running(self) -> Sequence[Running]:
        """Return the downloads that quitting would stop."""
        active = [one for one in self.downloads.queue.downloads if one.active] if self.downloads is not None else []
        return [
            Running(f"{one.title}: {100 * one.fraction:.0f} % downloaded", "stops", "goes on at the next start")
            for one in active
        ]

    @on(FetchVariant)
    def fetch_variant(self, event: FetchVariant) -> None:
        """Queue a download."""
        self._add_download(event.download)

    @on(DownloadsChanged)
    def take_downloads(self, event: DownloadsChanged) -> None:
        """Show how downloads go, and tell of one that is complete."""
        self.show_downloads(event)
        if self.hub_place is not None:
            self.hub_place.show_downloads(event.downloads)
        if event.finished is not None:
            self.notify(f"{event.finished.title} is here.")

    @work(group="download")
    async def _add_download(self, download: Download) -> None:
        if self.downloads is None:
            return
        try:
            await self.downloads.add(download)
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error")

    @work(group="downloads")
    async def _follow_downloads(self, run: DownloadRun) -> None:
        from qtui.core.downloads.run import DownloadFinished

        try:
            await run.restore()
        except QtuiError as error:
            self.notify(f"{error.message}\n{error.hint}", severity="error")
        async for event in run.events():
            done = event.download if isinstance(event, DownloadFinished) else None
            self.post_message(DownloadsChanged(run.queue.downloads, done))
