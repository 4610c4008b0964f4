"""Requests to one llama-server: JSON there and back, and answers that come as server-sent events."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from qtui.core.errors import EngineError
from qtui.core.text import clean_name
from qtui.services.engine.child.server.cut import Cut

CONNECT_S = 10.0
MOST_BODY = 64 << 20
"""Bytes of an answer that is not streamed; the probabilities of a large vocabulary have a few MB."""
MOST_LINE = 4 << 20
SHARED = "answers that are made at the same time share the context: a larger --ctx-size, or a smaller --parallel"
KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""A machine that is gone without a word is noticed after 25 s."""


class BrokenOffError(EngineError):
    """The connection ended before the answer did."""


class RefusedError(EngineError):
    """The server answered, and refused."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


class Http:
    """One server; every request has a connection of its own, which a stop ends."""

    def __init__(self, url: str, key: str, cut: Cut) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self.port = parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", "Connection": "close"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._cut = cut
        self.where = f"{self._host}:{self.port}"

    def get(self, path: str, seconds: float = CONNECT_S) -> dict[str, Any]:
        """Return what a path answers; errors as those of `post`."""
        return self._whole("GET", path, None, seconds)

    def post(self, path: str, body: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        """Return what is answered to a question.

        Raises:
            RefusedError: the server refuses; the message is its own.
            BrokenOffError: the connection cannot be made, or ended early.
        """
        return self._whole("POST", path, body, seconds)

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the objects of a stream of events until the server closes it; whether it was whole, they tell.

        Raises:
            RefusedError: the server refuses, at once or in the middle.
            BrokenOffError: the connection ended within an object.
        """
        with self._asked("POST", path, body, None) as response:
            while True:
                line = response.readline(MOST_LINE)
                if not line:
                    return
                if not line.endswith(b"\n"):
                    raise BrokenOffError(f"{self.where} broke off within a line of its answer")
                kind, _, data = line.partition(b":")
                if kind not in (b"data", b"error"):
                    continue
                if data.strip() == b"[DONE]":
                    return
                event = _object(data)
                if event is None:
                    raise BrokenOffError(f"{self.where} sends what is no JSON")
                if kind == b"error" or "error" in event:
                    raise _refused(500, event, self.where)
                yield event

    def _whole(self, method: str, path: str, body: dict[str, Any] | None, seconds: float | None) -> dict[str, Any]:
        with self._asked(method, path, body, seconds) as response:
            found = _object(response.read(MOST_BODY))
        if found is None:
            raise BrokenOffError(f"{self.where} answers {path} with what is no JSON object")
        return found

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, body: dict[str, Any] | None, seconds: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its response, the connection closed in the end whatever happens."""
        if self._secure:
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self.port, timeout=CONNECT_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self.port, timeout=CONNECT_S)
        try:
            connection.connect()
            taken = connection.sock
            taken.settimeout(seconds)
            _keep_alive(taken)
            self._cut.watch(taken)
            data = None if body is None else json.dumps(body).encode()
            headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
            connection.request(method, self._prefix + path, data, headers)
            response = connection.getresponse()
            if response.status >= 300:
                raise _refused(response.status, _object(response.read(1 << 20)), self.where)
            yield response
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = clean_name(str(error)) or type(error).__name__
            raise BrokenOffError(f"no answer from {self.where}: {reason}") from error
        finally:
            self._cut.watch(None)
            connection.close()


def _keep_alive(connection: socket.socket) -> None:
    with contextlib.suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refused(status: int, body: dict[str, Any] | None, where: str) -> RefusedError:
    error = (body or {}).get("error", {})
    said = error.get("message", "") if isinstance(error, dict) else str(error)
    text = clean_name(str(said), 300) or f"status {status}"
    if status in (401, 403):
        return RefusedError(status, f"{where} refuses the key", "QTUI_ENGINE_KEY holds the key of a server")
    hint = SHARED if "context size" in text.lower() else ""
    return RefusedError(status, f"{where} refuses: {text}", hint)
