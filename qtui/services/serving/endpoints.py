"""LocalEndpoints: the Endpoints port on this machine. The web framework is imported when a port is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtui.core.serving.gate import Gate, check_reach, wildcard
from qtui.core.serving.run import Serving
from qtui.services.serving.keys import key_of_file, made_key
from qtui.services.serving.listening import Listener, bind, find_place, machine_names
from qtui.services.serving.load_client import LoadClient

if TYPE_CHECKING:
    from qtui.services.serving.http import HttpServer


class HttpEndpoint:
    """One endpoint. Implements the Endpoint port."""

    def __init__(self, listener: Listener, note: Callable[[str], object]) -> None:
        self._listener = listener
        self._note = note
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        """Return the address for programs on this machine."""
        return f"{self._listener.url}/v1"

    @property
    def here_only(self) -> bool:
        """Tell whether only this machine can reach it."""
        return self._listener.place.here_only

    async def open(self, serving: Serving, key: str) -> None:
        """Answer requests from now on."""
        from qtui.services.serving.app import endpoint_app
        from qtui.services.serving.http import HttpServer

        place = self._listener.place
        names = machine_names() if wildcard(place.address) else (place.address,)
        host = place.address if wildcard(place.address) else place.host
        self._server = HttpServer(endpoint_app(serving, Gate(key, host, names), self._note), self._listener)
        await self._server.start()

    async def wait(self) -> None:
        """Wait until it ends."""
        if self._server is not None:
            await self._server.wait()

    async def close(self) -> None:
        """Take no more requests, end those that there are, and give the port back."""
        if self._server is not None:
            await self._server.stop()
        self._listener.close()


class LocalEndpoints:
    """Makes endpoints; `note` takes lines for the log. Implements the Endpoints port."""

    def __init__(self, note: Callable[[str], object]) -> None:
        self._note = note

    async def bind(self, host: str, port: int, key: str = "") -> HttpEndpoint:
        """Take a port."""
        place = await find_place(host)
        check_reach(place.host, here_only=place.here_only, key=key)
        return HttpEndpoint(bind(place, port), self._note)

    def made_key(self) -> str:
        """Return a new key."""
        return made_key()

    def key_of_file(self, path: Path) -> str:
        """Return the key that a file holds."""
        return key_of_file(path)

    def client(self, at_once: int) -> LoadClient:
        """Return a client."""
        return LoadClient(at_once)
