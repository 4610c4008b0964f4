"""A test Hub, and ours over it, in a process whose clocks do not make anyone wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from qtui.core.hub.events import Waiting
from qtui.core.hub.repository import Repository, RepositoryFile
from qtui.services.hub.client import HubClient
from qtui.services.hub.hub import HuggingFaceHub
from qtui.services.hub.store import HeaderStore
from tests.hub.server import LocalHub

T = TypeVar("T")


@dataclass
class Client:
    """The Hub as qtui asks it."""

    hub: HuggingFaceHub
    http: HubClient
    store: HeaderStore
    waited: list[float] = field(default_factory=list)
    """The seconds that it would have waited."""
    waitings: list[Waiting] = field(default_factory=list)
    """What it said of that."""

    async def all(self, events: AsyncIterator[Waiting | T]) -> list[T]:
        """Return what a call yields; what is waited for is noted."""
        found: list[T] = []
        async for event in events:
            if isinstance(event, Waiting):
                self.waitings.append(event)
            else:
                found.append(event)
        return found

    async def last(self, events: AsyncIterator[Waiting | T]) -> T:
        """Return what a call ends with."""
        return (await self.all(events))[-1]

    async def files(self, name: str) -> tuple[Repository, dict[str, RepositoryFile]]:
        """Return a repository and its files."""
        repository = await self.last(self.hub.repository(name))
        pages = await self.all(self.hub.files(repository))
        return repository, {file.path: file for page in pages for file in page.files}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """An empty Hub, which HF_ENDPOINT names."""
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


@pytest.fixture
async def client(server: LocalHub, tmp_path: Path) -> AsyncIterator[Client]:
    """Our Hub; a token is sent to it, if there is one."""
    made = make_client(tmp_path, token=lambda: True)
    yield made
    await made.hub.close()


def make_client(folder: Path, token: Callable[[], bool] = lambda: False, read_timeout: float = 10.0) -> Client:
    """Return our Hub, which notes what it would wait."""
    store = HeaderStore(folder / "headers")
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    http = HubClient(token, pause, (10.0, read_timeout))
    return Client(HuggingFaceHub(http, store), http, store, waited)
