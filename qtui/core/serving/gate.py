"""Who may ask an endpoint: the key, and that no page in a browser asks in the user's name."""

from __future__ import annotations

import hmac
import ipaddress
import string
from collections.abc import Iterable
from dataclasses import dataclass, field

from qtui.core.errors import UsageError
from qtui.core.serving.refusal import Refusal

OPEN_PATHS = ("/health", "/v1/health")
SHORTEST_OPEN_KEY = 16
"""Characters of a key that guards more than this machine."""
LONGEST_KEY = 512
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)
_HERE = ("same-origin", "none")


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides; header names in lower case."""

    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules of one endpoint."""

    key: str = field(repr=False)
    host: str
    """What it is bound to, as the user wrote it."""
    names: tuple[str, ...] = ()
    """Further names of this machine, where it is bound to all of its addresses."""

    def refusal(self, asked: Asked) -> Refusal | None:
        """Return why a request is not let in, None where it is."""
        headers = asked.headers
        if not self._named(headers.get("host", "")):
            return Refusal(403, "this endpoint does not answer to that name of a host", code="host_not_allowed")
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in _HERE:
            return Refusal(403, "pages in a browser may not use this endpoint", code="origin_not_allowed")
        if asked.path in OPEN_PATHS or self._knows(headers.get("authorization", "")):
            return None
        text = "give the key of this endpoint: Authorization: Bearer KEY"
        return Refusal(401, text, code="invalid_api_key")

    def _knows(self, header: str) -> bool:
        kind, _, given = header.partition(" ")
        known = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.key.encode())
        return known and kind.lower() == "bearer"

    def _named(self, header: str) -> bool:
        """Tell whether a Host header names this endpoint: any other name may be an attacker's, led here by DNS."""
        name = host_name(header)
        if name in ("localhost", self.host.lower().strip("[]"), *(known.lower() for known in self.names)):
            return bool(name)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or wildcard(self.host)  # an address in figures went through no name server


def host_name(header: str) -> str:
    """Return the host of a Host header without its port, in lower case."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def wildcard(host: str) -> bool:
    """Tell whether a host stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def loopback(addresses: Iterable[str]) -> bool:
    """Tell whether all of these addresses are of this machine alone."""
    found = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    return bool(found) and all(address.is_loopback for address in found)


def checked_key(text: str, where: str) -> str:
    """Return a key that the user gave.

    Raises:
        UsageError: it is empty, too long, or holds what no header can carry.
    """
    key = text.strip()
    if not key:
        raise UsageError(f"the key of {where} is empty", "leave it out: one is made and printed")
    if len(key) > LONGEST_KEY or not _ALLOWED.issuperset(key):
        raise UsageError(f"the key of {where} cannot be used", f"printable ASCII, at most {LONGEST_KEY} characters")
    return key


def check_reach(host: str, *, here_only: bool, key: str) -> None:
    """Refuse an endpoint that others could reach with a key that is none or short.

    Raises:
        UsageError: says what to do; `key` is empty where the user gave none.
    """
    if not here_only and len(key) < SHORTEST_OPEN_KEY:
        raise UsageError(
            f"--host {host} lets other machines in: it needs a key of {SHORTEST_OPEN_KEY} characters or more",
            "export QTUI_API_KEY=$(openssl rand -hex 24), or --api-key-file FILE",
        )
