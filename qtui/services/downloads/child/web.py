"""HTTP as the byte loop needs it: one request at a time, by the proxies of the environment, never a silent redirect.

The standard library's client reads straight into our buffers: with hashing it is about twice as fast as httpx2 here
(`python -m tests.benchmarks.download`).
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

from qtui.core.downloads.trouble import NetworkError
from qtui.core.text import clean_name

MOST_REDIRECTS = 5
LONGEST_WAIT_S = 900.0
"""What a server may ask for between two tries; more is not believed."""
LIMITED = (429, 503)


class AgainError(Exception):
    """This try failed; another may not. `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None, *, whole: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.whole = whole
        """The server cannot be asked for a part: next time the whole file is."""


@dataclass(frozen=True, slots=True)
class Address:
    """A URL and what is sent to it; never shown, for it may hold a signature or a token."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> tuple[str, str]:
        """Return scheme and host with port: what a token may not leave."""
        return origin(self.url)


class Answer:
    """A response whose body has not been read. Closed with the block that uses it."""

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        self._response = response
        self.url = url
        self.status = response.status
        self.headers = response.headers

    @property
    def redirect(self) -> str:
        """Return where it leads to, absolute; empty when it is no redirect."""
        target = self.headers.get("Location", "")
        return urljoin(self.url, target) if self.status in (301, 302, 303, 307, 308) and target else ""

    @property
    def length(self) -> int | None:
        """Return how many bytes it promises, None when it does not say."""
        text = self.headers.get("Content-Length", "")
        return int(text) if re.fullmatch(r"\d{1,18}", text) else None

    def read_into(self, view: memoryview) -> int:
        """Read what is there, at least a byte, into a buffer; 0 at the end.

        Raises:
            AgainError: the connection broke or went silent.
        """
        try:
            if self._response.chunked:
                piece = self._response.read1(len(view))
                view[: len(piece)] = piece
                return len(piece)
            # Not the response's own readinto: it waits until the buffer is full, and loses what came when it breaks.
            return self._response.fp.readinto1(view)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AgainError(reason_of(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.close()


class Web:
    """Sends requests. What is no http or https URL is refused."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._openers: dict[str, urllib.request.OpenerDirector] = {}

    def ask(self, method: str, address: Address) -> Answer:
        """Send a request and return its answer, whatever the status.

        Raises:
            AgainError: no answer came.
            NetworkError: the address cannot be used, or the server's certificate is not trusted.
        """
        if address.origin[0] not in ("http", "https"):
            raise NetworkError("the server named an address that is not of the web", "try again, or another mirror")
        try:
            request = urllib.request.Request(address.url, headers=dict(address.headers), method=method)  # noqa: S310
            response = self._opener(address.origin[0]).open(request, timeout=self._timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise NetworkError(
                    f"the certificate of {clean_name(host(address.url))} is not trusted",
                    "a proxy that opens connections? SSL_CERT_FILE names the certificates to trust",
                ) from error
            raise AgainError(reason_of(cause)) from error
        if not isinstance(response, http.client.HTTPResponse):
            raise AgainError("the proxy could not be used")
        return Answer(response, address.url)

    def _opener(self, scheme: str) -> urllib.request.OpenerDirector:
        """Return what opens addresses of a scheme; the certificates to trust are read when they are first needed."""
        if scheme not in self._openers:
            # No handler for redirects, errors, files or FTP: every status comes back as it is.
            opener = urllib.request.OpenerDirector()
            opener.add_handler(urllib.request.ProxyHandler())
            if scheme == "https":
                opener.add_handler(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
            else:
                opener.add_handler(urllib.request.HTTPHandler())
            self._openers[scheme] = opener
        return self._openers[scheme]

    def follow(self, method: str, address: Address) -> Answer:
        """Send a request and follow redirects; what is sent along never leaves the first origin.

        Raises:
            AgainError: no answer came, or redirects without end.
            NetworkError: the address cannot be used.
        """
        for _ in range(MOST_REDIRECTS):
            answer = self.ask(method, address)
            if not answer.redirect:
                return answer
            with answer:
                address = redirected(address, answer.redirect)
        raise AgainError("the server redirects without end")


def redirected(address: Address, url: str) -> Address:
    """Return where a redirect leads: with what was sent before inside of one origin, else with none of it.

    Raises:
        AgainError: it leads from https to http.
    """
    if origin(url) == address.origin:
        return Address(url, address.headers)
    if address.origin[0] == "https" and origin(url)[0] != "https":
        raise AgainError("the server redirects to an unprotected address")
    kept = {name: value for name, value in address.headers.items() if name.lower() in ("range", "accept-encoding")}
    return Address(url, kept)


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port, in small letters; empty texts for what is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ("", "")
    return (parts.scheme.lower(), f"{(parts.hostname or '').lower()}:{port}")


def host(url: str) -> str:
    """Return the host that a URL names, without port, user or password."""
    return origin(url)[1].rpartition(":")[0]


def asked_wait(headers: http.client.HTTPMessage) -> float | None:
    """Return how many seconds a server asks to wait, None when it does not.

    `RateLimit: "api";r=0;t=55` of the Hub goes before `Retry-After`.
    """
    found = re.search(r";\s*t=(\d{1,6})", headers.get("RateLimit", "") or "")
    text = found[1] if found else headers.get("Retry-After", "") or ""
    return min(float(text), LONGEST_WAIT_S) if re.fullmatch(r"\d{1,9}", text) else None


def reason_of(error: object) -> str:
    """Return in a few words why a connection failed; its own words may hold an address, and are not told."""
    if isinstance(error, TimeoutError):
        return "the server has gone silent"
    if isinstance(error, socket.gaierror):
        return "the server's name cannot be resolved: is this machine online?"
    if isinstance(error, ConnectionRefusedError):
        return "the server takes no connections"
    if isinstance(error, ConnectionError | http.client.IncompleteRead | ssl.SSLEOFError):
        return "the connection broke"
    if isinstance(error, ssl.SSLError):
        return "no protected connection can be made"
    if isinstance(error, OSError) and error.errno is not None:
        return f"the connection failed ({clean_name(error.strerror or type(error).__name__)})"
    return "the server does not answer as a web server does"
