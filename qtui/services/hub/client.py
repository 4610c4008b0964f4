"""HTTP as the Hub needs it: bounded in time and size, retried, told of, and cancelled at once.

huggingface_hub's own calls wait without limit, sleep where nobody can wake them, and give no single pages; so the
requests are ours, over the HTTP library that it brings along. What stays its own: where the token is and how it is
sent. A token goes to the Hub alone: never to another origin, and to a mirror only when the user said so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from qtui import __version__
from qtui.core.errors import HubError
from qtui.core.hub.events import Waiting
from qtui.services.hub import refusals
from qtui.services.hub.access import hub_access
from qtui.services.hub.environment import huggingface_hub

if TYPE_CHECKING:
    import httpx2

MAX_BODY = 64 << 20
"""Bytes of an answer that are read: a listing of ten thousand files has four million."""
WHOLE_S = 120.0
"""How long one answer may take, however steadily it trickles."""
TRIES = 3
BACKOFF_S = 1.0
MOST_REDIRECTS = 5
OWN_HOSTS = ("huggingface.co", "hf.co")
"""Whose subdomains are the Hub itself, which a token is for."""

Parameters = Sequence[tuple[str, str]]
Pause = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    """Where it came from in the end; it may hold a signature."""

    @property
    def location(self) -> str:
        """Return where a redirect leads to, absolute; empty when it is none."""
        target = self.headers.get("Location", "")
        return urljoin(self.url, target) if 300 <= self.status < 400 and target else ""


class HubClient:
    """Requests to one endpoint.

    Args:
        token_for_mirror: tells whether the user wants the token sent to an endpoint that is not the Hub itself.
        pause: waits; tests do not.
        timeouts: seconds to connect, and between two pieces of an answer.
    """

    def __init__(
        self,
        token_for_mirror: Callable[[], bool] = lambda: False,
        pause: Pause = asyncio.sleep,
        timeouts: tuple[float, float] = (10.0, 20.0),
    ) -> None:
        access = hub_access()
        self.endpoint = access.endpoint
        self._token_for_mirror = token_for_mirror
        self.whole_s = WHOLE_S
        self.pause = pause
        """Waits so many seconds."""
        self._timeouts = timeouts
        self._made: httpx2.AsyncClient | None = None
        self._making = asyncio.Lock()

    @property
    def sends_token(self) -> bool:
        """Tell whether the endpoint may have the token, if there is one."""
        host = (urlsplit(self.endpoint).hostname or "").lower()
        own = any(host == name or host.endswith(f".{name}") for name in OWN_HOSTS)
        return (own and self.endpoint.startswith("https://")) or self._token_for_mirror()

    @property
    def has_token(self) -> bool:
        """Tell whether a token is sent, as far as can be told without reading it."""
        return self.sends_token and hub_access().token != "none"  # noqa: S105  where it is

    async def get(self, path: str, parameters: Parameters = (), **more: Any) -> AsyncGenerator[Waiting | Reply, None]:
        """Ask for a path of the endpoint; see `send`."""
        async for event in self.send("GET", f"{self.endpoint}{path}", parameters=parameters, **more):
            yield event

    async def send(
        self, method: str, url: str, *, what: str, repository: str = "", parameters: Parameters = (),
        data: Mapping[str, Sequence[str]] | None = None, follow: bool = True, allowed: Sequence[int] = (),
    ) -> AsyncGenerator[Waiting | Reply, None]:  # fmt: skip
        """Send a request: Waiting as often as it has to be, then the Reply.

        Args:
            method: `GET`, `HEAD` or `POST`.
            url: absolute, of the endpoint.
            what: is asked for, as errors name it.
            repository: that it is about.
            parameters: of the query.
            data: of a form.
            follow: go where a redirect within the endpoint leads to.
            allowed: statuses of 400 and more that are answers.

        Raises:
            HubError: refused, unreachable, offline, or not understood.
        """
        failed = limited = redirects = 0
        while True:
            try:
                reply = await self._timely(method, url, parameters, data)
            except _BrokenError as broken:
                failed += 1
                if failed >= TRIES:
                    raise broken.error from broken
                delay = BACKOFF_S * 2 ** (failed - 1)
                yield Waiting(f"{broken.error.message}; once more", delay)
                await self.pause(delay)
                continue
            if follow and reply.location and self._same_origin(reply.location) and redirects < MOST_REDIRECTS:
                redirects += 1
                url, parameters = reply.location, ()
                continue
            if follow and reply.location and not self._same_origin(reply.location):
                raise refusals.no_hub(self.endpoint, "it leads to another server")
            if reply.status < 400 or reply.status in allowed:
                yield reply
                return
            error = refusals.refused(
                reply.status, reply.headers, what=what, endpoint=self.endpoint,
                token_sent=self.has_token, repository=repository,
            )  # fmt: skip
            wait = refusals.wait_of(reply.headers)
            if reply.status == refusals.LIMITED and limited < TRIES and wait <= refusals.LONGEST_WAIT_S:
                limited += 1
                yield Waiting(error.message, wait, limited=True)
                await self.pause(wait)
            elif reply.status in refusals.PASSING and failed + 1 < TRIES:
                failed += 1
                delay = BACKOFF_S * 2 ** (failed - 1)
                yield Waiting(f"{error.message}; once more", delay)
                await self.pause(delay)
            else:
                raise error

    async def open(self) -> httpx2.AsyncClient:
        """Return the HTTP client, made on the first call.

        Raises:
            OfflineError: the user wants the Hub not to be asked.
            HubError: a proxy's address in the environment cannot be used.
        """
        if hub_access().offline:
            raise refusals.offline(self.endpoint)
        async with self._making:
            if self._made is None:
                try:
                    self._made = await asyncio.to_thread(self._make)
                except (ValueError, OSError, ImportError) as error:
                    raise HubError(
                        "no connection can be set up with these settings of the environment",
                        "check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE",
                    ) from error
            return self._made

    async def close(self) -> None:
        """Close all connections; the next request opens others."""
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()

    def _make(self) -> httpx2.AsyncClient:
        huggingface_hub()
        import httpx2

        connect, read = self._timeouts
        return httpx2.AsyncClient(
            timeout=httpx2.Timeout(connect=connect, read=read, write=read, pool=60.0),
            limits=httpx2.Limits(max_connections=8, max_keepalive_connections=8),
            follow_redirects=False,
            headers={"User-Agent": f"qtui/{__version__}", "Accept-Encoding": "gzip, identity"},
        )

    async def _timely(
        self, method: str, url: str, parameters: Parameters, data: Mapping[str, Sequence[str]] | None
    ) -> Reply:
        try:
            async with asyncio.timeout(self.whole_s):
                return await self._once(method, url, parameters, data)
        except TimeoutError as error:
            raise _BrokenError(refusals.too_slow(self.endpoint)) from error

    async def _once(
        self, method: str, url: str, parameters: Parameters, data: Mapping[str, Sequence[str]] | None
    ) -> Reply:
        client = await self.open()
        import httpx2

        try:
            request = client.build_request(method, url, params=list(parameters) or None, data=data)
            response = await client.send(request, stream=True, auth=await self.authorization(url))
            try:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_BODY:
                        raise refusals.no_hub(self.endpoint, "its answer does not end")
                return Reply(response.status_code, response.headers, bytes(body), str(response.url))
            finally:
                await response.aclose()
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise HubError(f"{self.endpoint} is no address of a Hub", "check HF_ENDPOINT") from error
        except httpx2.TransportError as error:
            raise _BrokenError(refusals.unreachable(error, self.endpoint)) from error
        except httpx2.DecodingError as error:
            raise refusals.no_hub(self.endpoint, "its answer cannot be decoded") from error

    async def authorization(self, url: str) -> httpx2.Auth | None:
        """Return what adds the token to a request: only to the endpoint, and only where it may have it."""
        if not (self._same_origin(url) and self.has_token):
            return None
        from qtui.services.hub.bearer import Bearer

        return Bearer()

    def _same_origin(self, url: str) -> bool:
        own, other = urlsplit(self.endpoint), urlsplit(url)
        return (own.scheme, own.netloc.rpartition("@")[2]) == (other.scheme, other.netloc.rpartition("@")[2])


class _BrokenError(Exception):
    """No answer came; the next try may bring one."""

    def __init__(self, error: HubError) -> None:
        super().__init__(error.message)
        self.error = error


def json_of(reply: Reply, kind: type[dict[str, Any]] | type[list[Any]], endpoint: str) -> Any:
    """Return an answer's JSON, an object or an array.

    Raises:
        HubError: it is something else, as the page of a network that wants a login.
    """
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        web = reply.body.lstrip()[:1] == b"<"
        raise refusals.no_hub(endpoint, "it sent a web page" if web else "it sent no JSON") from None
    if not isinstance(value, kind):
        raise refusals.no_hub(endpoint, "its JSON is of another shape")
    return value
