"""A Hub of our own port: scripted repositories, no network. `journal` records what was asked, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.errors import NotOnHubError, QtuiError
from qtui.core.hub.events import HeaderFetched, HeaderRead, Waiting
from qtui.core.hub.query import Query, ResultPage
from qtui.core.hub.repository import Account, Card, FilesPage, LocalCopy, Repository, RepositoryFile
from qtui.core.library.record import FileRecord
from qtui.core.library.variant import Role, Variant
from qtui.core.text import GIB

COMMIT = "c" * 40


def make_file(path: str, size: int = GIB, *, date: float | None = 1000.0, number: int | None = None) -> RepositoryFile:
    """Return a file of a repository; its digest follows from its path, or from a number."""
    digest = f"{sum(map(ord, path)) if number is None else number:064x}"
    return RepositoryFile(path, size, digest, "", date, "safe")


@dataclass
class FakeHub:
    """Repositories by name, and what is in them."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    contents: dict[str, list[RepositoryFile]] = field(default_factory=dict)
    pages: list[ResultPage] = field(default_factory=list)
    """What searches find, page by page."""
    records: dict[str, FileRecord | QtuiError] = field(default_factory=dict)
    """What headers say, by the file's path; others are of a plain model."""
    here: list[LocalCopy] = field(default_factory=list)
    waitings: list[Waiting] = field(default_factory=list)
    """Said before the next answer."""
    hold: asyncio.Event | None = None
    """When given, headers wait for it."""
    left_out: int = 0
    text: str = ""
    journal: list[tuple[str, str]] = field(default_factory=list)
    reading: int = 0
    """Headers that are being read now."""
    most: int = 0
    """How many were at once."""
    closed: bool = False

    @property
    def endpoint(self) -> str:
        """Return a made-up address."""
        return "https://hub.example"

    def put(self, name: str, *files: RepositoryFile, **fields: object) -> Repository:
        """Put a repository up."""
        self.repositories[name] = Repository(name, COMMIT, **fields)  # type: ignore[arg-type]
        self.contents[name] = list(files)
        return self.repositories[name]

    async def search(self, query: Query, page: str = "") -> AsyncIterator[Waiting | ResultPage]:
        """Give the page of that number."""
        self.journal.append(("search", page))
        for waiting in self._waited():
            yield waiting
        yield self.pages[int(page or 0)]

    async def repository(self, name: str) -> AsyncIterator[Waiting | Repository]:
        """Give a repository that was put up."""
        self.journal.append(("repository", name))
        for waiting in self._waited():
            yield waiting
        if name not in self.repositories:
            raise NotOnHubError(f"{name}: there is no such repository", "check the name")
        yield self.repositories[name]

    async def files(self, repository: Repository) -> AsyncIterator[Waiting | FilesPage]:
        """Give its files, two a page."""
        files = self.contents[repository.id]
        for start in range(0, max(1, len(files)), 2):
            yield FilesPage(tuple(files[start : start + 2]), self.left_out if start == 0 else 0)

    async def card(self, repository: Repository) -> AsyncIterator[Waiting | Card]:
        """Give the text."""
        yield Card(self.text)

    async def header(
        self, repository: Repository, file: RepositoryFile
    ) -> AsyncIterator[Waiting | HeaderFetched | HeaderRead]:
        """Give what was scripted."""
        self.journal.append(("header", file.path))
        self.reading += 1
        self.most = max(self.most, self.reading)
        try:
            for waiting in self._waited():
                yield waiting
            if self.hold is not None:
                await self.hold.wait()
            await asyncio.sleep(0)
            found = self.records.get(file.path) or FileRecord(
                "llama", "Model", role=Role.MODEL, elements=file.size, tensor_bytes=file.size, context_length=4096
            )
            if isinstance(found, QtuiError):
                raise found
            yield HeaderFetched(1000)
            yield HeaderRead(found, self.header_path(file), 1000)
        finally:
            self.reading -= 1

    def header_path(self, file: RepositoryFile) -> Path:
        """Return a made-up path."""
        return Path("/headers") / f"{file.key[-8:]}.header"

    async def copies(self, repository: str, here: Sequence[Variant]) -> Sequence[LocalCopy]:
        """Give what is here."""
        return self.here

    async def account(self) -> AsyncIterator[Waiting | Account]:
        """Give nobody."""
        yield Account()

    async def close(self) -> None:
        """Note it."""
        self.closed = True

    def _waited(self) -> list[Waiting]:
        waitings, self.waitings = self.waitings, []
        return waitings
