"""Bytes of a remote file by ranges: the address resolved once, every answer held to what was asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING
from urllib.parse import quote

from qtui.core.errors import HubError, QtuiError
from qtui.core.hub.events import Waiting
from qtui.core.hub.repository import Repository, RepositoryFile
from qtui.services.hub import refusals
from qtui.services.hub.client import BACKOFF_S, HubClient, Reply

if TYPE_CHECKING:
    import httpx2

TRIES = 4
"""Without a byte between them."""
MOST_TRIES = 20
"""For one range, however many bytes came between them."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class IgnoresRangesError(Exception):
    """The server sends whole files, whatever is asked for."""


class RemoteBytes:
    """One file at one commit."""

    def __init__(self, client: HubClient, repository: Repository, file: RepositoryFile) -> None:
        self._client = client
        self._repository = repository
        self._file = file
        self._url = ""
        self.name = f"{repository.id}/{file.path}"
        self.received = 0
        """Bytes that came."""

    async def fetch(self, start: int, end: int) -> AsyncGenerator[Waiting | bytes, None]:
        """Fetch the bytes from `start` to `end`; ends with all of them.

        Raises:
            IgnoresRangesError: the server answers with the whole file; it was cut off.
            HubError: refused, unreachable, or other bytes than those that were listed.
        """
        got = bytearray()
        tries = rounds = 0
        while len(got) < end - start:
            rounds += 1
            before = len(got)
            async for waiting in self._resolve():
                yield waiting
            problem: QtuiError | None = None
            try:
                problem = await self._part(start + len(got), end, got)
            except _GoneError:
                problem = self._refused_address()
            if problem is None:
                break
            tries = 1 if len(got) > before else tries + 1
            if tries >= TRIES or rounds >= MOST_TRIES:
                raise problem
            delay = 0.0 if len(got) > before else BACKOFF_S * 2 ** (tries - 1)
            if delay:
                yield Waiting(f"{problem.message}; once more", delay)
                await self._client.pause(delay)
        yield bytes(got)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the file from its beginning, for servers that know no ranges; closing ends the transfer.

        Raises:
            HubError: the connection breaks, or there is no answer.
        """
        async for _ in self._resolve():
            pass
        import httpx2

        try:
            response = await self._ask({})
            try:
                if response.status_code != 200:
                    raise self._refused(response)
                async for piece in response.aiter_raw():
                    self.received += len(piece)
                    yield piece
            finally:
                await response.aclose()
        except httpx2.TransportError as error:
            raise refusals.unreachable(error, self._client.endpoint) from error

    async def _resolve(self) -> AsyncGenerator[Waiting, None]:
        """Ask the Hub once where the bytes are, and compare what it says of them with the listing."""
        if self._url:
            return
        repository, file = self._repository, self._file
        path = f"/{quote(repository.id)}/resolve/{repository.commit or 'main'}/{quote(file.path)}"
        url = f"{self._client.endpoint}{path}"
        async for event in self._client.send("HEAD", url, what=self.name, repository=repository.id, follow=False):
            if isinstance(event, Waiting):
                yield event
                continue
            self._compare(event)
            self._url = event.location or event.url

    def _compare(self, reply: Reply) -> None:
        """Refuse an answer that is about other bytes than those that were listed."""
        headers = reply.headers
        tag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").removeprefix("W/").strip('"').lower()
        if "X-Repo-Commit" not in headers or not tag:
            raise refusals.no_hub(self._client.endpoint, f"it does not tell what {self.name} is")
        size = headers.get("X-Linked-Size", "")
        if tag != (self._file.sha256 or self._file.oid) or size not in ("", str(self._file.size)):
            raise HubError(
                f"{self.name} is another file on the Hub now than the one that was listed", "list the repository again"
            )

    async def _part(self, start: int, end: int, got: bytearray) -> QtuiError | None:
        """Add bytes from `start` on to `got`; returns why they are not all there, None when they are."""
        import httpx2

        try:
            async with asyncio.timeout(self._client.whole_s):
                response = await self._ask({"Range": f"bytes={start}-{end - 1}"})
                try:
                    await self._take(response, start, end, got)
                finally:
                    await response.aclose()
        except TimeoutError:
            return refusals.too_slow(self._client.endpoint)
        except httpx2.TransportError as error:
            return refusals.unreachable(error, self._client.endpoint)
        except _PassingError as passing:
            return passing.error
        return None

    async def _take(self, response: httpx2.Response, start: int, end: int, got: bytearray) -> None:
        if response.status_code == 200:
            raise IgnoresRangesError
        if response.status_code in (401, 403, 404, 410):
            raise _GoneError
        if response.status_code in (*refusals.PASSING, refusals.LIMITED):
            raise _PassingError(self._refused(response))
        if response.status_code != 206:
            raise self._refused(response)
        told = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        wanted = (start, end - 1, self._file.size)
        if told is None or tuple(int(number) for number in told.groups()) != wanted:
            raise HubError(
                f"{self.name}: the server sends another part of the file than was asked for",
                "a proxy or a mirror on the way may be at fault: check HTTPS_PROXY and HF_ENDPOINT",
            )
        left = end - start
        async for piece in response.aiter_raw():
            self.received += len(piece)
            got += piece[:left]
            if len(piece) > left:
                raise HubError(f"{self.name}: the server sends more bytes than it promised", "try again in a while")
            left -= len(piece)
        if left:
            raise _PassingError(HubError(f"{self.name}: the connection ended early", "try again in a while"))

    async def _ask(self, headers: dict[str, str]) -> httpx2.Response:
        client = await self._client.open()
        request = client.build_request("GET", self._url, headers={**headers, "Accept-Encoding": "identity"})
        return await client.send(request, stream=True, auth=await self._client.authorization(self._url))

    def _refused(self, response: httpx2.Response) -> QtuiError:
        return refusals.refused(
            response.status_code, response.headers, what=self.name, endpoint=self._client.endpoint,
            token_sent=self._client.has_token,
        )  # fmt: skip

    def _refused_address(self) -> QtuiError:
        """Forget the address, which may have run out; returns the error for one that never works."""
        self._url = ""
        return HubError(f"{self.name}: the address that the Hub gave for it is refused", "try again in a while")


class _GoneError(Exception):
    """The signed address does not work (any more)."""


class _PassingError(Exception):
    """The same request may succeed later."""

    def __init__(self, error: QtuiError) -> None:
        super().__init__(error.message)
        self.error = error
