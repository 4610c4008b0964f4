"""The ports of serving: the endpoint over HTTP, and a program that asks one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from qtui.core.serving.run import Serving
from qtui.core.serving.shot import Shot


class Endpoint(Protocol):
    """A port that was taken, and from `open` on an endpoint on it; who connects before waits for it."""

    @property
    def url(self) -> str:
        """Return the address for programs on this machine, `http://127.0.0.1:8080/v1`."""
        ...

    @property
    def here_only(self) -> bool:
        """Tell whether only this machine can reach it."""
        ...

    async def open(self, serving: Serving, key: str) -> None:
        """Answer requests from now on."""
        ...

    async def wait(self) -> None:
        """Wait until it ends."""
        ...

    async def close(self) -> None:
        """Take no more requests, end those that there are within a second, and give the port back."""
        ...


class Client(Protocol):
    """Asks endpoints, several at once."""

    async def ask(self, url: str, key: str, body: Mapping[str, Any]) -> Shot:
        """Ask for a streamed conversation and return what came of it; never fails: that stands in the shot."""
        ...

    def close(self) -> None:
        """Ask no more; what is under way is not waited for."""
        ...


class Endpoints(Protocol):
    """Makes endpoints, keys and clients."""

    async def bind(self, host: str, port: int, key: str = "") -> Endpoint:
        """Take a port; 0: any that is free. `key` is the user's, empty where one will be made.

        Raises:
            UsageError: there is no such host, or others could reach it with a key that is none or short.
            QtuiError: the port is taken.
        """
        ...

    def made_key(self) -> str:
        """Return a new key."""
        ...

    def key_of_file(self, path: Path) -> str:
        """Return the key that a file holds.

        Raises:
            UsageError: it cannot be read, or others can read it too.
        """
        ...

    def client(self, at_once: int) -> Client:
        """Return a client that asks so many requests at once."""
        ...
