"""A request as the test Hub reads it, an answer as it means to send it, and the record of both."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.content import Bytes, Content


@dataclass(frozen=True)
class Request:
    """One request."""

    port: str
    """`hub` or `cdn`."""
    method: str
    target: str
    """Path and query as they were sent."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """Return the path, unquoted."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def one(self, name: str) -> str:
        """Return the last value of a query's parameter; empty when there is none."""
        return self.query.get(name, [""])[-1]

    @property
    def range(self) -> tuple[int, int | None] | None:
        """Return the first and the last byte that were asked for; None without a Range that can be understood."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return (int(match[1]), int(match[2]) if match[2] else None) if match else None

    @property
    def token(self) -> str:
        """Return the bearer's token; empty when none was sent."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Reply:
    """One answer, before anything goes wrong with it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: Content = field(default_factory=lambda: Bytes(b""))
    start: int = 0
    """The first byte of the content that is sent."""
    end: int | None = None
    """The byte after the last one; None: all."""

    @property
    def stop(self) -> int:
        return self.content.size if self.end is None else self.end


@dataclass
class Record:
    """What was asked, and what came of it."""

    port: str
    method: str
    path: str
    target: str
    range: tuple[int, int | None] | None
    token: str
    """What was sent as the bearer's token; empty: nothing."""
    headers: Mapping[str, str] = field(repr=False)
    status: int = 0
    sent: int = 0
    """Bytes of the body that were handed to the network."""
    faults: list[str] = field(default_factory=list)


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    """Return an answer of JSON; `_` in the names of headers stands for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    data = json.dumps(value).encode()
    return Reply(status, {"Content-Type": "application/json; charset=utf-8", **named}, Bytes(data))


def error(status: int, code: str = "", message: str = "") -> Reply:
    """Return an error as the Hub tells it."""
    headers = {}
    if code:
        headers["X_Error_Code"] = code
    if message:
        headers["X_Error_Message"] = message
    return json_reply({"error": message or code or f"status {status}"}, status, **headers)
