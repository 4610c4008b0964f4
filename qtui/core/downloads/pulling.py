"""Finding out what a name on the Hub would fetch: the files of one variant at one commit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from qtui.core.downloads.download import Download, new_download
from qtui.core.downloads.files import RemoteFile
from qtui.core.hub.address import Address
from qtui.core.hub.events import FilesSeen, Listed, RepositoryFound, Waiting
from qtui.core.hub.finding import match
from qtui.core.hub.listing import Listing
from qtui.core.hub.ports import Hub
from qtui.core.hub.reading import list_repository
from qtui.core.hub.remote import RemoteVariant
from qtui.core.library.variant import Variant


@dataclass(frozen=True, slots=True)
class Resolved:
    """What will be fetched, and the row of the Hub's listing that it is."""

    download: Download
    row: RemoteVariant


async def resolve(
    hub: Hub, address: Address, *, folder: str = "", here: Sequence[Variant] = ()
) -> AsyncGenerator[Waiting | RepositoryFound | FilesSeen | Resolved]:
    """Find the files of an address; ends with Resolved. No header is read.

    Args:
        hub: the Hub.
        address: `REPO/FILE` or `REPO:QUANT`.
        folder: an absolute folder to fetch into; empty: the Hugging Face cache.
        here: the variants of this machine.

    Raises:
        UsageError: the repository holds no such variant; the hint says which it holds.
        HubError: the repository cannot be seen.
        BadFileError: a name in it is refused, or a file has no SHA-256.
    """
    listing: Listing | None = None
    async for event in list_repository(hub, address.repository, here):
        if isinstance(event, Listed):
            listing = event.listing
        elif isinstance(event, Waiting | RepositoryFound | FilesSeen):
            yield event
    assert listing is not None, "list_repository ends with Listed or raises"
    row = match(listing, address)
    yield Resolved(download_of(listing, row, folder), row)


def download_of(listing: Listing, row: RemoteVariant, folder: str = "") -> Download:
    """Return the download of one row of a listing, not queued yet.

    Raises:
        BadFileError: a name in it is refused, or a file has no SHA-256.
    """
    files = [RemoteFile(file.path, file.size, file.sha256) for file in row.files]
    repository = listing.repository
    return new_download(repository.id, repository.commit, files, title=row.address, folder=folder)
