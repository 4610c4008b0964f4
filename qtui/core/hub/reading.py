"""The run that reads a repository: its files, the header of each variant, what each needs under the plan."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace

from qtui.core.errors import BadFileError, Failure, HubError, QtuiError
from qtui.core.gguf.names import parse_name
from qtui.core.hub.events import (
    FilesSeen,
    HeaderRead,
    Listed,
    ReadingEnded,
    ReadingEvent,
    RepositoryFound,
    RowChanged,
    Waiting,
)
from qtui.core.hub.flags import header_flags
from qtui.core.hub.listing import Listing, list_variants, with_records
from qtui.core.hub.ports import Hub
from qtui.core.hub.remote import RemoteVariant
from qtui.core.hub.repository import FilesPage, Repository, RepositoryFile
from qtui.core.hub.weighing import Plan, weigh_rows
from qtui.core.library.record import FileRecord
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Guard
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Library

AT_ONCE = 4
"""Headers that are read at once, after the first."""
FINAL = ("access", "offline", "rate_limit")
"""Kinds of errors after which the next file would fail alike."""


async def read_repository(
    hub: Hub,
    library: Library,
    name: str,
    *,
    here: Sequence[Variant] = (),
    guard: Guard | None = None,
    plan: Plan = lambda _variant: LoadPlan(),
    exact: bool = True,
) -> AsyncGenerator[ReadingEvent, None]:
    """Read a repository: RepositoryFound, FilesSeen…, Listed, then rows as they come, at last ReadingEnded.

    Args:
        hub: where it is.
        library: reads facts out of headers.
        name: `owner/name`.
        here: the variants of this machine, to tell what of it is among them.
        guard: weighs each variant once its header is known; None: nothing is weighed.
        plan: under which plan.
        exact: weigh by llama.cpp too, once all were weighed by the closed form.

    Raises:
        HubError: the repository cannot be seen. What concerns one file is an event.
    """
    listing: Listing | None = None
    async for found in list_repository(hub, name, here):
        yield found
        if isinstance(found, Listed):
            listing = found.listing
    assert listing is not None, "list_repository ends with Listed or raises"
    fetched = 0
    async with contextlib.aclosing(read_headers(hub, library, listing)) as changes:
        async for event in changes:
            yield event
            if not isinstance(event, RowChanged):
                continue
            listing = listing.with_row(event.row)
            fetched += event.fetched
            if guard is not None:
                async for weighed in weigh_rows(guard, [event.row], plan, exact=False):
                    yield weighed
    if guard is not None and exact:
        async for weighed in weigh_rows(guard, listing.rows, plan, exact=True):
            yield weighed
    yield ReadingEnded(listing, fetched)


async def list_repository(
    hub: Hub, name: str, here: Sequence[Variant] = ()
) -> AsyncGenerator[Waiting | RepositoryFound | FilesSeen | Listed, None]:
    """List a repository without reading headers: RepositoryFound, FilesSeen…, Listed.

    Raises:
        HubError: it cannot be seen.
    """
    repository: Repository | None = None
    async for found in hub.repository(name):
        if isinstance(found, Waiting):
            yield found
        else:
            repository = found
    assert repository is not None, "the port ends with a repository or raises"
    yield RepositoryFound(repository)
    files: list[RepositoryFile] = []
    left_out = 0
    async for page in hub.files(repository):
        if isinstance(page, FilesPage):
            files += page.files
            left_out += page.left_out
            yield FilesSeen(len(files))
        else:
            yield page
    copies = await hub.copies(repository.id, here)
    yield Listed(list_variants(repository, files, hub.header_path, copies, left_out))


async def read_headers(
    hub: Hub, library: Library, listing: Listing, only: Sequence[RemoteVariant] | None = None
) -> AsyncGenerator[Waiting | RowChanged, None]:
    """Read the headers of the variants of a listing, or of some: one RowChanged each, and what is waited for.

    The first is read alone: of its siblings only what is their own has to be fetched then. An error that would repeat
    itself (no access, offline) ends the run with the row that it came with.
    """
    wanted = deque(row for row in (listing.all if only is None else only) if readable(row) and not row.header_read)
    if not wanted:
        return
    wanted.rotate(-_first(wanted))
    reader = _Reader(hub, library, listing.repository, wanted)
    try:
        async for event in reader.run():
            yield event
    finally:
        await reader.stop()


def readable(row: RemoteVariant) -> bool:
    """Tell whether a row's files have headers."""
    return row.variant.role not in (Role.RAWPART, Role.IMATRIX) and row.key.lower().endswith(".gguf")


def _first(rows: Sequence[RemoteVariant]) -> int:
    """Return the index of the row that the others are compared with: a model in one file, by choice a quantised one."""
    models = [index for index, row in enumerate(rows) if row.variant.role is Role.MODEL and len(row.files) == 1]
    quantised = [index for index in models if rows[index].variant.quant not in ("F32", "F16", "BF16")]
    return next(iter(quantised or models), 0)


class _Reader:
    """Reads rows, `AT_ONCE` at a time, and gathers what happens."""

    def __init__(self, hub: Hub, library: Library, repository: Repository, rows: deque[RemoteVariant]) -> None:
        self._hub, self._library, self._repository = hub, library, repository
        self._rows = rows
        self._total, self._done = len(rows), 0
        self._events: asyncio.Queue[Waiting | RowChanged | None] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    async def run(self) -> AsyncIterator[Waiting | RowChanged]:
        """Yield what happens until all rows are done."""
        for count in (1, AT_ONCE):
            only_one = count == 1
            self._workers = [asyncio.create_task(self._work(only_one)) for _ in range(count)]
            left = count
            while left:
                event = await self._events.get()
                if event is None:
                    left -= 1
                else:
                    yield event
            for worker in self._workers:
                await worker

    async def stop(self) -> None:
        """End what still runs."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self, only_one: bool) -> None:
        try:
            while self._rows:
                row = self._rows.popleft()
                try:
                    changed, fetched = await self._read(row)
                    failure = None
                except QtuiError as error:
                    changed, fetched, failure = replace(row, problem=error.message), 0, Failure.of(error)
                    if isinstance(error, HubError) and error.kind in FINAL:
                        self._rows.clear()
                self._done += 1
                self._events.put_nowait(RowChanged(changed, self._done, self._total, fetched, failure))
                if only_one:
                    return
        finally:
            self._events.put_nowait(None)

    async def _read(self, row: RemoteVariant) -> tuple[RemoteVariant, int]:
        """Return a row with what its headers say, and the bytes that they took."""
        fetched = 0
        records: list[FileRecord] = []
        flags: list[str] = []
        for file in row.files:
            async for event in self._hub.header(self._repository, file):
                if isinstance(event, HeaderRead):
                    records.append(event.record)
                    fetched += event.fetched
                    flags += [event.note] if event.note else []
                elif isinstance(event, Waiting):
                    self._events.put_nowait(event)
        read = with_records(row, self._repository, records, self._hub.header_path)
        try:
            facts = await self._library.facts(read.variant)
        except BadFileError as error:
            return replace(read, flags=(*read.flags, *flags, error.message)), fetched
        label = parse_name(row.key, self._repository.id).quant or ""
        told = (*flags, *header_flags(facts, label, row.address))
        return replace(read, flags=tuple(dict.fromkeys(told))), fetched
