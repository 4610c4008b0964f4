"""The run that finds one variant on the Hub by its name, and reads its header."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from qtui.core.errors import BadFileError, HubError, NotOnHubError, QtuiError, UsageError
from qtui.core.hub.address import Address
from qtui.core.hub.events import FilesSeen, Listed, RepositoryFound, RowChanged, Waiting
from qtui.core.hub.listing import Listing
from qtui.core.hub.ports import Hub
from qtui.core.hub.reading import list_repository, read_headers, readable
from qtui.core.hub.remote import RemoteVariant
from qtui.core.library.variant import Role
from qtui.core.ports import Library
from qtui.core.text import clean_name

MAX_LISTED = 8


@dataclass(frozen=True, slots=True)
class Found:
    """The variant that was meant, its header read."""

    row: RemoteVariant
    listing: Listing


async def find_variant(
    hub: Hub, library: Library, address: Address
) -> AsyncGenerator[Waiting | RepositoryFound | FilesSeen | Listed | Found, None]:
    """Find the variant of an address; ends with Found.

    Raises:
        UsageError: the repository holds no such variant; the hint says which it holds.
        HubError: the repository cannot be seen.
        BadFileError: the header is damaged, or the file is of a kind that has none.
    """
    listing: Listing | None = None
    async for event in list_repository(hub, address.repository):
        yield event
        if isinstance(event, Listed):
            listing = event.listing
    assert listing is not None, "list_repository ends with Listed or raises"
    row = match(listing, address)
    if not readable(row):
        what = row.variant.problem or f"its role is {row.variant.role.value}"
        raise BadFileError(f"{clean_name(row.address)}: {what}", "there is no header in it that could be read")
    async for change in read_headers(hub, library, listing, [row]):
        if isinstance(change, Waiting):
            yield change
        elif change.failure is not None:
            raise _raised(change, row)
        else:
            row = change.row
    yield Found(row, listing.with_row(row))


def match(listing: Listing, address: Address) -> RemoteVariant:
    """Return the row that an address means.

    Raises:
        UsageError: none, or more than one.
    """
    if address.file:
        wanted = address.file.casefold()
        for row in listing.all:
            if any(file.path.casefold() == wanted for file in row.files):
                return row
        raise UsageError(f"{address.repository} has no file {clean_name(address.file)}", _there(listing))
    label = address.quant.casefold()
    exact = [row for row in listing.rows if row.variant.quant.casefold() == label]
    # As for files on this machine, `Q4_K_XL` means `UD-Q4_K_XL` where that is the only one.
    marked = [row for row in listing.rows if row.variant.quant.casefold().endswith(f"-{label}")]
    found = exact or (marked if len({row.variant.quant for row in marked}) == 1 else [])
    whole = [row for row in found if row.variant.role is not Role.RAWPART] or found
    if not whole:
        raise UsageError(f"{address.repository} has no {clean_name(address.quant)}", _there(listing))
    if len(whole) > 1:
        names = ", ".join(row.address for row in whole[:MAX_LISTED])
        raise UsageError(f"{len(whole)} files of {address.repository} are {clean_name(address.quant)}", f"say: {names}")
    return whole[0]


def _there(listing: Listing) -> str:
    labels = list(dict.fromkeys(row.variant.quant for row in listing.rows))
    if not labels:
        return "There is no GGUF model in it; `qtui quants` says what it is."
    rest = f" and {len(labels) - MAX_LISTED} more" if len(labels) > MAX_LISTED else ""
    return f"It holds: {', '.join(labels[:MAX_LISTED])}{rest}."


def _raised(change: RowChanged, row: RemoteVariant) -> QtuiError:
    """Return the failure of an event as the error that it was."""
    failure = change.failure
    assert failure is not None
    kinds: Sequence[type[QtuiError]] = (BadFileError, NotOnHubError, *HubError.__subclasses__(), HubError)
    kind = next((each for each in kinds if each.kind == failure.kind), QtuiError)
    message = failure.message
    return kind(message if row.files[0].pure_path.name in message else f"{row.address}: {message}", failure.hint)
