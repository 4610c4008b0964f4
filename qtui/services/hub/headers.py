"""Reads headers of remote files: as few bytes as prove what the file is, each header once for ever."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.gguf.cursor import FETCH_AGAIN, MAX_HEADER
from qtui.core.gguf.names import split_part
from qtui.core.gguf.partial import NotFetchedError, PartialSource
from qtui.core.gguf.reader import MAGIC, Header, read_header
from qtui.core.gguf.sibling import GUARD, Gap, assemble, gap_of, proven, shift_of, tail_of
from qtui.core.hub.events import HeaderFetched, HeaderRead, Waiting
from qtui.core.hub.repository import Repository, RepositoryFile
from qtui.core.library.record import record_of
from qtui.core.text import KIB, MIB, clean_name, size
from qtui.services.hub.client import HubClient
from qtui.services.hub.ranges import IgnoresRangesError, RemoteBytes
from qtui.services.hub.store import HeaderStore
from qtui.services.library.source import FileSource

WINDOW = 16 * KIB
"""Bytes that are parsed at once: what is fetched beyond a header's end is at most this."""
SMALL = 64 * KIB
"""The first request for files whose headers are mostly short: further shards, projectors."""
FIRST = 1 * MIB
"""The first request for a model's file. Then twice as much up to here, and from here on an eighth more: the last
request is the only one that can fetch too much."""
STEP = 512 * KIB
SLACK = 8 * KIB
"""Bytes by which the keys and tensor names of siblings may be longer."""
MOST_ROUNDS = 12
"""Further requests for a sibling before it is read whole."""
KEPT_REFERENCES = 4
KEPT_REPOSITORIES = 16


@dataclass(frozen=True, slots=True)
class _Reference:
    """A header that is whole, and the part of it that siblings share."""

    path: Path
    gap: Gap
    after: int
    """Bytes of its header behind the gap."""


class HeaderReader:
    """Headers of files on one Hub."""

    def __init__(self, client: HubClient, store: HeaderStore) -> None:
        self._client = client
        self._store = store
        self._references: OrderedDict[str, list[_Reference]] = OrderedDict()
        self._largest: dict[str, int] = {}
        """Bytes of the largest header read so far, by repository: what its next one will about take."""

    async def read(
        self, repository: Repository, file: RepositoryFile
    ) -> AsyncGenerator[Waiting | HeaderFetched | HeaderRead, None]:
        """Read one header; see `core.hub.ports.Hub.header`."""
        header = await asyncio.to_thread(self._store.get, file)
        fetched = 0
        if header is None:
            remote = RemoteBytes(self._client, repository, file)
            try:
                found: _Read | None = None
                async for event in self._fetch(repository, file, remote):
                    if isinstance(event, _Read):
                        found = event
                    else:
                        yield event
            except BadFileError as error:
                raise BadFileError(f"{clean_name(file.path)}: {error.message}", error.hint) from error
            assert found is not None, "_fetch ends with what it read or raises"
            header, fetched = found.header, remote.received
            await asyncio.to_thread(self._store.put, file, found.source.read(0, header.table_end))
        path = self._store.path(file)
        self._largest[repository.id] = max(self._largest.get(repository.id, 0), header.table_end)
        await asyncio.to_thread(self._remember, repository.id, path, header)
        yield HeaderRead(await asyncio.to_thread(record_of, header), path, fetched, _note(header))

    async def _fetch(
        self, repository: Repository, file: RepositoryFile, remote: RemoteBytes
    ) -> AsyncGenerator[Waiting | HeaderFetched | _Read, None]:
        """Fetch as much of a file as its header needs."""
        references = self._references.get(repository.id, [])
        first = min(file.size, _first_request(file, references, self._largest.get(repository.id, FIRST)))
        source = PartialSource(file.size)
        try:
            async for progress in _put(remote, source, 0, first):
                yield progress
            if source.prefix >= 4 and source.read(0, 4) != MAGIC:
                raise BadFileError(
                    "not a GGUF file: it does not begin with GGUF (at byte 0)", "see what it is on the Hub"
                )
            for reference in references:
                sibling: _Read | None = None
                async for found in self._sibling(source, remote, reference, file.size):
                    if isinstance(found, _Read):
                        sibling = found
                    else:
                        yield found
                if sibling is not None:
                    yield sibling
                    return
            async for read in _whole(source, remote):
                yield read
        except IgnoresRangesError:
            async for streamed in _streamed(remote, file.size):
                yield streamed

    async def _sibling(
        self, source: PartialSource, remote: RemoteBytes, reference: _Reference, file_size: int
    ) -> AsyncGenerator[Waiting | HeaderFetched | _Read, None]:
        """Read a file as a sibling of one whose header is known; ends without a result where it is not proven one."""
        gap = reference.gap
        head = source.read(0, source.prefix)
        try:
            with FileSource(reference.path) as whole:
                shift = shift_of(gap, head, whole)
                if shift is None:
                    return
                start = tail_of(gap, shift)
                end = min(file_size, start + GUARD + reference.after + SLACK)
                if start < len(head) or end - start < GUARD:
                    return
                tail = b""
                async for event in remote.fetch(start, end):
                    if isinstance(event, Waiting):
                        yield event
                    else:
                        tail = event
                yield HeaderFetched(remote.received)
                assembled = assemble(gap, shift, head=head, tail=tail, reference=whole, size=file_size)
        except BadFileError:  # the kept header is gone: the file is read whole
            return
        if assembled is None:
            return
        for _ in range(MOST_ROUNDS):
            try:
                parsed = await asyncio.to_thread(_parse, assembled)
            except BadFileError:
                return
            if isinstance(parsed, Header):
                if proven(parsed):
                    yield _Read(parsed, assembled)
                return
            async for progress in _put(remote, assembled, parsed.start, min(file_size, parsed.end)):
                yield progress

    def _remember(self, repository: str, path: Path, header: Header) -> None:
        """Keep a header as a reference for its siblings, unless there is one like it."""
        known = self._references.setdefault(repository, [])
        self._references.move_to_end(repository)
        while len(self._references) > KEPT_REPOSITORIES:
            self._largest.pop(self._references.popitem(last=False)[0], None)
        if len(known) >= KEPT_REFERENCES or any(reference.path == path for reference in known):
            return
        try:
            with FileSource(path) as source:
                gap = gap_of(header, source)
                if gap is None:
                    return
                begin = gap.marker + source.read(gap.start, GUARD)
                for reference in known:
                    with FileSource(reference.path) as other:
                        if reference.gap.marker + other.read(reference.gap.start, GUARD) == begin:
                            return
        except BadFileError:
            return
        known.append(_Reference(path, gap, header.table_end - gap.end))


@dataclass(frozen=True, slots=True)
class _Read:
    """A header, and the bytes that it was read from."""

    header: Header
    source: PartialSource


def _parse(source: PartialSource) -> Header | NotFetchedError:
    """Read a header as far as its bytes have come; returns what is missing.

    Raises:
        BadFileError: it is not GGUF, damaged, or hostile.
    """
    try:
        return read_header(source, check_data=False, first_read=WINDOW, most_read=WINDOW)
    except NotFetchedError as missing:
        return missing


async def _put(
    remote: RemoteBytes, source: PartialSource, start: int, end: int
) -> AsyncGenerator[Waiting | HeaderFetched, None]:
    async for event in remote.fetch(start, end):
        if isinstance(event, Waiting):
            yield event
        else:
            source.put(start, event)
            yield HeaderFetched(remote.received)


async def _whole(source: PartialSource, remote: RemoteBytes) -> AsyncGenerator[Waiting | HeaderFetched | _Read, None]:
    """Read a header from its beginning on."""
    while True:
        parsed = await asyncio.to_thread(_parse, source)
        if isinstance(parsed, Header):
            yield _Read(parsed, source)
            return
        known = source.prefix
        end = min(source.size, MAX_HEADER, max(parsed.end, known + _growth(known)))
        if end <= known:
            raise BadFileError(f"the header is longer than {MAX_HEADER >> 20} MiB", FETCH_AGAIN)
        async for event in _put(remote, source, known, end):
            yield event


async def _streamed(remote: RemoteBytes, file_size: int) -> AsyncGenerator[HeaderFetched | _Read, None]:
    """Read a header from a server that sends whole files, and cut it off as soon as the header is there."""
    source = PartialSource(file_size)
    position, due = 0, FIRST
    stream = remote.stream()
    try:
        async for piece in stream:
            if position == 0 and piece[:4] != MAGIC[: len(piece[:4])]:
                raise BadFileError(
                    "not a GGUF file: it does not begin with GGUF (at byte 0)", "see what it is on the Hub"
                )
            source.put(position, piece)
            position += len(piece)
            if position < min(due, file_size):
                continue
            due = position + _growth(position)
            parsed = await asyncio.to_thread(_parse, source)
            if isinstance(parsed, Header):
                yield _Read(parsed, source)
                return
            if position >= MAX_HEADER:
                raise BadFileError(f"the header is longer than {MAX_HEADER >> 20} MiB", FETCH_AGAIN)
            yield HeaderFetched(remote.received)
    finally:
        await stream.aclose()
    raise BadFileError(f"the server sent {position} of {file_size} bytes", FETCH_AGAIN)


def _first_request(file: RepositoryFile, references: list[_Reference], largest: int) -> int:
    """Return how many bytes to ask for at first; `largest` is the largest header of the repository so far."""
    part = split_part(file.pure_path.name)
    if (part is not None and part.index > 1) or "mmproj" in file.path.lower():
        return SMALL
    if references:
        return max(reference.gap.head for reference in references) + SLACK
    return max(SMALL, min(FIRST, largest + WINDOW))


def _growth(known: int) -> int:
    """Return how many bytes more to ask for when so many were not enough."""
    return max(known, SMALL) if known < FIRST else max(STEP, known // 8)


def _note(header: Header) -> str:
    """Say where a header and its file do not fit together; that the file is too short, the record tells."""
    extra = header.file_size - header.needed_size
    known = all(tensor.size_bytes is not None for tensor in header.tensors)
    if header.tensors and known and extra >= max(header.alignment, KIB):
        return f"the file is {size(extra)} longer than its tensors: the header does not tell what is behind them"
    return ""
