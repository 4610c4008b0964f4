"""HuggingFaceHub: the Hub port over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote

from qtui.core.errors import AccessError, HubError, NotOnHubError
from qtui.core.hub.card import MAX_CARD, card_of
from qtui.core.hub.events import HeaderFetched, HeaderRead, Waiting
from qtui.core.hub.query import GGUF, Query, ResultPage, Sort
from qtui.core.hub.repository import (
    Access,
    Account,
    Card,
    FilesPage,
    LocalCopy,
    Repository,
    RepositoryFile,
    is_repository_name,
)
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name
from qtui.services.hub import refusals
from qtui.services.hub.client import HubClient, Parameters, Reply, json_of
from qtui.services.hub.copies import local_copies
from qtui.services.hub.headers import HeaderReader
from qtui.services.hub.parsing import file_of, files_of, next_query, repository_of
from qtui.services.hub.store import HeaderStore

PAGE = 20
"""Repositories of a page of search."""
FIELDS = (
    "gguf", "downloads", "likes", "gated", "private", "disabled", "tags", "library_name", "lastModified", "createdAt",
    "sha",
)  # fmt: skip
"""Without naming them the Hub does not tell what is in the GGUF files."""
SORTS = {
    Sort.TRENDING: "trendingScore",
    Sort.DOWNLOADS: "downloads",
    Sort.LIKES: "likes",
    Sort.UPDATED: "lastModified",
    Sort.CREATED: "createdAt",
}
MAX_FILES = 20_000
DATED_AT_ONCE = 100
MOST_DATED = 500
"""GGUF files of a repository whose dates are asked for."""
KEPT_PAGES = 64
FRESH_S = 300.0
"""How long a page of search is shown again without asking."""


class HuggingFaceHub:
    """The Hub that HF_ENDPOINT names, huggingface.co by default.

    Args:
        client: sends requests.
        store: keeps headers.
        download_folders: tells where downloads go besides the Hugging Face cache.
        now: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        client: HubClient | None = None,
        store: HeaderStore | None = None,
        download_folders: Callable[[], Iterable[Path]] = tuple,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client or HubClient()
        self._store = store or HeaderStore()
        self._headers = HeaderReader(self._client, self._store)
        self._download_folders = download_folders
        self._now = now
        self._pages: OrderedDict[Parameters, tuple[float, ResultPage]] = OrderedDict()

    @property
    def endpoint(self) -> str:
        """Return the address that is asked."""
        return self._client.endpoint

    async def search(self, query: Query, page: str = "") -> AsyncGenerator[Waiting | ResultPage, None]:
        """Look for repositories; see `core.hub.ports.Hub`."""
        query.check()
        asked = tuple(parse_qsl(page)) if page else _parameters(query)
        kept = self._pages.get(asked)
        if kept is not None and self._now() - kept[0] < FRESH_S:
            self._pages.move_to_end(asked)
            yield replace(kept[1], cached=True)
            return
        async for event in self._client.get("/api/models", asked, what="the search"):
            if isinstance(event, Waiting):
                yield event
                continue
            values = json_of(event, list, self.endpoint)
            repositories = (repository_of(value) for value in values if isinstance(value, dict))
            found = ResultPage(
                tuple(each for each in repositories if each is not None)[:1000],
                next_query(event.headers.get("Link", "")),
            )
            self._pages[asked] = (self._now(), found)
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)
            yield found

    async def repository(self, name: str) -> AsyncGenerator[Waiting | Repository, None]:
        """Look at one repository; see `core.hub.ports.Hub`."""
        if not is_repository_name(name):
            raise NotOnHubError(f"{clean_name(name)} is not the name of a repository", "it is written OWNER/NAME")
        fields = [("expand", field) for field in FIELDS]
        found: Repository | None = None
        async for event in self._client.get(f"/api/models/{quote(name)}", fields, what=name, repository=name):
            if isinstance(event, Waiting):
                yield event
                continue
            found = repository_of(json_of(event, dict, self.endpoint))
        if found is None or not found.commit:
            raise refusals.no_hub(self.endpoint, f"it does not tell the state of {name}")
        if found.access is Access.GATED and self._client.has_token:
            async for granted in self._granted(found):
                if isinstance(granted, Waiting):
                    yield granted
                elif granted:
                    found = replace(found, access=Access.GRANTED)
        yield found

    async def files(self, repository: Repository) -> AsyncGenerator[Waiting | FilesPage, None]:
        """List the files of a repository; see `core.hub.ports.Hub`."""
        path = f"/api/models/{quote(repository.id)}/tree/{repository.commit or 'main'}"
        parameters: Parameters = (("recursive", "true"), ("expand", "false"))
        seen = dated = 0
        while True:
            reply: Reply | None = None
            async for event in self._client.get(path, parameters, what=repository.id, repository=repository.id):
                if isinstance(event, Waiting):
                    yield event
                else:
                    reply = event
            assert reply is not None, "get ends with a reply or raises"
            page = files_of(json_of(reply, list, self.endpoint))
            models = [file for file in page.files if ".gguf" in file.path.lower()][: MOST_DATED - dated]
            dated += len(models)
            dates: dict[str, RepositoryFile] = {}
            for start in range(0, len(models), DATED_AT_ONCE):
                async for told in self._dated(repository, models[start : start + DATED_AT_ONCE]):
                    if isinstance(told, Waiting):
                        yield told
                    else:
                        dates |= told
            yield FilesPage(tuple(_with_date(file, dates.get(file.path)) for file in page.files), page.left_out)
            seen += len(page.files) + page.left_out
            following = next_query(reply.headers.get("Link", ""))
            if not following or seen >= MAX_FILES:
                return
            parameters = tuple(parse_qsl(following))

    async def card(self, repository: Repository) -> AsyncGenerator[Waiting | Card, None]:
        """Fetch the model card; see `core.hub.ports.Hub`."""
        path = f"/{quote(repository.id)}/resolve/{repository.commit or 'main'}/README.md"
        async for event in self._client.get(path, what=f"the card of {repository.id}", allowed=(404,)):
            if isinstance(event, Waiting):
                yield event
            elif event.status == 404 or event.location:
                yield Card()
            else:
                yield card_of(event.body[:MAX_CARD].decode("utf-8", "replace"), len(event.body) > MAX_CARD)

    async def header(
        self, repository: Repository, file: RepositoryFile
    ) -> AsyncGenerator[Waiting | HeaderFetched | HeaderRead, None]:
        """Read the header of one GGUF file; see `core.hub.ports.Hub`."""
        async for event in self._headers.read(repository, file):
            yield event

    def header_path(self, file: RepositoryFile) -> Path:
        """Return where the header of a file is kept, or would be."""
        return self._store.path(file)

    async def copies(self, repository: str, here: Sequence[Variant]) -> Sequence[LocalCopy]:
        """Return what of a repository is on this machine; see `core.hub.ports.Hub`."""
        return await asyncio.to_thread(local_copies, repository, here, tuple(self._download_folders()))

    async def account(self) -> AsyncGenerator[Waiting | Account, None]:
        """Ask who the Hub takes us for; see `core.hub.ports.Hub`."""
        if not self._client.has_token:
            yield Account()
            return
        async for event in self._client.get("/api/whoami-v2", what="who you are"):
            if isinstance(event, Waiting):
                yield event
                continue
            name = json_of(event, dict, self.endpoint).get("name")
            yield Account(clean_name(name) if isinstance(name, str) else "?")

    async def close(self) -> None:
        """End all connections."""
        await self._client.close()

    async def _granted(self, repository: Repository) -> AsyncGenerator[Waiting | bool, None]:
        """Tell whether the user was let in."""
        path = f"/api/models/{quote(repository.id)}/auth-check"
        try:
            async for event in self._client.get(path, what=repository.id, repository=repository.id):
                if isinstance(event, Waiting):
                    yield event
                else:
                    yield True
        except (AccessError, NotOnHubError):
            yield False

    async def _dated(
        self, repository: Repository, files: Sequence[RepositoryFile]
    ) -> AsyncGenerator[Waiting | dict[str, RepositoryFile], None]:
        """Ask for dates and scans of some files; where they cannot be had, they stay unknown."""
        url = f"{self.endpoint}/api/models/{quote(repository.id)}/paths-info/{repository.commit or 'main'}"
        data = {"paths": [file.path for file in files], "expand": ["true"]}
        try:
            async for event in self._client.send("POST", url, what=repository.id, data=data):
                if isinstance(event, Waiting):
                    yield event
                    continue
                values = (value for value in json_of(event, list, self.endpoint) if isinstance(value, dict))
                told = (file_of(value) for value in values)
                yield {file.path: file for file in told if file is not None}
        except HubError:
            yield {}


def _parameters(query: Query) -> Parameters:
    """Return a query as the Hub reads it."""
    found: list[tuple[str, str]] = []
    if query.gguf_only:
        found.append(("filter", GGUF))
    if query.licence:
        found.append(("filter", f"license:{query.licence}"))
    if query.base_model:
        found.append(("filter", f"base_model:{query.base_model}"))
    if text := " ".join(query.text.split()):
        found.append(("search", text))
    if query.author:
        found.append(("author", query.author))
    limits = (("min", query.least_parameters), ("max", query.most_parameters))
    bounds = [f"{name}:{value / 10**9:g}B" for name, value in limits if value is not None]
    if bounds:
        found.append(("num_parameters", ",".join(bounds)))
    found += [("sort", SORTS[query.sort]), ("limit", str(PAGE))]
    return (*found, *(("expand", field) for field in FIELDS))


def _with_date(file: RepositoryFile, told: RepositoryFile | None) -> RepositoryFile:
    return replace(file, date=told.date, scan=told.scan) if told is not None else file
