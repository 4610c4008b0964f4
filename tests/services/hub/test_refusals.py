"""What goes wrong between the Hub and us, and what is said of it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtui.core.errors import AccessError, HubError, NotOnHubError, OfflineError, QtuiError, RateLimitError
from qtui.core.hub.query import Query
from qtui.core.hub.repository import Access, RepositoryFile
from qtui.core.hub.repository import Repository as Found
from tests.hub.content import Bytes
from tests.hub.faults import Fault, Kind, rate_limited
from tests.hub.repository import Repository
from tests.hub.server import LocalHub
from tests.services.hub.conftest import Client, make_client

TOKEN = "hf_" + "markedTOKEN" * 3


@pytest.fixture
def repository(server: LocalHub) -> Repository:
    repository = server.add(Repository("acme/Model-GGUF"))
    repository.commit({"a.gguf": b"GGUF", "README.md": b"x"})
    return repository


async def error_of(client: Client, name: str = "acme/Model-GGUF") -> QtuiError:
    with pytest.raises(HubError) as caught:
        await client.last(client.hub.repository(name))
    return caught.value


@pytest.mark.parametrize(
    ("status", "headers", "kind", "said"),
    [
        (404, {"X-Error-Code": "RepoNotFound"}, NotOnHubError, ("no such repository", "hf auth login")),
        (401, {"X-Error-Code": "RepoNotFound"}, NotOnHubError, ("no such repository", "private")),
        (404, {"X-Error-Code": "RevisionNotFound"}, NotOnHubError, ("no such revision", "list")),
        (404, {"X-Error-Code": "EntryNotFound"}, NotOnHubError, ("no such file", "list")),
        (401, {"X-Error-Code": "GatedRepo"}, AccessError, ("gated", "/acme/Model-GGUF")),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, AccessError, ("token", "revoked")),
        (
            403,
            {"X-Error-Message": "Access to this resource is disabled."},
            AccessError,
            ("disabled", "acme/Model-GGUF"),
        ),
        (403, {"X-Error-Message": "no\x9b[2J"}, AccessError, ("status 403", "token")),
        (500, {}, HubError, ("status 500", "again")),
        (418, {"X-Error-Message": "I am a teapot"}, HubError, ("teapot", "")),
        (416, {}, HubError, ("status 416", "")),
        (400, {"X-Error-Message": "bad"}, HubError, ("bad", "")),
    ],
)
async def test_every_refusal_says_what_to_do(
    server: LocalHub, client: Client, *, status: int, headers: dict[str, str], kind: type[QtuiError],
    said: tuple[str, str],
) -> None:  # fmt: skip
    server.fault(Fault(Kind.STATUS, "/api/models/*", status=status, headers=headers, times=-1))
    error = await error_of(client)
    assert type(error) is kind and said[0] in error.message and said[1] in error.hint
    assert "\x9b" not in error.message


async def test_gates(server: LocalHub, client: Client, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.gated = "manual"
    found, files = await client.files("acme/Model-GGUF")
    assert found.access is Access.GATED
    with pytest.raises(AccessError) as refused:
        await client.last(client.hub.header(found, files["a.gguf"]))
    assert f"accept its terms at {server.endpoint}/acme/Model-GGUF" in refused.value.hint
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.user(TOKEN, "me")
    assert (await client.last(client.hub.repository("acme/Model-GGUF"))).access is Access.GATED
    repository.granted.add("me")
    assert (await client.last(client.hub.repository("acme/Model-GGUF"))).access is Access.GRANTED
    assert (await client.last(client.hub.account())).name == "me"


async def test_missing_and_bad_tokens_are_told_apart(
    server: LocalHub, client: Client, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.private = True
    missing = await error_of(client)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    bad = await error_of(client)
    assert isinstance(missing, NotOnHubError) and "hf auth login" in missing.hint
    assert isinstance(bad, AccessError) and "does not know the token" in bad.message
    server.user(TOKEN, "me")
    stranger = await error_of(client)
    assert isinstance(stranger, NotOnHubError) and "needs a token" not in stranger.hint
    repository.granted.add("me")
    assert (await client.last(client.hub.repository("acme/Model-GGUF"))).access is Access.PRIVATE


async def test_a_mirror_gets_no_token_unless_the_user_says_so(
    server: LocalHub, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.user(TOKEN, "me")
    wanted = False
    client = make_client(tmp_path, token=lambda: wanted)
    for wanted in (False, True):  # noqa: B007  the client asks each time
        await client.last(client.hub.repository("acme/Model-GGUF"))
    assert [record.token for record in server.requests("hub")] == ["", TOKEN]
    await client.hub.close()


async def test_the_token_goes_to_the_hub_alone(
    server: LocalHub, client: Client, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.user(TOKEN, "me")
    found, files = await client.files("acme/Model-GGUF")
    with pytest.raises(QtuiError):
        await client.last(client.hub.header(found, files["a.gguf"]))
    assert {record.token for record in server.requests("hub")} == {TOKEN}
    assert {record.token for record in server.requests("cdn")} == {""} and server.requests("cdn")
    assert TOKEN not in repr(client.hub.__dict__)
    assert not any("agent-harness" in record.path for record in server.requests()), "no telemetry"


async def test_rate_limits_are_waited_for_and_told(server: LocalHub, client: Client, repository: Repository) -> None:
    server.fault(rate_limited("/api/models/*", wait_s=55))
    await client.last(client.hub.repository("acme/Model-GGUF"))
    assert client.waited == [56.0]
    (waiting,) = client.waitings
    assert waiting.limited and waiting.seconds == 56.0 and "no more requests" in waiting.reason


async def test_a_limit_that_does_not_end(server: LocalHub, client: Client, repository: Repository) -> None:
    server.fault(rate_limited("/api/models/*", wait_s=10, times=-1))
    assert isinstance(await error_of(client), RateLimitError) and client.waited == [11.0] * 3
    server.faults.clear()
    server.fault(rate_limited("/api/models/*", wait_s=4000, times=-1))
    assert isinstance(await error_of(client), RateLimitError) and len(client.waited) == 3, "an hour is not waited"


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.RESET])
async def test_broken_connections_are_tried_again(
    server: LocalHub, client: Client, repository: Repository, kind: Kind
) -> None:
    server.fault(Fault(kind, "/api/models/*", at=10, port="hub", times=2))
    assert (await client.last(client.hub.repository("acme/Model-GGUF"))).id == "acme/Model-GGUF"
    assert client.waited == [1.0, 2.0] and not any(waiting.limited for waiting in client.waitings)
    server.fault(Fault(kind, "/api/models/*", at=10, port="hub", times=-1))
    error = await error_of(client)
    assert isinstance(error, OfflineError) and "cannot be reached" in error.message


async def test_failing_servers_are_tried_again(server: LocalHub, client: Client, repository: Repository) -> None:
    server.fault(Fault(Kind.STATUS, "/api/models/*", status=503, times=2))
    await client.last(client.hub.repository("acme/Model-GGUF"))
    assert client.waited == [1.0, 2.0]


async def test_a_silent_server_is_not_waited_for_without_end(
    server: LocalHub, repository: Repository, tmp_path: Path
) -> None:
    client = make_client(tmp_path, read_timeout=0.1)
    server.fault(Fault(Kind.STALL, "/api/models/*", port="hub", times=-1))
    error = await error_of(client)
    assert isinstance(error, OfflineError) and "no answer within the time limit" in error.message
    await client.hub.close()


async def test_an_answer_that_trickles_has_an_end(server: LocalHub, client: Client, repository: Repository) -> None:
    client.http.whole_s = 0.2
    server.fault(Fault(Kind.SLOW, "/api/models/*", port="hub", rate=20, times=-1))
    error = await error_of(client)
    assert isinstance(error, OfflineError) and "takes too long" in error.message
    content = Bytes(b"GGUF" + bytes(10_000))  # each try brings a byte at least
    found = Found("acme/Model-GGUF", repository.commit({"a.gguf": content}))
    file = RepositoryFile("a.gguf", content.size, content.sha256)
    client.http.whole_s = 0.05
    # Each try goes on where the one before ended, and is slow from there on.
    server.fault(*(Fault(Kind.SLOW, "*a.gguf", at=byte, rate=1, times=-1) for byte in range(100)))
    with pytest.raises(OfflineError, match="takes too long"):
        await client.last(client.hub.header(found, file))


async def test_networks_that_lead_elsewhere(server: LocalHub, client: Client, repository: Repository) -> None:
    headers = {"Location": "http://portal.example/login"}
    server.fault(Fault(Kind.STATUS, "/api/models/*", status=302, headers=headers))
    assert "no Hub: it leads to another server" in (await error_of(client)).message
    server.fault(Fault(Kind.STATUS, "/api/models/*", status=307, headers={"Location": "/api/models/a/b"}, times=-1))
    assert "no Hub" in (await error_of(client)).message, "in a circle"


async def test_whoever_stops_waiting_is_free_at_once(server: LocalHub, client: Client, repository: Repository) -> None:
    server.fault(Fault(Kind.STALL, "/api/models/*", port="hub", times=-1))
    task = asyncio.create_task(client.last(client.hub.repository("acme/Model-GGUF")))
    while not server.requests("hub"):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)


async def test_the_page_of_a_network_that_wants_a_login(
    server: LocalHub, client: Client, repository: Repository
) -> None:
    server.fault(Fault(Kind.PORTAL, times=-1))
    error = await error_of(client)
    assert "no Hub: it sent a web page" in error.message and "log in to this network" in error.hint
    with pytest.raises(HubError, match="no Hub"):
        await client.last(client.hub.search(Query("x")))


async def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    client = make_client(tmp_path)
    error = await error_of(client)
    assert isinstance(error, OfflineError) and f"127.0.0.1:{port} cannot be reached" in error.message
    assert client.waited == [1.0, 2.0]
    await client.hub.close()


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://host", "http://[::1", "http://user:secret@127.0.0.1:1"])
async def test_addresses_of_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    client = make_client(tmp_path)
    error = await error_of(client)
    assert "secret" not in error.message + error.hint + client.hub.endpoint
    await client.hub.close()


async def test_offline_nothing_is_asked(
    server: LocalHub, client: Client, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = await error_of(client)
    assert isinstance(error, OfflineError) and "HF_HUB_OFFLINE" in error.message and server.requests() == []


async def test_a_body_that_does_not_end(
    server: LocalHub, client: Client, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtui.services.hub.client.MAX_BODY", 1000)
    server.fault(Fault(Kind.STATUS, "/api/models/*", status=200, body=b"[" + b"1," * 2000 + b"1]"))
    assert "does not end" in (await error_of(client)).message


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers by itself, and the first lines that it was sent."""
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    lines.append(connection.recv(65536).split(b"\r\n")[0].decode())
                    body = b'{"id": "acme/By-Proxy", "sha": "' + b"0" * 40 + b'"}'
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", lines
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


async def test_proxies_of_the_environment_are_used(
    proxy: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy[0])
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    client = make_client(tmp_path)
    found = await client.last(client.hub.repository("acme/By-Proxy"))
    assert found.id == "acme/By-Proxy" and proxy[1][0].startswith("GET http://hub.example/api/models/acme/By-Proxy?")
    await client.hub.close()


@pytest.mark.parametrize("proxy_address", ["nonsense://x", "http://[bad", "socks5://127.0.0.1:1"])
async def test_proxies_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy_address: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy_address)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    client = make_client(tmp_path)
    assert isinstance(await error_of(client), HubError)
    await client.hub.close()
