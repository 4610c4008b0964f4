"""uvicorn, held by a task of ours: it answers on a socket that we bound, and leaves signals alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from qtui.services.serving.listening import Listener

MOST_CONNECTIONS = 512
LONGEST_HEADERS = 32 << 10
GRACE_S = 1
"""So long answers may take to end when the endpoint does."""


class _Server(uvicorn.Server):
    """Signals are the verb's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """One application on one socket."""

    def __init__(self, app: ASGIApp, listener: Listener) -> None:
        config = uvicorn.Config(
            app, loop="none", http="h11", ws="none", lifespan="off", log_config=None, log_level="critical",
            access_log=False, proxy_headers=False, server_header=False, limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=LONGEST_HEADERS, timeout_graceful_shutdown=GRACE_S,
        )  # fmt: skip
        self._server = _Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer requests from now on."""
        self._task = asyncio.create_task(self._server.serve([self._listener.socket]))

    async def wait(self) -> None:
        """Wait until it ends."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Take no more connections, and end those that there are, within GRACE_S."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait({self._task})
        self._listener.close()
