"""The app's way to the Hub: its place, and what fetching a variant would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on

from qtui.ui.downloading import Downloading
from qtui.ui.messages import OpenRepository

if TYPE_CHECKING:  # what places need is imported after the first paint
    from qtui.core.downloads.offer import Offer
    from qtui.core.hub.listing import Listing
    from qtui.core.hub.remote import RemoteVariant
    from qtui.core.library.variant import Variant
    from qtui.ui.places.hub import HubPlace
    from qtui.ui.places.place import Place
    from qtui.ui.present.models import Standing


class Exploring(Downloading):
    """A shell with a place for the Hub."""

    hub_place: HubPlace | None = None

    def build_hub(self, standing: Standing, here: Callable[[], Sequence[Variant]]) -> Place:
        """Make the place; `here` tells the variants of this machine."""
        from qtui.ui.places.hub import HubPlace
        from qtui.ui.places.repository_page import RepositoryPage

        parts = self._parts
        assert parts.hub is not None
        page = RepositoryPage(
            hub=parts.hub, library=parts.library, guard=parts.guard, current=self.current, standing=standing, here=here,
            offer=self.offer if parts.downloads is not None else None, forecast=parts.forecast,
            losses=parts.losses,
        )  # fmt: skip
        self.hub_place = HubPlace(hub=parts.hub, page=page, vitals=self._vitals)
        return self.hub_place

    async def offer(self, listing: Listing, row: RemoteVariant) -> Offer:
        """Tell what fetching a variant would take, to where the settings say.

        Raises:
            QtuiError: it cannot be fetched, or the disk cannot be looked at.
        """
        from qtui.core.downloads.pulling import download_of
        from qtui.core.user_path import user_path

        assert self._parts.downloads is not None
        folder = self.settings.downloads_dir
        download = download_of(listing, row, str(user_path(folder)) if folder is not None else "")
        return await self._parts.downloads.offer(download)

    @on(OpenRepository)
    async def open_repository(self, event: OpenRepository) -> None:
        """Go to the Hub, and open a repository there."""
        if self._parts.hub is None:
            self.notify("There is no Hub here.", severity="warning")
            return
        await self.switch_mode("hub")
        if self.hub_place is not None:
            self.hub_place.open_repository(event.repository)
