"""What can go wrong with an answer of the test Hub, down to the byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class Kind(StrEnum):
    """The faults. Those that happen at a byte of the file look at `Fault.at`, the others concern the whole answer."""

    CUT = "cut"
    """The connection is closed in order (FIN) at the byte."""
    RESET = "reset"
    """The connection is reset (RST) at the byte."""
    STALL = "stall"
    """Nothing more is sent from the byte on, until the client leaves or `LocalHub.release` is called."""
    CORRUPT = "corrupt"
    """The byte arrives with one bit flipped."""
    SLOW = "slow"
    """From the byte on, `rate` bytes per second are sent."""
    STATUS = "status"
    """The answer is `status` with `headers` and `body`."""
    PORTAL = "portal"
    """The answer is 200 with a page of HTML, as a hotel's network sends it."""
    IGNORE_RANGE = "ignore-range"
    """The whole file is sent with 200, whatever range was asked for."""
    WRONG_RANGE = "wrong-range"
    """206 with a Content-Range that begins `shift` bytes later than asked, and those bytes."""
    EXTRA = "extra"
    """`extra` bytes more than were promised are sent, and the connection is closed."""
    SHORT = "short"
    """Content-Length and body say that the file ends at the byte."""
    EXPIRED = "expired"
    """The signed address has run out: 403 from the CDN, for this address for ever."""
    NO_COMMIT = "no-commit"
    """The answer lacks X-Repo-Commit and both ETags, as from a server that is no Hub."""
    NO_LENGTH = "no-length"
    """The body comes without Content-Length, and ends with the connection."""


AT_A_BYTE = (Kind.CUT, Kind.RESET, Kind.STALL, Kind.CORRUPT, Kind.SLOW)
PORTAL_PAGE = b"<!DOCTYPE html><html><head><title>Welcome to Hotel WiFi</title></head><body>Log in</body></html>"


@dataclass
class Fault:
    """One thing that goes wrong, `times` times, with every request that matches."""

    kind: Kind
    path: str = "*"
    """A pattern (`fnmatch`) for the request's path: `/owner/name/FILE` on the CDN, all of it on the Hub."""
    at: int = 0
    """The byte of the file."""
    times: int = 1
    """How often; -1: always."""
    port: str = ""
    """`hub` or `cdn`; empty: the CDN for what happens to bytes, else either."""
    method: str = ""
    """Empty: any."""
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    rate: int = 1 << 20
    """Bytes per second, for SLOW."""
    shift: int = 1
    extra: int = 64
    then: Callable[[], object] | None = None
    """Called each time it has happened, e.g. to commit another version of the file."""
    happened: int = 0
    """How often it has happened."""

    def matches(self, port: str, method: str, path: str) -> bool:
        """Tell whether it is due for a request."""
        wanted = self.port or ("cdn" if self.kind in (*AT_A_BYTE, Kind.EXPIRED) else port)
        return (
            self.times != 0
            and wanted == port
            and self.method in ("", method)
            and fnmatchcase(path, self.path)
        )  # fmt: skip

    def happen(self) -> None:
        """Count it."""
        self.happened += 1
        if self.times > 0:
            self.times -= 1
        if self.then is not None:
            self.then()


def rate_limited(path: str = "/api/*", wait_s: int = 3, times: int = 1) -> Fault:
    """Return the answer 429 as the Hub gives it: nothing is left, try again in `wait_s` seconds."""
    headers = {
        "RateLimit": f'"api";r=0;t={wait_s}',
        "RateLimit-Policy": '"fixed window";"api";q=500;w=300',
        "Retry-After": str(wait_s),
    }
    return Fault(Kind.STATUS, path, times=times, status=429, headers=headers, body=b'{"error":"Too many requests"}')
