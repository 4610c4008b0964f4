"""The two ports of the test Hub, and what happens to their answers on the way."""

from __future__ import annotations

import contextlib
import email.utils
import os
import secrets
import select
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

from tests.hub.api import Api, ranged
from tests.hub.content import Bytes, Content, OnDisk
from tests.hub.exchange import Record, Reply, Request
from tests.hub.faults import AT_A_BYTE, PORTAL_PAGE, Fault, Kind
from tests.hub.repository import Commit, Repository

PIECE = 256 << 10
"""Bytes that are sent at once."""
LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a reset."""


class LocalHub:
    """A Hub and its CDN on two loopback ports, in threads of this process, until it is closed."""

    def __init__(self, root: Path | None = None) -> None:
        """Open the ports.

        Args:
            root: a folder of repositories, `root/owner/name/…`; more can be added later.
        """
        self.repositories: dict[str, Repository] = {}
        self.moved: dict[str, str] = {}
        """Old names of repositories, and their new ones."""
        self.tokens: dict[str, str] = {}
        """The users that there are, by token."""
        self.page: int | None = None
        """Entries of a page; None: as many as the Hub gives."""
        self.faults: list[Fault] = []
        self.log: list[Record] = []
        self._signatures: dict[str, tuple[str, Content]] = {}
        self._expired: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._releases = 0
        self._connections: set[socket.socket] = set()
        self._servers = [_Server(self, name) for name in ("hub", "cdn")]
        self.endpoint, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)
        self._api = Api(self)
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), name=f"test {server.port}", daemon=True).start()
        for owner in sorted(root.iterdir()) if root else ():
            for folder in sorted(owner.iterdir()) if owner.is_dir() else ():
                self.add(Repository.from_folder(folder))

    def add(self, repository: Repository) -> Repository:
        """Put a repository up."""
        self.repositories[repository.id] = repository
        return repository

    def move(self, old: str, new: str) -> None:
        """Rename a repository; its old name redirects."""
        repository = self.repositories.pop(old)
        repository.id = new
        self.repositories[new] = repository
        self.moved[old] = new

    def user(self, token: str, name: str = "someone") -> str:
        """Let a token in as a user; returns the user's name."""
        self.tokens[token] = name
        return name

    def fault(self, *faults: Fault) -> Fault:
        """Let something go wrong; returns the last of them, which counts how often it happened."""
        with self._lock:
            self.faults += faults
        return faults[-1]

    def release(self) -> None:
        """Let all answers that stall now go on."""
        self._releases += 1

    def expire_addresses(self) -> None:
        """Let all signed addresses run out that were given until now."""
        with self._lock:
            self._expired |= set(self._signatures)

    def requests(self, port: str = "", method: str = "", path: str = "") -> list[Record]:
        """Return what was asked so far: of one port, by one method, with `path` somewhere in its path."""
        with self._lock:
            return [
                record
                for record in self.log
                if port in ("", record.port) and method in ("", record.method) and path in record.path
            ]

    def sent(self, port: str = "cdn", path: str = "") -> int:
        """Return the bytes of bodies that were sent so far."""
        return sum(record.sent for record in self.requests(port, path=path))

    def clear(self) -> None:
        """Forget what was asked."""
        with self._lock:
            self.log.clear()

    def close(self) -> None:
        """Close both ports and all connections."""
        self._closed.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sign(self, repository: Repository, commit: Commit, path: str) -> str:
        """Return an address on the CDN that works until it is expired."""
        signature = secrets.token_hex(16)
        with self._lock:
            self._signatures[signature] = (f"/{repository.id}/{path}", commit.files[path])
        return f"{self.cdn}/{quote(repository.id)}/{quote(path)}?Expires=1790000000&Signature={signature}"

    def answer(self, request: Request) -> Reply:
        """Return the answer that is due when nothing goes wrong."""
        if request.port == "hub":
            return self._api.answer(request)
        signature = parse_qs(urlsplit(request.target).query).get("Signature", [""])[0]
        with self._lock:
            known = self._signatures.get(signature)
            expired = signature in self._expired
        if known is None or expired or known[0] != request.path:
            return _xml(403, "AccessDenied", "Request has expired" if expired else "Access denied")
        return ranged(request, known[1], {"ETag": f'"{known[1].sha256[:32]}"', "Via": "test CDN"})

    def due(self, request: Request) -> list[Fault]:
        """Return the faults that match a request."""
        with self._lock:
            return [fault for fault in self.faults if fault.matches(request.port, request.method, request.path)]

    def expire(self, request: Request) -> None:
        """Let one signed address run out."""
        with self._lock:
            self._expired |= set(parse_qs(urlsplit(request.target).query).get("Signature", []))

    def happened(self, fault: Fault, record: Record) -> None:
        """Count a fault that has happened."""
        with self._lock:
            record.faults.append(fault.kind.value)
        fault.happen()

    def record(self, request: Request) -> Record:
        """Put a request on record."""
        found = Record(
            request.port, request.method, request.path, request.target, request.range, request.token, request.headers
        )
        with self._lock:
            self.log.append(found)
        return found

    def wait_released(self, connection: socket.socket) -> None:
        """Wait until stalled answers may go on, or the client has left."""
        before = self._releases
        while self._releases == before and not self._closed.wait(0.01):
            readable, _, _ = select.select([connection], [], [], 0)
            if readable and not connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError("the client has left")

    def pause(self, seconds: float) -> None:
        """Wait, for answers that are slow on purpose."""
        self._closed.wait(seconds)

    @contextlib.contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        """Keep a connection on the list of those that closing ends."""
        with self._lock:
            self._connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: LocalHub, port: str) -> None:
        self.hub, self.port = hub, port
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients leave as they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with self.server.hub.connected(self.connection), contextlib.suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        hub = self.server.hub
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.server.port, self.command, self.path, headers, self.rfile.read(length))
        record = hub.record(request)
        faults = hub.due(request)
        for fault in faults:
            if fault.kind is Kind.EXPIRED:
                hub.expire(request)
                hub.happened(fault, record)
        reply = hub.answer(request)
        whole = [fault for fault in faults if fault.kind not in (*AT_A_BYTE, Kind.EXPIRED)]
        extra = b""
        for fault in whole:
            if changed := _changed(fault, reply, request):
                reply = changed
            if fault.kind is Kind.EXTRA:
                extra = bytes(fault.extra)
            hub.happened(fault, record)
        record.status = reply.status
        kinds = {fault.kind for fault in whole}
        self._head(reply, length=Kind.NO_LENGTH not in kinds)
        if self.command == "HEAD":
            return
        _Body(self, record, [fault for fault in faults if fault.kind in AT_A_BYTE]).send(reply)
        if extra:
            self.connection.sendall(extra)
        if extra or Kind.NO_LENGTH in kinds:
            self.close_connection = True

    do_HEAD = do_GET
    do_POST = do_GET

    def _head(self, reply: Reply, *, length: bool) -> None:
        self.send_response_only(reply.status)
        self.send_header("Date", email.utils.formatdate(usegmt=True))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(reply.stop - reply.start))
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: there is a record."""


class _Body:
    """Sends the bytes of one answer."""

    def __init__(self, handler: _Handler, record: Record, faults: Sequence[Fault]) -> None:
        self.handler, self.record, self.faults = handler, record, faults
        self.hub = handler.server.hub
        self.rate: int | None = None

    def send(self, reply: Reply) -> None:
        """Send all of it, or what the faults let pass."""
        inside = sorted((f for f in self.faults if reply.start <= f.at < reply.stop), key=lambda fault: fault.at)
        position = reply.start
        for fault in inside:
            position = self._plain(reply.content, position, fault.at)
            position = self._happen(fault, reply.content, position)
            if position < 0:
                return
        self._plain(reply.content, position, reply.stop)

    def _happen(self, fault: Fault, content: Content, position: int) -> int:
        """Let a fault happen; returns the byte to go on with, -1 when the connection is gone."""
        connection = self.handler.connection
        self.hub.happened(fault, self.record)
        if fault.kind is Kind.CORRUPT:
            (byte,) = content.read(position, 1)
            connection.sendall(bytes([byte ^ 1]))
            self.record.sent += 1
            return position + 1
        if fault.kind is Kind.SLOW:
            self.rate = fault.rate
            return position
        if fault.kind is Kind.STALL:
            self.hub.wait_released(connection)
            return position
        self.handler.close_connection = True
        if fault.kind is Kind.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            # shutdown() before close(), as http.server ends connections, would send a FIN first.
            os.close(connection.detach())
        return -1

    def _plain(self, content: Content, start: int, end: int) -> int:
        """Send the bytes from `start` to `end` as they are; returns `end`."""
        connection = self.handler.connection
        if isinstance(content, OnDisk) and self.rate is None and end - start > PIECE:
            with content.path.open("rb") as file:
                self.record.sent += connection.sendfile(file, start, end - start)
            return end
        while start < end:
            step = PIECE if self.rate is None else max(1, min(PIECE, self.rate // 20))
            piece = content.read(start, min(step, end - start))
            connection.sendall(piece)
            self.record.sent += len(piece)
            start += len(piece)
            if self.rate is not None:
                self.hub.pause(len(piece) / self.rate)
        return end


def _changed(fault: Fault, reply: Reply, request: Request) -> Reply | None:
    """Return the answer that a fault puts in place of another."""
    if fault.kind is Kind.STATUS:
        return Reply(fault.status, dict(fault.headers), Bytes(fault.body))
    if fault.kind is Kind.PORTAL:
        return Reply(200, {"Content-Type": "text/html"}, Bytes(PORTAL_PAGE))
    if fault.kind is Kind.IGNORE_RANGE and reply.status == 206:
        return Reply(200, _without(reply.headers, "Content-Range", "Accept-Ranges"), reply.content)
    if fault.kind is Kind.WRONG_RANGE and reply.status == 206:
        start = min(reply.start + fault.shift, reply.stop - 1)
        where = f"bytes {start}-{reply.stop - 1}/{reply.content.size}"
        return Reply(206, {**reply.headers, "Content-Range": where}, reply.content, start, reply.stop)
    if fault.kind is Kind.SHORT and reply.start <= fault.at < reply.stop:
        headers = dict(reply.headers)
        if reply.status == 206:
            headers["Content-Range"] = f"bytes {reply.start}-{fault.at - 1}/{fault.at}"
        return Reply(reply.status, headers, reply.content, reply.start, fault.at)
    if fault.kind is Kind.NO_COMMIT:
        headers = _without(reply.headers, "X-Repo-Commit", "X-Linked-Etag", "X-Linked-Size", "ETag")
        return Reply(reply.status, headers, reply.content, reply.start, reply.end)
    return None


def _without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def _xml(status: int, code: str, message: str) -> Reply:
    page = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, {"Content-Type": "application/xml"}, Bytes(page.encode()))
