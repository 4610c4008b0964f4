"""Requests of the byte loop: proxies, redirects, and what never leaves an origin."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from qtui.core.downloads.trouble import NetworkError
from qtui.services.downloads.child.web import Address, AgainError, Web, asked_wait, redirected
from tests.services.downloads.place import MIB, Place

SECRET = {"authorization": "Bearer hf_secret", "Range": "bytes=5-", "Accept-Encoding": "identity", "Cookie": "x"}


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("https://hub.example/other", True),
        ("https://HUB.example:443/other", True),
        ("https://hub.example:444/other", False),
        ("https://cdn.example/other", False),
        ("https://hub.example.evil.example/", False),
        ("https://hub.example@evil.example/", False),
    ],
)
def test_a_token_stays_inside_of_its_origin(target: str, kept: bool) -> None:
    after = redirected(Address("https://hub.example/file", SECRET), target)
    assert after.url == target
    assert ("authorization" in after.headers) is kept
    assert ("Cookie" in after.headers) is kept
    assert after.headers["Range"] == "bytes=5-"


@pytest.mark.parametrize("target", ["http://cdn.example/x", "file:///etc/passwd", "ftp://x/y", "javascript:1"])
def test_nothing_leads_out_of_a_protected_connection(target: str) -> None:
    with pytest.raises(AgainError):
        redirected(Address("https://hub.example/file", SECRET), target)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "", "http://[::1"])
def test_only_web_addresses_are_asked(url: str) -> None:
    with pytest.raises((NetworkError, AgainError)):
        Web(1.0).ask("GET", Address(url))


def test_an_address_is_never_shown() -> None:
    assert "Signature" not in repr(Address("https://cdn.example/x?Signature=abc", SECRET))
    assert "hf_secret" not in repr(Address("https://cdn.example/x?Signature=abc", SECRET))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"api";r=0;t=55', "Retry-After": "3"}, 55.0),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "99999999"}, 900.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_is_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    message = http.client.HTTPMessage()
    for name, value in headers.items():
        message[name] = value
    assert asked_wait(message) == seconds


class Proxy(ThreadingHTTPServer):
    """A forward proxy for plain HTTP, for which two made-up names are the test Hub's ports."""

    daemon_threads = True

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _ProxyHandler)


class _ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        self.server.asked.append(f"{self.command} {target.netloc}")
        connection = http.client.HTTPConnection(self.server.names[target.netloc], timeout=10)
        query = f"?{target.query}" if target.query else ""
        connection.request(self.command, target.path + query, headers=dict(self.headers))
        answer = connection.getresponse()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            told = value
            for made_up, real in self.server.names.items():
                told = told.replace(real, made_up)
            self.send_header(name, told)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.read())
        connection.close()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    names = {"hub.test": urlsplit(place.hub.endpoint).netloc, "cdn.test": urlsplit(place.hub.cdn).netloc}
    proxy = Proxy(names)
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
    yield proxy
    proxy.shutdown()
    proxy.server_close()


def test_a_download_goes_through_the_proxy_of_the_environment(place: Place, proxy: Proxy) -> None:
    ran = place.run(replace(place.job(), endpoint="http://hub.test"))
    assert ran.error is None, ran.error
    assert place.is_right() and ran.received == 3 * MIB
    assert proxy.asked == ["HEAD hub.test", "GET cdn.test"]


def test_what_the_environment_keeps_from_the_proxy_does_not_go_there(
    place: Place, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert place.run().error is None
    assert proxy.asked == []
